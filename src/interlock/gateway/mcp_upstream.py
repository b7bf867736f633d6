"""The connections to an MCP server that speaks streamable HTTP: the pool of a model's server, asked in another way."""

import asyncio

from interlock.gateway.pool import FORMS, Pool
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.gateway.waiting import Waiter
from interlock.guard.mcp.settings import McpServer
from interlock.model.errors import ConfigError

EVENTS = b"text/event-stream"
ACCEPT = b"accept: application/json, text/event-stream\r\n"


class McpPool(Pool):
    """The connections to one server. It adds our credential, and never the client's."""

    def __init__(
        self, name: str, server: McpServer, credential: str, settings: GatewaySettings, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Raises: ConfigError if the address, the credential or the CA file cannot be used."""
        upstream = Upstream(url=server.url, api_key_env=server.api_key_env, ca_file=server.ca_file)
        try:
            super().__init__(name, upstream, credential, settings, loop)
        except ConfigError as error:
            where = error.where.replace("llm.upstreams.", "mcp.servers.")
            raise ConfigError(error.what, where=where, hint=error.hint) from None
        form = FORMS[server.auth]
        self._shown = b"%b: %b%b\r\n" % (form.header, form.prefix, self._key) if self._key else b""

    def ask(self, method: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes, waiter: Waiter) -> None:
        """Send a message, or the end of a session, to the server's one address."""
        lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
        data = b"%b %b HTTP/1.1\r\n%b%b%bcontent-length: %d\r\n%b\r\n%b" % (
            method.encode(), (self._base or "/").encode(), self._fixed, ACCEPT, self._shown, len(body), lines, body
        )  # fmt: skip
        self.dispatch(data, EVENTS, waiter)
