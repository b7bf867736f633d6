"""The client's side: pooled connections to a model's server, over TLS or plain, one exchange at a time on each."""

import asyncio
import io
import select
import ssl
from functools import partial
from typing import cast

import httptools

from interlock.gateway.aws import Signer
from interlock.gateway.endpoint import address_parts, key_bytes, tls_context
from interlock.gateway.routes import joined
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.gateway.waiting import Waiter
from interlock.guard import Head
from interlock.model.errors import UpstreamError
from interlock.protocols import BEARER, Adapter, Credential

OK = 200
SWITCHING = 101
FIRST_FINAL = 200
# Bytes of an answer that wait to be read before the connection is told to stop sending.
HIGH_WATER = 262_144
# Idle connections kept for each upstream.
KEPT = 256
# How long an idle connection is kept. Middleboxes forget silent ones after a few minutes and say nothing.
KEPT_S = 60.0
# How an upstream wants its key, where that is not the way of its protocol.
FORMS = {"bearer": BEARER, **{name: Credential(name.encode()) for name in ("x-api-key", "api-key", "x-goog-api-key")}}


class UpstreamConnection(asyncio.Protocol):
    """One connection.

    Rules: bytes that nobody asked for end it; an answer with two lengths is an error; nobody is told anything from
    within the parser. It does NOT send a request twice: once its bytes are out, a POST may have been carried out.
    """

    # What is known of the answer under way.
    _stream_type: bytes
    _headers: list[tuple[bytes, bytes]]
    _head: Head | None
    _data: io.BytesIO
    _head_bytes: int
    _total: int
    _begun: bool
    _heard: bool
    _streamed: bool
    _until_close: bool
    _complete: bool
    _reusable: bool

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._arrived = select.poll()
        self._waiter: Waiter | None = None
        self.deadline: float | None = None
        self._clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._arrived.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def send(self, data: bytes, stream_type: bytes, waiter: Waiter, deadline: float) -> None:
        """Send a request; the connection must be idle and open. An answer of `stream_type` is a streamed one."""
        assert self._waiter is None
        assert self._transport
        self._waiter = waiter
        self._clear()
        self._stream_type = stream_type
        self.deadline = deadline
        self._transport.write(data)

    @property
    def is_open(self) -> bool:
        """Whether it can still be written to."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits in the kernel to be read. On an idle connection that would be its end, or nonsense."""
        return not self._arrived.poll(0)

    def take(self) -> bytes | None:
        """What has come so far; b"" if there is nothing yet, None at the end of the answer."""
        if not self._data.tell():
            return None if self._complete else b""
        data = self._data.getvalue()
        self._data = io.BytesIO()
        self._resume()
        return data

    @property
    def is_complete(self) -> bool:
        """Whether the whole answer has come."""
        return self._complete

    def release(self) -> None:
        """The waiter needs nothing more: keep the connection if its answer is whole, else close it."""
        self._waiter = None
        self._data = io.BytesIO()
        # An answer that came before the request was out: who answers so may take the rest for another request.
        if self._complete and self._reusable and self.is_open and not self._unsent:
            self._resume()
            self._pool.keep(self)
        else:
            self.close()

    def close(self) -> None:
        """Close at once."""
        self.deadline = None
        self._pool.forget(self)
        if self._transport:
            self._transport.abort()

    def expire(self) -> None:
        """The deadline has passed."""
        if self._waiter is None:
            self.close()
            return
        what = "was silent in the middle of its answer" if self._heard else "did not answer in time"
        self._fail(UpstreamError(what, where=self._pool.name, status=504))

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._complete:
            self.close()
            return
        self._heard = True
        if not self._begun:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._reusable = False
            # What follows a whole answer is nobody's: it is dropped, and the connection with it.
            if not self._complete:
                self._fail(self._fault(error))
                return
        if not self._begun and self._head_bytes > self._pool.settings.max_header_bytes:
            self._fail(UpstreamError("sent too long a head", where=self._pool.name))
            return
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._pool.forget(self)
        if self._waiter is None or self._complete:
            return
        if self._until_close and exc is None:
            self._complete = True
            self._waiter.on_data()
        else:
            self._fail(UpstreamError("closed the connection before its answer was whole", where=self._pool.name))

    def on_message_begin(self) -> None:
        if self._complete:
            raise UpstreamError("sent more than its answer", where=self._pool.name)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._begun:  # after it they are trailers, which nobody reads
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status == SWITCHING:
            raise UpstreamError("changed the protocol though it was not asked to", where=self._pool.name)
        if status < FIRST_FINAL:
            self._headers = []
            return
        fields = dict(self._headers)
        if fields.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UpstreamError("compressed its answer though it was asked not to", where=self._pool.name)
        self._until_close = b"content-length" not in fields and b"transfer-encoding" not in fields
        events = fields.get(b"content-type", b"").lower().startswith(self._stream_type)
        self._begun = True
        self._head = Head(status, events and status == OK)
        self._streamed = self._head.streamed

    def on_body(self, body: bytes) -> None:
        self._data.write(body)
        self._total += len(body)
        if self._total > self._pool.settings.max_body_bytes:
            raise UpstreamError(f"answered over {self._pool.settings.max_body_bytes} bytes", where=self._pool.name)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= FIRST_FINAL:
            self._complete = True
            # Asked here, while the parser still knows: a moment later it has forgotten this answer.
            self._reusable = self._parser.should_keep_alive()

    def _clear(self) -> None:
        """Know nothing of an answer."""
        self._headers = []
        self._head = None
        self._data = io.BytesIO()
        self._head_bytes = self._total = 0
        self._begun = self._heard = self._streamed = self._until_close = self._complete = self._reusable = False

    def _tell(self) -> None:
        assert self._waiter
        waiter = self._waiter
        if self._head:
            head, self._head = self._head, None
            waiter.on_head(head, self._headers)
        # What came may have ended the exchange already.
        held = self._data.tell()
        if self._waiter is waiter and (held or self._complete):
            full = self._streamed and held > HIGH_WATER
            if full and self.is_open and self._transport:
                self._transport.pause_reading()
            # A full one waits for the client, whose own deadline holds.
            self.deadline = None if full or self._complete else self._pool.stream_deadline()
            waiter.on_data()

    @property
    def _unsent(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport else 0

    def _resume(self) -> None:
        if self._transport and self.is_open and not self._transport.is_reading():
            self._transport.resume_reading()
            self.deadline = None if self._complete else self._pool.stream_deadline()

    def _fault(self, error: httptools.HttpParserError) -> UpstreamError:
        if isinstance(error.__context__, UpstreamError):
            return error.__context__
        return UpstreamError(f"did not answer in HTTP/1.1: {error}", where=self._pool.name)

    def _fail(self, error: UpstreamError) -> None:
        waiter, self._waiter = self._waiter, None
        self.close()
        if waiter is not None:
            waiter.on_error(error)


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
        self.settings = settings
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

    def send(self, path: str, headers: bytes, body: bytes, adapter: Adapter, waiter: Waiter) -> None:
        """POST `body` in the adapter's protocol, over a kept connection or a new one. `path` may have a query."""
        send = partial(self._send, path, headers, body, adapter, waiter)
        if self._signer and self._signer.is_due:
            self._task(self._signer.look())
        if self._signer and not self._signer.is_ready:
            self._task(self._loop.create_task(self._signer.when_ready(send, waiter.on_error)))
        else:
            send()

    def _send(self, path: str, headers: bytes, body: bytes, adapter: Adapter, waiter: Waiter) -> None:
        target = joined(self._base, adapter.base, path)
        data = b"POST %b HTTP/1.1\r\n%b%bcontent-length: %d\r\n%b\r\n%b" % (
            target.encode(), self._fixed, self._credential(adapter, target, body), len(body), headers, body
        )  # fmt: skip
        self._dispatch(data, adapter.stream_type, waiter)

    def _dispatch(self, data: bytes, stream_type: bytes, waiter: Waiter) -> None:
        """Send a whole request over a kept connection or a new one."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.is_open and connection.is_quiet:
                self._begin(connection, data, stream_type, waiter)
                return
            connection.close()
        self._task(self._loop.create_task(self._connect(data, stream_type, waiter)))

    def stream_deadline(self) -> float:
        """Until when the next piece of an answer has to come."""
        return self._loop.time() + self.settings.stream_timeout_s

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
        form = self._form or adapter.credential
        return b"%b: %b%b\r\n" % (form.header, form.prefix, self._key)

    def _begin(self, connection: UpstreamConnection, data: bytes, stream_type: bytes, waiter: Waiter) -> None:
        if waiter.connected(connection):
            connection.send(data, stream_type, waiter, self._loop.time() + self.settings.answer_timeout_s)
        else:
            self.keep(connection)

    async def _connect(self, data: bytes, stream_type: bytes, waiter: Waiter) -> None:
        try:
            async with asyncio.timeout(self.settings.connect_timeout_s):
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
