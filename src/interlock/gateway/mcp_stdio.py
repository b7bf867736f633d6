"""A client of an MCP server on stdin and stdout: its lines become exchanges, and their answers lines."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from interlock.gateway.mcp import McpDoor
from interlock.guard.mcp import Inbound, Server, Union
from interlock.mcp import messages
from interlock.mcp.eras import SESSION_HEADER
from interlock.model.decision import Principal, Task
from interlock.model.errors import IdentityError, ProtocolError

if TYPE_CHECKING:
    from interlock.gateway.server import Gateway

SWEEP_S = 1.0
EVENTS = b"application/json, text/event-stream"
OK = 200


class Lines:
    """Serves one client that speaks over a pair of pipes, until it closes its own.

    `principal` is who started it; `token` a task's, or empty. Its task is proven again with each message: one that has
    expired is none.
    """

    def __init__(
        self, gateway: "Gateway", door: McpDoor, server: Server | Union, principal: Principal, token: str,
        write: Callable[[bytes], None],
    ) -> None:  # fmt: skip
        self._gateway = gateway
        self._door = door
        self._server = server
        self._principal = principal
        self._token = token
        self._write = write
        self._under_way: set[_LineClient] = set()
        self.session = ""

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Take message after message. A line that is too long ends it: nobody knows where the next one begins."""
        sweeping = asyncio.get_running_loop().create_task(self._sweep())
        try:
            while line := await reader.readline():
                if line.strip():
                    self._take(line.strip())
        except ValueError:
            self.say(messages.error(None, messages.PARSE_ERROR, "the line is too long"))
        finally:
            sweeping.cancel()
            for client in list(self._under_way):
                client.gone()

    def say(self, message: bytes) -> None:
        """One message to the client."""
        self._write(message + b"\n")

    def listen(self) -> None:
        """What the server says unasked goes to the client from here on."""
        client = _LineClient(self, None, quiet=True)
        self._under_way.add(client)
        headers = {b"accept": EVENTS, SESSION_HEADER: self.session.encode()}
        inbound = Inbound("GET", headers, b"", plain=True)
        self._door.begin(self._gateway, client, inbound, self._server, self._principal, self._task())

    def over(self, client: "_LineClient") -> None:
        """An exchange has its answer."""
        self._under_way.discard(client)

    def _take(self, line: bytes) -> None:
        client = _LineClient(self, _id_of(line))
        self._under_way.add(client)
        headers = {b"accept": EVENTS}
        if self.session:
            headers[SESSION_HEADER] = self.session.encode()
        inbound = Inbound("POST", headers, line, plain=True)
        self._door.begin(self._gateway, client, inbound, self._server, self._principal, self._task())

    def _task(self) -> Task | None:
        if not self._token:
            return None
        try:
            return self._door.taskmaster.prove(self._token, self._gateway.rules.now_us())
        except IdentityError:
            return None  # it was good when this began, and has expired

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self._door.sweep(asyncio.get_running_loop().time())


class _LineClient:
    """One message of the client, and its answer. Notifications have none, nor has a stream that ends: `quiet`."""

    def __init__(self, lines: Lines, id_: messages.Id | None, *, quiet: bool = False) -> None:
        self._lines = lines
        self._id = id_
        self._quiet = quiet
        self.writable = True
        self.on_gone: Callable[[], None] | None = None
        self.on_writable: Callable[[], None] | None = None

    def gone(self) -> None:
        """The client has closed its side."""
        if self.on_gone:
            self.on_gone()

    def reply(self, status: int, body: bytes, headers: bytes = b"", *, close: bool = False) -> None:  # noqa: ARG002
        """A whole answer. What is not in the protocol's shape is a fault of interlock's own."""
        name, _, value = headers.partition(b": ")
        if name == SESSION_HEADER:
            self._lines.session = value.partition(b"\r")[0].decode()
            asyncio.get_running_loop().call_soon(self._lines.listen)
        try:
            said = messages.parse(body) if body else None
        except ProtocolError:
            said = None
        if self._quiet:
            pass
        elif said is not None and (self._id is not None or status != OK):
            self._lines.say(body)
        elif self._id is not None:
            self._lines.say(messages.error(self._id, messages.INTERNAL_ERROR, "interlock cannot serve now"))
        self._lines.over(self)

    def begin_stream(self, media_type: bytes, headers: bytes = b"") -> None:
        """Lines need no head."""

    def write(self, data: bytes) -> None:
        """One event of a stream, which holds one message."""
        self._lines.say(data.partition(b"data: ")[2].strip())

    def end_stream(self) -> None:
        """The answer is whole."""
        self._lines.over(self)

    def abort(self) -> None:
        """It will not be whole."""
        if self._id is not None:
            self._lines.say(messages.error(self._id, messages.INTERNAL_ERROR, "interlock cannot serve now"))
        self._lines.over(self)


def _id_of(line: bytes) -> messages.Id | None:
    """The id of a request; None for all else."""
    with contextlib.suppress(ProtocolError):
        message = messages.parse(line)
        if isinstance(message, messages.Request):
            return message.id
    return None
