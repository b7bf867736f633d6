"""A program that writes records until it is killed, or until the disk is full; a test kills it.

    python -m tests.store.writer FOLDER [LIMIT]    prints each record's number once it is on disk

With LIMIT no file may grow beyond so many bytes: it then prints `full`, tries once more, and ends.
"""

import asyncio
import itertools
import resource
import sys
from pathlib import Path

from interlock.model.errors import AuditError
from interlock.store.log import AuditLog
from interlock.store.settings import AuditSettings
from tests.audit.records import answer
from tests.store.logs import open_log


async def write(log: AuditLog) -> None:
    for i in itertools.count():
        numbers = [log.append(answer()) for _ in range(3)]
        await log.durable(numbers[-1])
        sys.stdout.write("".join(f"{n}\n" for n in numbers))
        sys.stdout.flush()
        if i % 4 == 0:
            await log.tick()


def main(folder: Path, limit: str = "") -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), before[1]))
    log = open_log(folder, AuditSettings(checkpoint_records=10, segment_bytes=1_000_000 if limit else 20_000))
    try:
        asyncio.run(write(log))
    except AuditError as error:
        sys.stdout.write(f"full\n{error.what}\n")
    try:
        log.append(answer())
    except AuditError as error:
        sys.stdout.write(f"{error.what}\n")
    resource.setrlimit(resource.RLIMIT_FSIZE, before)  # what measures coverage writes a file at the end


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
