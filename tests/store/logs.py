"""An audit log in a temporary folder, and a clock that is moved by hand."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.audit.verify import Report
from interlock.store.log import AuditLog
from interlock.store.segments import verifier_of, verify
from interlock.store.settings import AuditSettings
from tests.audit.records import NOW_US, answer

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
SMALL_SEGMENTS = AuditSettings(segment_bytes=5_000)


@dataclass
class Clock:
    """Microseconds since 1970; stands still."""

    us: int = NOW_US

    def __call__(self) -> int:
        return self.us


def open_log(
    folder: Path, settings: AuditSettings | None = None, *, key: Ed25519PrivateKey = KEY, clock: Clock | None = None
) -> AuditLog:
    return AuditLog.open(folder, "gw-1", key, settings or AuditSettings(), clock or Clock())


def write_log(folder: Path, count: int = 20, unsigned: int = 0, settings: AuditSettings = SMALL_SEGMENTS) -> None:
    """A log of `count` signed records in several segments, signed twice, and `unsigned` ones after them."""
    log = open_log(folder, settings)
    for n in range(count):
        log.append(answer(NOW_US + n))
        if n == count // 2:
            log.checkpoint()
    log.checkpoint()
    for n in range(count, count + unsigned):
        log.append(answer(NOW_US + n))
    abandon(log)


def abandon(log: AuditLog) -> None:
    """Let go of a log as a killed process does: nothing is signed, the lock is gone."""
    log._leaves.clear()
    log.close()


def check(folder: Path) -> Report:
    return verify(folder, verifier_of(folder))
