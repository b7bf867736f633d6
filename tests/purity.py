"""`pure()`: a block in which reading a file, importing, opening a socket or starting a program is a failure."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

IMPURE = (
    "open", "import", "exec", "input", "builtins.input", "builtins.breakpoint",
    "socket.", "ssl.", "http.", "urllib.", "ftplib.", "smtplib.", "imaplib.", "poplib.", "telnetlib.", "nntplib.",
    "subprocess.", "os.", "pty.", "shutil.", "tempfile.", "glob.", "pathlib.", "fcntl.", "mmap.", "msvcrt.", "winreg.",
    "sqlite3.", "ctypes.", "signal.", "syslog.", "webbrowser.", "resource.",
)  # fmt: skip
"""Beginnings of the audit events of I/O (docs.python.org/3/library/audit_events.html). `exec` is there because
nothing that is inspected may ever be run; `compile` is not, since `ast.parse` raises it too. Clocks, randomness
and threads raise no event in every Python: there the import contracts in pyproject.toml stand guard."""


class ImpureError(BaseException):
    """Pure code did I/O. Not an `Exception`, so that no `except Exception` on the way hides it."""


class _Guard:
    """The one hook of the process: an audit hook cannot be taken out again, so it is armed and disarmed."""

    def __init__(self) -> None:
        self.armed = False
        self.seen: list[str] = []

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if self.armed and event.startswith(IMPURE):
            self.armed = False  # so that formatting the arguments, or the traceback, does not trip it again
            self.seen.append(f"{event}{args[:2]!r}")
            raise ImpureError(self.seen[-1])


_guard = _Guard()
sys.addaudithook(_guard)


@contextmanager
def pure() -> Iterator[None]:
    """Arms the guard for a block; `ImpureError` at the first I/O in it, even if the block swallowed that.

    Call what you guard once before, unguarded: the first call may compile an expression or import lazily.
    """
    _guard.seen.clear()
    _guard.armed = True
    try:
        yield
    finally:
        _guard.armed = False
    if _guard.seen:
        raise ImpureError(_guard.seen[0])
