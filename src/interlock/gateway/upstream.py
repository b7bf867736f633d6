"""The client's side: pooled connections to a model's server, over TLS or plain, one exchange at a time on each."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast
from urllib.parse import urlsplit

import httptools

from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.guard import Head
from interlock.model.errors import ConfigError, UpstreamError

OK = 200
FIRST_FINAL = 200
# Bytes of an answer that wait to be read before the connection is told to stop sending.
HIGH_WATER = 262_144
# Idle connections kept for each upstream.
KEPT = 256


class Waiter(Protocol):
    """Whoever waits for an answer. None of these is called from within `Pool.send`."""

    def on_head(self, head: Head, headers: list[tuple[bytes, bytes]]) -> None:
        """The answer has begun."""
        ...

    def on_data(self) -> None:
        """There is more to `take`, or the end."""
        ...

    def on_error(self, error: UpstreamError) -> None:
        """The answer will not come, or not whole."""
        ...

    def ask_again(self) -> None:
        """A kept connection turned out to be closed: the request did not go out."""
        ...


class UpstreamConnection(asyncio.Protocol):
    """One connection. Rules: bytes that nobody asked for end it; an answer with two lengths is an error."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: Waiter | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._data: deque[bytes] = deque()
        self._held = 0
        self._total = 0
        self._streamed = False
        self._complete = False
        self._stays_open = False
        self._until_close = False
        self._heard = False
        self.reused = False
        self.deadline: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, data: bytes, waiter: Waiter, deadline: float) -> None:
        """Send a request; the connection must be idle."""
        assert self._waiter is None
        self._waiter = waiter
        self._headers, self._data = [], deque()
        self._held = self._total = 0
        self._complete = self._streamed = self._heard = self._until_close = False
        self.deadline = deadline
        if self._transport:
            self._transport.write(data)

    @property
    def is_usable(self) -> bool:
        """Whether another request can be sent on it."""
        return self._transport is not None and not self._transport.is_closing()

    def take(self) -> bytes | None:
        """What has come so far; b"" if there is nothing yet, None at the end of the answer."""
        if self._data:
            data = self._data.popleft() if len(self._data) == 1 else b"".join(self._data)
            self._data.clear()
            self._held = 0
            if self._transport and not self._transport.is_reading():
                self._transport.resume_reading()
            return data
        return None if self._complete else b""

    @property
    def is_complete(self) -> bool:
        """Whether the whole answer has come."""
        return self._complete

    def release(self) -> None:
        """The waiter needs nothing more: keep the connection if its answer is whole, else close it."""
        self._waiter = None
        self.deadline = None
        self._data.clear()
        if self._complete and self._stays_open and not self._until_close and self.is_usable:
            self._parser = httptools.HttpResponseParser(self)
            self._pool.keep(self)
        else:
            self.close()

    def close(self) -> None:
        """Close at once."""
        self._pool.forget(self)
        if self._transport:
            self._transport.abort()

    def expire(self) -> None:
        """The deadline has passed."""
        what = "was silent in the middle of its answer" if self._heard else "did not answer in time"
        self._fail(UpstreamError(f"{what}", where=self._pool.name, status=504))

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self.close()
            return
        self._heard = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            cause = error.__context__
            if isinstance(cause, UpstreamError):
                self._fail(cause)
            else:
                self._fail(UpstreamError(f"did not answer in HTTP/1.1: {error}", where=self._pool.name))
            return
        except UpstreamError as error:
            self._fail(error)
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
        elif self._heard or not self.reused:
            self._fail(UpstreamError("closed the connection before its answer was whole", where=self._pool.name))
        else:
            waiter, self._waiter = self._waiter, None
            self._pool.stale(waiter)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < FIRST_FINAL:
            self._headers = []
            return
        names = [name for name, _ in self._headers]
        if names.count(b"content-length") > 1 or (b"content-length" in names and b"transfer-encoding" in names):
            raise UpstreamError("gave two lengths for its answer", where=self._pool.name)
        fields = dict(self._headers)
        if fields.get(b"content-encoding", b"identity") != b"identity":
            raise UpstreamError("compressed its answer though it was asked not to", where=self._pool.name)
        self._until_close = b"content-length" not in fields and b"transfer-encoding" not in fields
        self._streamed = fields.get(b"content-type", b"").lower().startswith(b"text/event-stream")
        assert self._waiter is not None
        self._waiter.on_head(Head(status, self._streamed and status == OK), self._headers)

    def on_body(self, body: bytes) -> None:
        self._data.append(body)
        self._held += len(body)
        self._total += len(body)
        if self._total > self._pool.settings.max_body_bytes:
            raise UpstreamError(f"answered over {self._pool.settings.max_body_bytes} bytes", where=self._pool.name)
        if self._streamed and self._held > HIGH_WATER and self._transport:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= FIRST_FINAL:
            self._complete = True
            # Only here: once the message is over, the parser has forgotten how it was framed.
            self._stays_open = self._parser.should_keep_alive()

    def _tell(self) -> None:
        # What came may have ended the exchange already.
        if self._waiter is not None and (self._data or self._complete):
            self.deadline = None if self._complete else self._pool.stream_deadline()
            self._waiter.on_data()

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
        """Raises: ConfigError if the address or the CA file cannot be used."""
        url = urlsplit(upstream.url)
        self.name = name
        self.settings = settings
        self._loop = loop
        self._host = url.hostname or ""
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._base = url.path.rstrip("/")
        self._ssl = _context(name, upstream) if url.scheme == "https" else None
        authorization = b"authorization: Bearer %b\r\n" % credential.encode() if credential else b""
        self._fixed = b"host: %b\r\naccept-encoding: identity\r\n%b" % (
            url.netloc.rpartition("@")[2].encode(),
            authorization,
        )
        self._idle: deque[UpstreamConnection] = deque()
        self._open: set[UpstreamConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def send(
        self, path: str, headers: bytes, body: bytes, waiter: Waiter, got: Callable[[UpstreamConnection], None]
    ) -> None:
        """POST `body`; `got` is told the connection as soon as there is one, which may be at once."""
        data = b"POST %b%b HTTP/1.1\r\n%bcontent-length: %d\r\n%b\r\n%b" % (
            self._base.encode(), path.encode(), self._fixed, len(body), headers, body,
        )  # fmt: skip
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                connection.reused = True
                self._begin(connection, data, waiter, got)
                return
        self._connect(data, waiter, got)

    def stream_deadline(self) -> float:
        """Until when the next piece of an answer has to come."""
        return self._loop.time() + self.settings.stream_timeout_s

    def keep(self, connection: UpstreamConnection) -> None:
        """Take an idle connection back."""
        if len(self._idle) < KEPT:
            self._idle.append(connection)
        else:
            connection.close()

    def forget(self, connection: UpstreamConnection) -> None:
        """A connection is gone."""
        self._open.discard(connection)

    def stale(self, waiter: Waiter) -> None:
        """A kept connection was closed by the other side before it can have seen the request: ask once more."""
        self._loop.call_soon(waiter.ask_again)

    def sweep(self, now: float) -> None:
        """End the exchanges whose deadline has passed."""
        for connection in [c for c in self._open if c.deadline is not None and c.deadline <= now]:
            connection.expire()

    def close(self) -> None:
        """Close every connection."""
        for connection in list(self._open):
            connection.close()
        for task in self._tasks:
            task.cancel()

    def _begin(
        self, connection: UpstreamConnection, data: bytes, waiter: Waiter, got: Callable[[UpstreamConnection], None]
    ) -> None:
        got(connection)
        connection.send(data, waiter, self._loop.time() + self.settings.answer_timeout_s)

    def _connect(self, data: bytes, waiter: Waiter, got: Callable[[UpstreamConnection], None]) -> None:
        async def connect() -> None:
            try:
                async with asyncio.timeout(self.settings.connect_timeout_s):
                    _, connection = await self._loop.create_connection(
                        lambda: UpstreamConnection(self),
                        self._host,
                        self._port,
                        ssl=self._ssl,
                        server_hostname=self._host if self._ssl else None,
                    )
            except (OSError, TimeoutError) as error:
                said = str(error) or "no connection in time"
                waiter.on_error(UpstreamError(f"cannot be reached: {said}", where=self.name))
                return
            self._open.add(connection)
            self._begin(connection, data, waiter, got)

        task = self._loop.create_task(connect())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _context(name: str, upstream: Upstream) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=upstream.ca_file or None)
    except OSError as error:
        raise ConfigError(
            f"cannot read the authorities: {error}", where=f"llm.upstreams.{name}.ca_file", hint="name a PEM file"
        ) from error
