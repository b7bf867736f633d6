"""What an MCP exchange asks of the gateway beside `guard/commands.py`, and what it is told."""

from collections.abc import Generator
from typing import NamedTuple, TypeAlias

from interlock.guard.commands import Begin, Emit, Note, Read
from interlock.mcp.framing import Framing
from interlock.mcp.pins import Pin

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


class Keep(NamedTuple):
    """Keep what is known of these tools. Replied with None at once."""

    pins: tuple[Pin, ...]


class Respond(NamedTuple):
    """The whole answer to the client; nothing may follow. `session` is the id that it has to show from now on."""

    status: int
    body: bytes = b""
    session: str = ""


class Answered(NamedTuple):
    """The server's answer has begun. `session` is the id that it gave."""

    status: int
    framing: Framing
    session: str


McpCommand: TypeAlias = Note | Read | Begin | Emit | Send | Tell | Keep | Respond
McpTold: TypeAlias = Answered | bytes | None
McpExchange: TypeAlias = Generator[McpCommand, McpTold, None]
