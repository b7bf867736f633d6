"""The audit log of what people do by commands: beside those of gateways, and one more for each that runs just then."""

import contextlib
import getpass
from collections.abc import Iterator
from dataclasses import replace

from interlock.app import now_us, open_log
from interlock.config import Settings
from interlock.model.errors import AuditError
from interlock.store.log import AuditLog

# Commands that write at the same time.
MOST_LOGS = 16


@contextlib.contextmanager
def operator_log(settings: Settings) -> Iterator[AuditLog]:
    """A log that is durable at the end of the block at the latest. Raises: AuditError."""
    number = 1
    while True:
        name = "operator" + (f"-{number}" if number > 1 else "")
        try:
            log = open_log(replace(settings, gateway=replace(settings.gateway, name=name)), now_us)
            break
        except AuditError as error:
            # Only one that is in use is passed over: a damaged one is told.
            number += 1
            if number > MOST_LOGS or not error.what.startswith("another process"):
                raise
    with log:
        yield log


def operator() -> str:
    """How the log names who runs a command: the account of this machine."""
    try:
        return f"cli-{getpass.getuser()}"
    except (OSError, KeyError):  # an account without a name
        return "cli"
