"""The server's side of HTTP/1.1 (RFC 9112): one connection of a client, one request at a time.

After anything malformed the connection is closed, so that no second reading of its bytes can begin in the middle.

A client that closes its side of the connection while it is owed an answer counts as gone, as it does for nginx and
for Go's server: a model that nobody listens to is not to be paid for.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from interlock.gateway.reading import HttpRequest as HttpRequest
from interlock.gateway.reading import RefusedError, RequestReader
from interlock.gateway.settings import GatewaySettings
from interlock.gateway.ways import Origin

JSON = b"application/json"
REASONS = {
    200: b"OK", 202: b"Accepted", 400: b"Bad Request", 401: b"Unauthorized", 403: b"Forbidden", 404: b"Not Found",
    405: b"Method Not Allowed", 407: b"Proxy Authentication Required", 408: b"Request Timeout",
    411: b"Length Required", 413: b"Content Too Large", 415: b"Unsupported Media Type", 417: b"Expectation Failed",
    421: b"Misdirected Request",
    429: b"Too Many Requests", 431: b"Request Header Fields Too Large",
    500: b"Internal Server Error", 501: b"Not Implemented", 502: b"Bad Gateway", 503: b"Service Unavailable",
    504: b"Gateway Timeout", 505: b"HTTP Version Not Supported",
}  # fmt: skip
# How long what a client still sends is read and dropped after the last answer, so that it can read that answer.
LINGER_S = 2.0


class Listener(Protocol):
    """Whoever answers requests."""

    def serve(self, client: "ClientConnection", request: HttpRequest) -> None:
        """Answer a request, now or later."""
        ...

    def malformed(self, client: "ClientConnection", status: int, what: str) -> None:
        """Answer what is no request that can be served; the connection is closed afterwards."""
        ...

    def connected(self, client: "ClientConnection") -> bool:
        """A connection has come; whether there is room for it."""
        ...

    def disconnected(self, client: "ClientConnection") -> None:
        """The connection is gone."""
        ...


class ClientConnection(asyncio.Protocol):
    """One connection. `deadline` (loop time) is looked at by the gateway's sweeper; None waits for the answer.

    Rules: answers go out in the order of the requests; one request is answered at a time, and none while the client
    does not take what it was sent; reading stops while a request waits; after a refusal, or CONNECT, no byte is read
    as a request. `origin` is set inside an intercepted connection.
    """

    def __init__(
        self, listener: Listener, settings: GatewaySettings, now: Callable[[], float], origin: Origin | None = None
    ) -> None:
        self._listener = listener
        self._now = now
        self._reader = RequestReader(self, settings)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[HttpRequest] = deque()
        self._refused: tuple[int, str] | None = None
        self._busy = False
        self._closing = False
        self._answered: HttpRequest | None = None
        self._limits = {
            "idle": settings.idle_timeout_s,
            "header": settings.header_timeout_s,
            "body": settings.body_timeout_s,
        }
        self.origin = origin
        self.deadline: float | None = None
        self.timed_out = "idle"
        self.writable = True
        self.on_gone: Callable[[], None] | None = None
        self.on_writable: Callable[[], None] | None = None

    # --- the transport ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.on_phase("idle")
        if not self._listener.connected(self):
            self._refuse(503, "there are too many connections")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is the protocol's
        self._transport = self.deadline = None
        self._waiting.clear()
        self._listener.disconnected(self)
        if self.on_gone:
            self.on_gone()
        if self._reader.begun and not self._closing:
            self._refused = (400, "the connection was lost in the middle of a request")
        if self._refused:
            # Nobody reads the answer, but the log does.
            self._busy, refused, self._refused = True, self._refused, None
            self._listener.malformed(self, *refused)

    def pause_writing(self) -> None:
        self.writable = False
        if self._busy:
            self.deadline = self._now() + self._limits["idle"]

    def resume_writing(self) -> None:
        self.writable = True
        if self._busy:
            self.deadline = None
        if self.on_writable:
            self.on_writable()
        self._next()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        try:
            rest = self._reader.feed(data)
        except RefusedError as error:
            self._refuse(error.status, error.what)
            return
        if rest is None:
            self._next()
        else:
            self._end_of_requests(rest)

    def eof_received(self) -> None:
        if self._reader.begun and not self._closing:
            self._refuse(400, "the request ended before it was complete")

    # --- what the reader says --------------------------------------------------------------------------

    def on_phase(self, phase: str) -> None:
        """What the client has to do next has its time limit; it begins when nothing is being answered."""
        self.timed_out = phase
        self.deadline = None if self._busy else self._now() + self._limits[phase]

    def on_expect(self) -> None:
        # While another answer is being written nothing may come between its bytes; the client sends without it.
        if not self._busy and not self._waiting:
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_request(self, request: HttpRequest, *, last: bool) -> None:
        self._waiting.append(request)
        self.on_phase("idle")
        self._closing = self._closing or last
        if (self._busy or len(self._waiting) > 1) and self._transport:
            self._transport.pause_reading()

    def _end_of_requests(self, rest: int) -> None:
        """After CONNECT: what comes next is not ours to read, and may not come before CONNECT was answered."""
        self._closing = True
        if self._transport:
            self._transport.pause_reading()
        if rest:
            self._waiting.pop()
            self._refuse(400, "more came with CONNECT, before it was answered")
        else:
            self._next()

    # --- answers ---------------------------------------------------------------------------------------

    def reply(
        self, status: int, body: bytes, headers: bytes = b"", *, close: bool = False, phrase: bytes = b""
    ) -> None:
        """A whole JSON answer. `headers` are further header lines, each with its CRLF.

        `phrase` stands beside the status: of an answer to CONNECT, clients show nothing else.
        """
        if close:
            self._closing, self._refused = True, None
            self._waiting.clear()
        head = b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b%b\r\n" % (
            status, phrase or REASONS.get(status, b"Answer"), JSON, len(body), headers, self._connection_header()
        )  # fmt: skip
        bodiless = self._answered is not None and self._answered.method == "HEAD"
        self._write(head if bodiless else head + body)
        self._done()

    def hand_over(self, said: bytes) -> asyncio.Transport | None:
        """Say the last thing as HTTP, and give the bare transport, not reading; None if the client is gone.

        This object still stands for it, is counted and can be aborted; who took it calls `connection_lost` in the end.
        """
        self._closing, self.on_gone = True, None
        self._waiting.clear()
        if not self._transport or self._transport.is_closing():
            return None
        self._transport.pause_reading()
        self._write(said)
        return self._transport

    def begin_stream(self, media_type: bytes, headers: bytes = b"") -> None:
        """The head of a streamed answer."""
        encoding = b"" if self._is_old else b"transfer-encoding: chunked\r\n"
        self._write(
            b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncache-control: no-store\r\n%b%b%b\r\n"
            % (media_type, encoding, headers, self._connection_header())
        )

    def write(self, data: bytes) -> None:
        """A piece of a streamed answer."""
        if data:
            self._write(data if self._is_old else b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self) -> None:
        """The end of a streamed answer."""
        if not self._is_old:
            self._write(b"0\r\n\r\n")
        self._done()

    def abort(self) -> None:
        """Close at once, so that the client sees that the answer is not whole."""
        self._closing = True
        if self._transport:
            self._transport.abort()

    def finish(self) -> None:
        """Take no further request: close now if none is being answered, else after that answer."""
        self._closing = True
        self._waiting.clear()
        if self._busy or not self._transport:
            return
        if self._transport.get_write_buffer_size():
            self._close()
        else:
            self.abort()

    def expire(self) -> None:
        """The deadline has passed: say so if a request was begun, and close."""
        self.deadline = None
        if self._busy or self._closing or self.timed_out == "idle" or not self.writable:
            self.abort()
        else:
            self._refuse(408, f"the {self.timed_out} of the request did not come in time")

    @property
    def _is_old(self) -> bool:
        """Whether the request came in HTTP/1.0, which knows no chunks: its answer ends with the connection."""
        return self._answered is not None and self._answered.version == "1.0"

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def _connection_header(self) -> bytes:
        last = self._closing and not self._waiting and not self._refused
        return b"connection: close\r\n" if last else b""

    def _refuse(self, status: int, what: str) -> None:
        """Answer what is no request, once the answers before it are out; then close."""
        self._closing = True
        self._refused = (status, what)
        self._next()

    def _next(self) -> None:
        """Begin the next answer that is owed, if there is one and the client takes what it was sent."""
        if self._busy or not self.writable or not self._transport:
            return
        if self._waiting:
            self._busy, self.deadline = True, None
            self._answered = self._waiting.popleft()
            self._listener.serve(self, self._answered)
        elif self._refused:
            self._busy, self.deadline, self._answered = True, None, None
            (status, what), self._refused = self._refused, None
            self._listener.malformed(self, status, what)

    def _done(self) -> None:
        self._busy = False
        self.on_gone = self.on_writable = None
        if not self._transport:
            return
        self.on_phase(self.timed_out)
        if self._waiting or self._refused:
            # Not from here: hundreds of small requests may have been sent ahead.
            asyncio.get_running_loop().call_soon(self._next)
        elif self._closing:
            self._close()
        elif not self._transport.is_reading() and not self._transport.is_closing():
            self._transport.resume_reading()

    def _close(self) -> None:
        """End our side, and for a moment take what still comes (RFC 9112, section 9.6: else a reset may overtake)."""
        self.timed_out, self.deadline = "idle", self._now() + LINGER_S
        if self._transport and not self._transport.is_closing():
            if not self._transport.can_write_eof():  # over TLS there is no such half
                self._transport.close()
                return
            self._transport.write_eof()
            if not self._transport.is_reading():
                self._transport.resume_reading()
