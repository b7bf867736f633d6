"""The connections to one upstream, over TLS or plain, kept and used again."""

import asyncio
import ssl
from functools import partial

from interlock.gateway.aws import Signer
from interlock.gateway.endpoint import address_parts, key_bytes, tls_context
from interlock.gateway.routes import joined
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.gateway.upstream import UpstreamConnection
from interlock.gateway.waiting import Waiter
from interlock.model.errors import UpstreamError
from interlock.protocols import BEARER, Adapter, Credential

# Idle connections kept for each upstream.
KEPT = 256
# How long an idle connection is kept. Middleboxes forget silent ones after a few minutes and say nothing.
KEPT_S = 60.0
# How long an upstream that failed is asked after the others.
DOWN_S = 10.0
# How an upstream wants its key, where that is not the way of its protocol.
FORMS = {"bearer": BEARER, **{name: Credential(name.encode()) for name in ("x-api-key", "api-key", "x-goog-api-key")}}


class Pool:
    """The connections to one upstream. Verifies TLS; the credential is added here and nowhere else."""

    def __init__(
        self,
        name: str,
        upstream: Upstream,
        credential: str,
        settings: GatewaySettings,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Raises: ConfigError if the address, the credential or the CA file cannot be used, or nothing can sign."""
        host, port, authority, base = address_parts(name, upstream)
        self.name = name
        self.upstream = upstream
        self.settings = settings
        self._connect_s = upstream.connect_timeout_s or settings.connect_timeout_s
        self._answer_s = upstream.answer_timeout_s or settings.answer_timeout_s
        self._stream_s = upstream.stream_timeout_s or settings.stream_timeout_s
        self._down_until = 0.0
        self._loop = loop
        self._host, self._port, self._base = host, port, base
        self._ssl = tls_context(name, upstream) if upstream.url.startswith("https:") else None
        self._fixed = (
            b"host: %b\r\naccept-encoding: identity\r\ncontent-type: application/json\r\n" % authority.encode()
        )
        self._key = key_bytes(name, upstream, credential)
        self._form = FORMS.get(upstream.auth)
        self._signer = Signer(name, upstream, loop.time) if upstream.auth == "aws" else None
        self._idle: dict[UpstreamConnection, None] = {}
        self._open: set[UpstreamConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def holds_key(self) -> bool:
        """Whether it adds a credential."""
        return bool(self._key or self._signer)

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer, or for a connection."""
        return len(self._open) == len(self._idle) and not self._tasks

    @property
    def is_down(self) -> bool:
        """Whether it failed a moment ago."""
        return self._loop.time() < self._down_until

    def failed(self) -> None:
        """It could not serve a request."""
        self._down_until = self._loop.time() + DOWN_S

    def probe(self) -> None:
        """It is asked: if it failed some time ago, by this request alone, until that one has found out."""
        if self._down_until:
            self.failed()

    def recovered(self) -> None:
        """It served a request."""
        self._down_until = 0.0

    def send(self, path: str, headers: bytes, body: bytes, adapter: Adapter, waiter: Waiter) -> None:
        """Send `body` in the adapter's protocol, over a kept connection or a new one. `path` may have a query."""
        send = partial(self._send, path, headers, body, adapter, waiter)
        if self._signer and self._signer.is_due:
            self._task(self._signer.look())
        if self._signer and not self._signer.is_ready:
            self._task(self._loop.create_task(self._signer.when_ready(send, waiter.on_error)))
        else:
            send()

    def _send(self, path: str, headers: bytes, body: bytes, adapter: Adapter, waiter: Waiter) -> None:
        target = joined(self._base, adapter.base, path)
        data = b"%b %b HTTP/1.1\r\n%b%bcontent-length: %d\r\n%b\r\n%b" % (
            adapter.method, target.encode(), self._fixed, self._credential(adapter, target, body),
            len(body), headers, body,
        )  # fmt: skip
        self.dispatch(data, adapter.stream_type, waiter)

    def dispatch(self, data: bytes, stream_type: bytes, waiter: Waiter) -> None:
        """Send the bytes of a whole request, over a kept connection or a new one."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.is_open and connection.is_quiet:
                self._begin(connection, data, stream_type, waiter)
                return
            connection.close()
        self._task(self._loop.create_task(self._connect(data, stream_type, waiter)))

    def stream_deadline(self) -> float:
        """Until when the next piece of an answer has to come."""
        return self._loop.time() + self._stream_s

    def keep(self, connection: UpstreamConnection) -> None:
        """Take an idle connection back."""
        if len(self._idle) < KEPT:
            connection.deadline = self._loop.time() + KEPT_S
            self._idle[connection] = None
        else:
            connection.close()

    def forget(self, connection: UpstreamConnection) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        self._idle.pop(connection, None)

    def sweep(self, now: float) -> None:
        """End the exchanges, and the idle connections, whose deadline has passed."""
        for connection in [c for c in self._open if c.deadline is not None and c.deadline <= now]:
            connection.expire()

    def close(self) -> None:
        """Close every connection."""
        for connection in list(self._open):
            connection.close()
        for task in self._tasks:
            task.cancel()

    def _task(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _credential(self, adapter: Adapter, path: str, body: bytes) -> bytes:
        if self._signer:
            return self._signer.headers(path, body)
        if not self._key:
            return b""
        form = self._form or adapter.credential or BEARER
        return b"%b: %b%b\r\n" % (form.header, form.prefix, self._key)

    def _begin(self, connection: UpstreamConnection, data: bytes, stream_type: bytes, waiter: Waiter) -> None:
        if waiter.connected(connection):
            connection.send(data, stream_type, waiter, self._loop.time() + self._answer_s)
        else:
            self.keep(connection)

    async def _connect(self, data: bytes, stream_type: bytes, waiter: Waiter) -> None:
        try:
            async with asyncio.timeout(self._connect_s):
                _, connection = await self._loop.create_connection(
                    lambda: UpstreamConnection(self),
                    self._host,
                    self._port,
                    ssl=self._ssl,
                    server_hostname=self._host if self._ssl else None,
                )
        except TimeoutError:
            waiter.on_error(UpstreamError("cannot be reached: no connection in time", where=self.name, status=504))
        except (OSError, UnicodeError) as error:
            waiter.on_error(UpstreamError(f"cannot be reached: {_reason(error)}", where=self.name))
        else:
            self._open.add(connection)
            if connection.is_open:
                self._begin(connection, data, stream_type, waiter)
            else:
                self.forget(connection)
                waiter.on_error(UpstreamError("closed the connection at once", where=self.name))


def _reason(error: OSError | UnicodeError) -> str:
    """Why, without an address: clients are told this."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate was refused, {error.verify_message}"
    if isinstance(error, UnicodeError):
        return "its name is no host name"
    return getattr(error, "reason", None) or error.strerror or type(error).__name__
