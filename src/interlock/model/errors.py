"""The tree of errors. Each one says what went wrong, where, and what to do.

    InterlockError
    ├── UsageError       the command line or an argument of a call is wrong       exit code 2
    ├── ConfigError      interlock.toml or an environment variable is wrong       exit code 3
    ├── PolicyError      a policy, its schema or its data does not validate       exit code 3
    ├── CatalogError     an entry of a catalogue breaks the room's contract       exit code 3
    ├── ScanError        the scan as a whole could not do its work                exit code 3
    ├── StoreError       the database cannot be opened, read or written           exit code 3
    ├── AuditError       the audit log is damaged, or was changed                 exit code 3
    ├── IdentityError    a credential was refused (the reason is for the log)     HTTP 401
    ├── ProtocolError    the peer sent what its protocol does not allow           HTTP 4xx
    └── UpstreamError    the model's server is down, slow, or answered nonsense   HTTP 5xx

A damaged input of a scan is not an error: it is a `NotScanned` in the result.
"""


class InterlockError(Exception):
    """The root: `what` happened, `where` (file:line, JSON path, address), and `hint`, what to do now."""

    exit_code = 3

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    @property
    def brief(self) -> str:
        """Where and what, on one line."""
        return f"{self.where}: {self.what}" if self.where else self.what

    def __str__(self) -> str:
        return f"{self.brief}\n  {self.hint}" if self.hint else self.brief


class UsageError(InterlockError):
    """The command line, or an argument of a call, is wrong."""

    exit_code = 2


class ConfigError(InterlockError):
    """interlock.toml or an environment variable is wrong. `where` is file:line or the variable."""


class PolicyError(InterlockError):
    """A policy, its schema or its data does not validate; nothing of it was loaded."""


class CatalogError(InterlockError):
    """An entry of a catalogue does not hold to its room's contract."""


class ScanError(InterlockError):
    """The scan as a whole could not be done (a single bad file never raises this)."""


class StoreError(InterlockError):
    """The database cannot be opened, read or written."""


class AuditError(InterlockError):
    """The audit log is damaged or was changed, or a record could not be made durable."""


class IdentityError(InterlockError):
    """A credential was refused. The text is for the log; a caller is told only that it was refused."""


class ProtocolError(InterlockError):
    """The peer sent what its protocol does not allow. `status` is the HTTP answer that it deserves.

    `code` is what the peer's program decides by, where the protocol has a word for the fault.
    """

    def __init__(
        self, what: str, *, where: str = "", hint: str = "", status: int = 400, code: str = "invalid_request"
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.status = status
        self.code = code


class UpstreamError(InterlockError):
    """The model's server is down, too slow, or answered what cannot be understood."""

    def __init__(self, what: str, *, where: str = "", hint: str = "", status: int = 502) -> None:
        super().__init__(what, where=where, hint=hint)
        self.status = status
