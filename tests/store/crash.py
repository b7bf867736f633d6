"""A program that ends a writer of the log at every single call to the system, and opens the log again after each.

    python -m tests.store.crash FOLDER     prints how many ends it went through; exit code 1 and a story if one
                                           of them lost a record that was written, or left a log that is not whole

For each k a child does the same work and stops dead before its k-th call; a write is also stopped half-way.
What the kernel has taken stays, as after `kill -9`.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interlock.store.segments import read
from tests.audit.records import answer
from tests.store.logs import SMALL_SEGMENTS, check, open_log

CALLS = ("write", "fsync", "fdatasync", "replace", "link", "unlink", "truncate", "open", "close")
RECORDS = 7


class Countdown:
    """Stops this process dead at the k-th of the calls that it watches over."""

    def __init__(self, k: int, *, halves: bool) -> None:
        self.left = k
        self.halves = halves

    def watch(self) -> None:
        for name in CALLS:
            setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if self.left == 0:
                if name == "write" and self.halves:
                    call(args[0], args[1][: len(args[1]) // 2])
                os._exit(9)
            self.left -= 1
            return call(*args, **kwargs)

        return counted


def work(folder: Path, acknowledged: int) -> None:
    """Open the log, write records with a checkpoint among them, close; each record's number goes to a pipe."""
    with open_log(folder, SMALL_SEGMENTS) as log:
        for i in range(RECORDS):
            n = log.append(answer())
            os.pwrite(acknowledged, b"%d" % n, 0)
            if i == RECORDS // 2:
                log.checkpoint()


def end_at(folder: Path, k: int, *, halves: bool) -> tuple[int, bool]:
    """Do the work up to call k: the last number that was acknowledged (-1: none), and whether it came to its end."""
    notes = folder.with_suffix(".acknowledged")
    notes.write_bytes(b"")
    child = os.fork()
    if not child:
        acknowledged = os.open(notes, os.O_WRONLY)
        Countdown(k, halves=halves).watch()
        work(folder, acknowledged)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in {0, 9}:
        sys.exit(f"call {k}: the child failed")
    return int(notes.read_bytes() or b"-1"), code == 0


def must_be_whole(folder: Path, last: int, k: int) -> None:
    """Open the log after an end, and check that nothing acknowledged is missing from it."""
    with open_log(folder, SMALL_SEGMENTS) as log:
        log.append(answer())
    report = check(folder)
    numbers = [stored.n for stored in read(folder)]
    if not report.whole or report.signed != report.records or numbers != list(range(report.records)):
        sys.exit(f"call {k}: {report}")
    if last >= len(numbers) - 1:
        sys.exit(f"call {k}: record {last} was acknowledged and is gone")


def main(base: Path) -> int:
    """Every end of a first writer, and every end of a writer that opens after a torn one."""
    ends = 0
    begun = base / "begun"
    end_at(begun, 40, halves=True)
    for start, halves in ((None, False), (None, True), (begun, True)):
        k, done = 0, False
        while not done:
            folder = base / "log"
            shutil.rmtree(folder, ignore_errors=True)
            if start:
                shutil.copytree(start, folder)
                with open(max(folder.glob("records-*")), "ab") as file:
                    file.write(b"half a record")
            last, done = end_at(folder, k, halves=halves)
            must_be_whole(folder, last, k)
            k += 1
            ends += 1
    sys.stdout.write(f"{ends}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
