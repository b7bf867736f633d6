"""What the audit log costs: `python -m bench.audit [RECORDS]`. Writes to a temporary folder on this disk."""

import asyncio
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cryptography
import msgspec
import sqlalchemy
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock import __version__
from interlock.audit.canonical import encode
from interlock.store.database import address
from interlock.store.log import AuditLog
from interlock.store.segments import read, verifier_of, verify
from interlock.store.settings import AuditSettings
from interlock.store.sql import SqlStore
from tests.audit.records import NOW_US, answer

RECORDS = 50_000
BATCH = 500


def timed(work: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def commit_together(log: AuditLog, groups: int, size: int) -> None:
    """`groups` times, `size` callers each write a record and wait until it is on disk."""

    async def one() -> None:
        await log.durable(log.append(answer()))

    async def all_groups() -> None:
        for _ in range(groups):
            await asyncio.gather(*[one() for _ in range(size)])

    asyncio.run(all_groups())


def index(folder: Path, store: SqlStore) -> None:
    """Fill the index from the log."""
    batch = []
    for stored in read(folder):
        batch.append(stored)
        if len(batch) == BATCH:
            store.index(batch)
            batch = []
    store.index(batch)


def main(records: int) -> None:
    """Run all measurements once and print them."""
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(
        f"interlock {__version__}, msgspec {msgspec.__version__}, cryptography {cryptography.__version__}, "
        f"SQLAlchemy {sqlalchemy.__version__}"
    )
    record = answer()
    size = len(encode(record, "gw-1", 0))
    print(f"{records:,} records with 3 steps, {size} bytes each\n")
    key = Ed25519PrivateKey.generate()

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "gw-1"
        settings = AuditSettings()

        def clock_us() -> int:
            return NOW_US

        def show(what: str, value: float, unit: str) -> None:
            print(f"{what:<52}{value:>12,.1f} {unit}")

        encoding = timed(lambda: [encode(record, "gw-1", n) for n in range(records)])
        show("canonical bytes, and reading them back to be sure", encoding / records * 1e6, "us/record")
        with AuditLog.open(folder, "gw-1", key, settings, clock_us) as log:
            appending = timed(lambda: [log.append(record) for _ in range(records)])
            show("append", appending / records * 1e6, "us/record")
            for together in (1, 10, 100):
                groups = 2_000 // (10 + together)
                waiting = timed(partial(commit_together, log, groups, together))
                show(f"append and on disk, {together} together", waiting / (groups * together) * 1e6, "us/record")
            show("checkpoint", timed(log.checkpoint) * 1e6, "us")
        show("open", timed(lambda: AuditLog.open(folder, "gw-1", key, settings, clock_us).close()) * 1e3, "ms")
        (folder / "frontier").unlink()
        opening = timed(lambda: AuditLog.open(folder, "gw-1", key, settings, clock_us).close())
        show("open without the frontier (everything is read)", opening * 1e3, "ms")
        report = verify(folder, verifier_of(folder))
        verifying = timed(lambda: verify(folder, verifier_of(folder)))
        show("verify", report.records / verifying, "records/s")
        store = SqlStore(address("", Path(temporary)))
        show("index", report.records / timed(lambda: index(folder, store)), "records/s")
        store.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS)
