"""What an MCP exchange asks of the gateway beside `guard/commands.py`, and what it is told."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeVar

from interlock.guard.commands import Begin, Claim, ClientGoneError, Emit, Note, Petition, Read
from interlock.mcp.framing import Framing
from interlock.mcp.pins import Pin
from interlock.model.approval import Approval

R = TypeVar("R")
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]


class Send(NamedTuple):
    """Send a message to the server; it ends what was being read. Replied with `Answered`, `Read` gives the rest.

    `method` is that of HTTP; a server on stdin gets the body of a POST, and nothing of the headers. `id` is that of
    a request, None for what has no answer; `opens`: it begins a connection, for which a program may be started.
    """

    method: str
    body: bytes
    headers: Headers = ()
    id: int | None = None
    opens: bool = False


class Tell(NamedTuple):
    """Send a message for whose answer nobody waits. Replied with None at once."""

    body: bytes
    headers: Headers


class Turn(NamedTuple):
    """From here on `Send` and `Tell` go to this server. Replied with None at once."""

    server: str


class Keep(NamedTuple):
    """Keep what is known of these tools. Replied with None at once."""

    pins: tuple[Pin, ...]


class Respond(NamedTuple):
    """The whole answer to the client; nothing may follow. `session` is the id that it has to show from now on."""

    status: int
    body: bytes = b""
    session: str = ""


@dataclass(slots=True)
class Bell:
    """Rung in one exchange and heard in another, once. `hear` is set by whoever performs `Await` or `Heed`."""

    rung: bool = False
    hear: Callable[[], None] | None = None


class Ring(NamedTuple):
    """Ring a bell. Replied with None at once."""

    bell: Bell


class Await(NamedTuple):
    """Wait until the bell is rung, or `limit_s` have passed. Replied with None."""

    bell: Bell
    limit_s: float


class Heed(NamedTuple):
    """From here on the bell ends this exchange: `CancelledError` is thrown into it. Replied with None at once."""

    bell: Bell


class Decide(NamedTuple):
    """Keep what a client's user has decided about a request for approval, and use it.

    Replied with whether the call is permitted by it; somebody else may have decided first.
    """

    decision: Approval


class Part(NamedTuple):
    """The client has its answer, and the exchange goes on without it. Replied with None at once."""


class CancelledError(ClientGoneError):
    """Thrown into an exchange whose client is still there, and wants no answer any more."""


class Answered(NamedTuple):
    """The server's answer has begun. `session` is the id that it gave."""

    status: int
    framing: Framing
    session: str


McpCommand: TypeAlias = (
    Claim
    | Petition
    | Decide
    | Note
    | Read
    | Begin
    | Emit
    | Send
    | Tell
    | Keep
    | Respond
    | Ring
    | Await
    | Heed
    | Part
    | Turn
)
McpTold: TypeAlias = Answered | bytes | bool | None
Steps: TypeAlias = Generator[McpCommand, McpTold, R]
"""A part of an exchange that ends with a value."""
McpExchange: TypeAlias = Generator[McpCommand, McpTold, None]
