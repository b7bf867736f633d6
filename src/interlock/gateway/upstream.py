"""The client's side of HTTP/1.1 (RFC 9112): one connection to a model's server, one exchange at a time."""

import asyncio
import io
import select
from typing import TYPE_CHECKING, cast

import httptools

from interlock.gateway.encodings import IDENTITY, Decoder
from interlock.gateway.waiting import Waiter
from interlock.guard import Head
from interlock.model.errors import ProtocolError, UpstreamError

if TYPE_CHECKING:
    from interlock.gateway.pool import Pool

OK = 200
SWITCHING = 101
FIRST_FINAL = 200
# Bytes of an answer that wait to be read before the connection is told to stop sending.
HIGH_WATER = 262_144


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
    _decoder: Decoder | None
    _head_bytes: int  # and those of a chunk's head, and of trailers
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
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._reusable = False
            # What follows a whole answer is nobody's: it is dropped, and the connection with it.
            if not self._complete:
                self._fail(self._fault(error))
                return
        if self._head_bytes > self._pool.settings.max_header_bytes and not self._complete:
            self._fail(UpstreamError("sent too long a head", where=self._pool.name))
            return
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._pool.forget(self)
        if self._waiter is None or self._complete:
            return
        if not self._until_close or exc is not None:
            self._fail(UpstreamError("closed the connection before its answer was whole", where=self._pool.name))
            return
        try:
            self._end_body()
        except ProtocolError as error:
            self._fail(self._undecoded(error))
        else:
            self._complete = True
            self._waiter.on_data()

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
        encoding = fields.get(b"content-encoding", IDENTITY)
        if encoding.lower() != IDENTITY:  # though it was asked not to
            self._decoder = Decoder(encoding, self._pool.settings.max_body_bytes)
        self._until_close = b"content-length" not in fields and b"transfer-encoding" not in fields
        events = fields.get(b"content-type", b"").lower().startswith(self._stream_type)
        self._begun = True
        self._head = Head(status, events and status == OK)
        self._streamed = self._head.streamed

    def on_chunk_header(self) -> None:
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        if not self._begun:
            raise UpstreamError("sent a body where none can be", where=self._pool.name)
        self._head_bytes = 0
        for piece in self._decoder.feed(body) if self._decoder else (body,):
            self._data.write(piece)
            self._total += len(piece)
            if self._total > self._pool.settings.max_body_bytes:
                raise UpstreamError(f"answered over {self._pool.settings.max_body_bytes} bytes", where=self._pool.name)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= FIRST_FINAL:
            self._end_body()
            self._complete = True
            # Asked here, while the parser still knows: a moment later it has forgotten this answer.
            self._reusable = self._parser.should_keep_alive()

    def _clear(self) -> None:
        """Know nothing of an answer."""
        self._headers = []
        self._head = None
        self._decoder = None
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
        cause = error.__context__
        if isinstance(cause, UpstreamError):
            return cause
        if isinstance(cause, ProtocolError):
            return self._undecoded(cause)
        return UpstreamError(f"did not answer in HTTP/1.1: {error}", where=self._pool.name)

    def _undecoded(self, error: ProtocolError) -> UpstreamError:
        return UpstreamError(f"sent what cannot be decoded: {error.brief}", where=self._pool.name)

    def _end_body(self) -> None:
        """Raises: ProtocolError if what was compressed is not whole."""
        if self._decoder:
            self._decoder.end()

    def _fail(self, error: UpstreamError) -> None:
        waiter, self._waiter = self._waiter, None
        self.close()
        if waiter is not None:
            waiter.on_error(error)
