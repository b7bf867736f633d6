"""The server's side of HTTP/1.1 (RFC 9112): one connection of a client, one request at a time.

llhttp (through httptools, strict) refuses conflicting or repeated lengths, folded headers, bare line feeds, bad
chunk sizes and control characters. What it leaves to us is checked here: sizes, Host, trailers, upgrades,
encodings, and time. After anything malformed the connection is closed, so that no second reading of its
bytes can begin in the middle.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import httptools

from interlock.gateway.settings import GatewaySettings

JSON = b"application/json"
EVENTS = b"text/event-stream"
REASONS = {
    200: b"OK", 400: b"Bad Request", 401: b"Unauthorized", 403: b"Forbidden", 404: b"Not Found",
    405: b"Method Not Allowed", 408: b"Request Timeout", 411: b"Length Required", 413: b"Content Too Large",
    415: b"Unsupported Media Type", 429: b"Too Many Requests", 431: b"Request Header Fields Too Large",
    500: b"Internal Server Error", 501: b"Not Implemented", 502: b"Bad Gateway", 503: b"Service Unavailable",
    504: b"Gateway Timeout", 505: b"HTTP Version Not Supported",
}  # fmt: skip
# Requests that a client may send ahead while one is being answered; more wait in the kernel.
PIPELINED = 16


@dataclass(slots=True)
class HttpRequest:
    """A whole request. Header names are in lower case; a header that stands twice is joined with `, `."""

    method: str
    target: str
    headers: dict[bytes, bytes]
    body: bytes


class Listener(Protocol):
    """Whoever answers requests."""

    def serve(self, client: "ClientConnection", request: HttpRequest) -> None:
        """Answer a request, now or later."""
        ...

    def malformed(self, client: "ClientConnection", status: int, what: str) -> None:
        """Answer bytes that are no request; the connection is closed afterwards."""
        ...

    def connected(self, client: "ClientConnection") -> bool:
        """Whether there is room for one more connection."""
        ...

    def disconnected(self, client: "ClientConnection") -> None:
        """The connection is gone."""
        ...


class RefusedError(Exception):
    """Raised inside a parser callback: the bytes are not a request that is served here."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status
        self.what = what


