"""Reads requests off a client's connection (RFC 9112), without I/O: bytes in, whole requests or a refusal out.

llhttp (through httptools, strict) refuses conflicting or repeated lengths, folded headers, bare line feeds, bad
chunk sizes and control characters. What it leaves to us is checked here: sizes, counts, Host, trailers, upgrades,
expectations and encodings.
"""

import io
import re
from dataclasses import dataclass
from typing import Protocol

import httptools

from interlock.gateway.encodings import IDENTITY, Decoder
from interlock.gateway.settings import GatewaySettings
from interlock.model.errors import ProtocolError

# Header lines of one request. An SDK sends about twenty; nginx and Apache take a hundred or so.
MAX_HEADERS = 256
# The first byte of a TLS handshake (RFC 8446, section 5.1).
TLS = b"\x16"
# A host and a port, or nothing (RFC 9110, section 7.2).
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:\[\]%-]*")


@dataclass(slots=True)
class HttpRequest:
    """A whole request. Header names are in lower case; a header that stands twice is joined with `, `.

    `body` is decoded, and its Content-Encoding is not among the headers.
    """

    method: str
    target: str
    headers: dict[bytes, bytes]
    body: bytes
    version: str = "1.1"


class RefusedError(Exception):
    """The bytes are not a request that is served here. `status` is the answer they deserve."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status
        self.what = what


class Taker(Protocol):
    """Whoever takes requests. It may not raise."""

    def on_phase(self, phase: str) -> None:
        """What the client has to send next: the rest of a `header` or a `body`; `idle`: nothing, or a request."""
        ...

    def on_expect(self) -> None:
        """The client waits to be told that it may send the body."""
        ...

    def on_request(self, request: HttpRequest, *, last: bool) -> None:
        """A whole request; `last`, that it said that no other follows."""
        ...


class RequestReader:
    """Reads the requests of one connection.

    Rules: of a request no more is held than the settings allow; what does not bring it further (an endless head of a
    chunk) is bounded as well. After a refusal, or CONNECT, it may not be fed again.
    """

    def __init__(self, taker: Taker, settings: GatewaySettings) -> None:
        self._taker = taker
        self._settings = settings
        self._parser = httptools.HttpRequestParser(self)
        self.begun = False
        self._in_headers = True
        self._headers: dict[bytes, bytes] = {}
        self._header_count = self._header_bytes = 0
        # Bytes since the last progress that was made, whole reads.
        self.fed = 0
        self._target = b""
        self._body = io.BytesIO()
        self._decoder: Decoder | None = None

    def feed(self, data: bytes) -> int | None:
        """Read on. How many bytes came behind CONNECT, None if that was not it.

        Raises: RefusedError.
        """
        self.fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return len(data) - int(upgrade.args[0])
        except httptools.HttpParserError as error:
            raise _refusal(error, data) from None
        if self.fed > self._settings.max_header_bytes:
            if self._in_headers:
                raise RefusedError(431, "the request line and headers are too long")
            raise RefusedError(400, "the head of a chunk is too long")
        return None

    # --- what the parser says --------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.begun = True
        self._headers = {}
        self._header_count = self._header_bytes = 0
        self._target = b""
        self._body = io.BytesIO()
        self._taker.on_phase("header")

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_headers:
            raise RefusedError(400, "trailers are not accepted")
        self._header_count += 1
        self._count(len(name) + len(value) + len(": \r\n"))
        name, value = name.lower(), value.rstrip(b" \t")
        if name in self._headers:
            if name == b"host":
                raise RefusedError(400, "Host stands twice")
            value = self._headers[name] + b", " + value
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        self._in_headers = False
        headers = self._headers
        self._check_head(headers, self._parser.get_http_version())
        if int(headers.get(b"content-length", b"0")) > self._settings.max_body_bytes:
            raise self._too_large()
        # From here on the body is what was decoded, and nobody is told of the encoding any more.
        encoding = headers.pop(b"content-encoding", IDENTITY)
        self._decoder = Decoder(encoding, self._settings.max_body_bytes) if encoding.lower() != IDENTITY else None
        if b"expect" in headers:
            self._taker.on_expect()
        self._taker.on_phase("body")

    def _check_head(self, headers: dict[bytes, bytes], version: str) -> None:
        if version not in ("1.0", "1.1"):
            raise RefusedError(505, f"HTTP/{version} is not spoken here")
        if version == "1.1" and b"host" not in headers:
            raise RefusedError(400, "Host is missing")
        if not _HOST.fullmatch(headers.get(b"host", b"")):
            raise RefusedError(400, "Host is no host")
        if self._parser.get_method() == b"CONNECT" and headers.keys() & {b"transfer-encoding", b"content-length"}:
            raise RefusedError(400, "CONNECT has no body")
        if b"upgrade" in headers:
            raise RefusedError(501, "protocol upgrades (WebSocket, h2c) are not covered here")
        if headers.get(b"expect", b"100-continue").lower() != b"100-continue":
            raise RefusedError(417, "nothing but 100-continue can be expected")
        if b"transfer-encoding" in headers:
            if version == "1.0":
                raise RefusedError(400, "HTTP/1.0 has no transfer encodings")
            if headers[b"transfer-encoding"].lower() != b"chunked":
                raise RefusedError(501, "no transfer encoding but chunked is accepted")

    def on_chunk_header(self) -> None:
        self.fed = 0

    def on_body(self, body: bytes) -> None:
        self.fed = 0
        for piece in self._decoder.feed(body) if self._decoder else (body,):
            if self._body.tell() + len(piece) > self._settings.max_body_bytes:
                raise self._too_large()
            self._body.write(piece)

    def on_message_complete(self) -> None:
        if self._decoder:
            self._decoder.end()
        self.begun, self._in_headers, self.fed = False, True, 0
        method, target = self._parser.get_method().decode("latin-1"), self._target.decode("latin-1")
        version = self._parser.get_http_version()
        request = HttpRequest(method, target, self._headers, self._body.getvalue(), version)
        self._taker.on_request(request, last=not self._parser.should_keep_alive() or version == "1.0")

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._settings.max_header_bytes or self._header_count > MAX_HEADERS:
            raise RefusedError(431, "the request line and headers are too long, or too many")

    def _too_large(self) -> RefusedError:
        return RefusedError(413, f"the body has over {self._settings.max_body_bytes} bytes")


def _refusal(error: httptools.HttpParserError, data: bytes) -> Exception:
    """Why the parser stopped."""
    match error.__context__:
        case RefusedError() as cause:
            return cause
        case ProtocolError() as cause:
            return RefusedError(cause.status, cause.what)
        case Exception() as cause:  # a fault of ours, which is not to be told as one of the client's
            return cause
    if data.startswith(TLS):
        return RefusedError(400, "this port speaks plain HTTP, not TLS")
    return RefusedError(400, f"not HTTP/1.1: {error}")
