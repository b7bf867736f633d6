"""The connections to an MCP server that speaks streamable HTTP: the pool of a model's server, asked in another way."""

import asyncio

from interlock.gateway.pool import FORMS, Pool
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.gateway.waiting import Answering, Waiter
from interlock.guard import Head
from interlock.guard.mcp.settings import McpServer
from interlock.identity.clients import Source
from interlock.model.errors import ConfigError, UpstreamError

EVENTS = b"text/event-stream"
ACCEPT = b"accept: application/json, text/event-stream\r\n"
UNAUTHORIZED = 401


class McpPool(Pool):
    """The connections to one server. It adds our credential, and never the client's."""

    def __init__(
        self, name: str, server: McpServer, credential: str, settings: GatewaySettings,
        loop: asyncio.AbstractEventLoop, source: Source | None = None,
    ) -> None:  # fmt: skip
        """`credential` is one that stays, `source` gives others. Raises: ConfigError if something cannot be used."""
        upstream = Upstream(url=server.url, api_key_env=server.api_key_env, ca_file=server.ca_file)
        try:
            super().__init__(name, upstream, credential, settings, loop)
        except ConfigError as error:
            where = error.where.replace("llm.upstreams.", "mcp.servers.")
            raise ConfigError(error.what, where=where, hint=error.hint) from None
        self._shown_as = FORMS[server.auth]
        self._shown = self._line(self._key)
        self._source = source

    def ask(
        self, method: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes, waiter: Waiter, subject: str = ""
    ) -> None:
        """Send a message, or the end of a session, to the server's one address. `subject` is the caller's own token.

        It is not sent there: at most it is exchanged for another one.
        """
        if self._source:
            _Asking(self, self._source, (method, headers, body), waiter, subject).begin()
        else:
            self.dispatch(self._request(method, headers, body, self._shown), EVENTS, waiter)

    def ask_with(self, token: str, asked: tuple[str, tuple[tuple[bytes, bytes], ...], bytes], waiter: Waiter) -> None:
        """Send a message with this credential."""
        self.dispatch(self._request(*asked, self._line(token.encode())), EVENTS, waiter)

    def beside(self, task: "asyncio.Task[None]") -> None:
        """Work that ends with the pool."""
        self._task(task)

    def _line(self, credential: bytes) -> bytes:
        form = self._shown_as
        return b"%b: %b%b\r\n" % (form.header, form.prefix, credential) if credential else b""

    def _request(self, method: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes, shown: bytes) -> bytes:
        lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
        return b"%b %b HTTP/1.1\r\n%b%b%bcontent-length: %d\r\n%b\r\n%b" % (
            method.encode(), (self._base or "/").encode(), self._fixed, ACCEPT, shown, len(body), lines, body
        )  # fmt: skip


class _Asking:
    """A request that needs a token first; the server may refuse one, once, and is asked again with another.

    It stands between the pool and whoever waits, as each one's other side.
    """

    def __init__(
        self, pool: McpPool, source: Source, asked: tuple[str, tuple[tuple[bytes, bytes], ...], bytes],
        waiter: Waiter, subject: str,
    ) -> None:  # fmt: skip
        self._pool = pool
        self._source = source
        self._asked = asked
        self._waiter = waiter
        self._subject = subject
        self._token = ""
        self._connection: Answering | None = None
        self._known = self._again = self._gone = False

    def begin(self) -> None:
        """Have a token, and ask."""
        self._pool.beside(asyncio.get_running_loop().create_task(self._ask()))

    async def _ask(self) -> None:
        try:
            self._token = await self._source.token(self._subject, self._token)
        except UpstreamError as error:
            if not self._gone:
                self._waiter.on_error(error)
        else:
            if not self._gone:
                self._pool.ask_with(self._token, self._asked, self)

    # --- towards the pool: a waiter ----------------------------------------------------------------------

    def connected(self, connection: Answering) -> bool:
        """There is a connection; whether it is still wanted."""
        self._connection = connection
        if not self._known:
            self._known = True
            self._gone = not self._waiter.connected(self)
        if self._gone:
            self._connection = None
        return not self._gone

    def on_head(self, head: Head, headers: list[tuple[bytes, bytes]]) -> None:
        """The answer has begun, or the token was refused."""
        if head.status == UNAUTHORIZED and not self._again:
            self._again, connection, self._connection = True, self._connection, None
            assert connection
            connection.release()
            self.begin()
        else:
            self._waiter.on_head(head, headers)

    def on_data(self) -> None:
        """There is more to take."""
        self._waiter.on_data()

    def on_error(self, error: UpstreamError) -> None:
        """The answer will not come."""
        self._connection = None
        if not self._gone:
            self._waiter.on_error(error)

    # --- towards the waiter: what an answer is read from -------------------------------------------------

    @property
    def is_complete(self) -> bool:
        """Whether the whole answer has come."""
        return self._connection is not None and self._connection.is_complete

    def take(self) -> bytes | None:
        """What has come so far."""
        return self._connection.take() if self._connection else b""

    def release(self) -> None:
        """The waiter needs nothing more."""
        self._gone, connection, self._connection = True, self._connection, None
        if connection:
            connection.release()