class ClientConnection(asyncio.Protocol):
    """One connection. `deadline` (loop time) is looked at by the gateway's sweeper; None waits for the answer."""

    def __init__(self, listener: Listener, settings: GatewaySettings, now: Callable[[], float]) -> None:
        self._listener = listener
        self._settings = settings
        self._now = now
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[HttpRequest] = deque()
        self._busy = False
        self._closing = False
        self._headers: dict[bytes, bytes] = {}
        self._target = b""
        self._body: list[bytes] = []
        self._header_bytes = 0
        self._body_bytes = 0
        self._in_headers = True
        self._chunked_answer = False
        self.deadline: float | None = now() + settings.idle_timeout_s
        self.timed_out = "idle"
        self.writable = True
        self.on_gone: Callable[[], None] | None = None
        self.on_writable: Callable[[], None] | None = None

    # --- the transport ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._listener.connected(self):
            self._busy = True
            self.reply(
                503, b'{"error":{"message":"interlock: too many connections","type":"server_error"}}', close=True
            )

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is the protocol's
        self._transport = None
        self._listener.disconnected(self)
        if self.on_gone:
            self.on_gone()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self.on_writable:
            self.on_writable()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self._in_headers:
            self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except RefusedError as error:
            self._refuse(error.status, error.what)
        except httptools.HttpParserUpgrade:
            self._refuse(501, "protocol upgrades (WebSocket, CONNECT) are not covered here")
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, RefusedError):
                self._refuse(cause.status, cause.what)
            else:
                self._refuse(400, f"not HTTP/1.1: {error}")
        else:
            if self._in_headers and self._header_bytes > self._settings.max_header_bytes:
                self._refuse(431, "the request line and headers are too long")
            else:
                self._next()

    def eof_received(self) -> bool:
        # A client that only closed its side may still wait for its answer.
        return self._busy

    # --- what the parser says --------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._headers = {}
        self._target = b""
        self._body = []
        self._body_bytes = 0
        if not self._busy:
            self.deadline, self.timed_out = self._now() + self._settings.header_timeout_s, "header"

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_headers:
            raise RefusedError(400, "trailers are not accepted")
        name = name.lower()
        if name in self._headers:
            if name == b"host":
                raise RefusedError(400, "Host stands twice")
            value = self._headers[name] + b", " + value
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        self._in_headers = False
        headers = self._headers
        version = self._parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise RefusedError(505, f"HTTP/{version} is not spoken here")
        if version == "1.1" and b"host" not in headers:
            raise RefusedError(400, "Host is missing")
        if b"upgrade" in headers:
            raise RefusedError(501, "protocol upgrades (WebSocket) are not covered here")
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise RefusedError(415, "a compressed body is not accepted; send it as it is")
        if b"transfer-encoding" in headers and version == "1.0":
            raise RefusedError(400, "HTTP/1.0 has no transfer encodings")
        length = headers.get(b"content-length", b"0")
        if int(length) > self._settings.max_body_bytes:
            raise RefusedError(413, f"the body has over {self._settings.max_body_bytes} bytes")
        if headers.get(b"expect", b"").lower() == b"100-continue" and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._busy:
            self.deadline, self.timed_out = self._now() + self._settings.body_timeout_s, "body"

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._settings.max_body_bytes:
            raise RefusedError(413, f"the body has over {self._settings.max_body_bytes} bytes")
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._in_headers = True
        self._header_bytes = 0
        method, target = self._parser.get_method().decode("latin-1"), self._target.decode("latin-1")
        self._waiting.append(HttpRequest(method, target, self._headers, b"".join(self._body)))
        if not self._parser.should_keep_alive():
            self._closing = True
        if len(self._waiting) >= PIPELINED and self._transport:
            self._transport.pause_reading()

    # --- answers ---------------------------------------------------------------------------------------

    def reply(self, status: int, body: bytes, headers: bytes = b"", *, close: bool = False) -> None:
        """A whole JSON answer. `headers` are further header lines, each with its CRLF."""
        self._closing = self._closing or close
        self._write(
            b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b%b\r\n%b"
            % (status, REASONS.get(status, b"Answer"), JSON, len(body), headers, self._connection_header(), body)
        )
        self._done()

    def begin_stream(self, headers: bytes = b"") -> None:
        """The head of a streamed answer."""
        self._chunked_answer = True
        self._write(
            b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncache-control: no-store\r\ntransfer-encoding: chunked\r\n%b%b\r\n"
            % (EVENTS, headers, self._connection_header())
        )

    def write(self, data: bytes) -> None:
        """A piece of a streamed answer."""
        if data:
            self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self) -> None:
        """The end of a streamed answer."""
        self._chunked_answer = False
        self._write(b"0\r\n\r\n")
        self._done()

    def abort(self) -> None:
        """Close at once, so that the client sees that the answer is not whole."""
        self._closing = True
        if self._transport:
            self._transport.abort()

    def expire(self) -> None:
        """The deadline has passed: say so if a request was begun, and close."""
        self.deadline = None
        if self.timed_out == "idle" or not self._transport:
            self._closing = True
            if self._transport:
                self._transport.close()
        else:
            self._refuse(408, f"the {self.timed_out} of the request did not come in time")

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return not self._busy

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def _connection_header(self) -> bytes:
        return b"connection: close\r\n" if self._closing else b""

    def _refuse(self, status: int, what: str) -> None:
        """Answer what is no request, once the answers before it are out."""
        self._closing = True
        if self._busy:
            # An earlier request is still being answered: close after that answer.
            return
        self._busy = True
        self._listener.malformed(self, status, what)

    def _next(self) -> None:
        if self._busy or not self._waiting:
            return
        self._busy = True
        self.deadline = None
        self._listener.serve(self, self._waiting.popleft())

    def _done(self) -> None:
        self._busy = False
        self.on_gone = self.on_writable = None
        if self._closing and not self._waiting:
            if self._transport:
                self._transport.close()
            return
        self.deadline, self.timed_out = self._now() + self._settings.idle_timeout_s, "idle"
        if self._transport and not self._transport.is_reading():
            self._transport.resume_reading()
        self._next()
