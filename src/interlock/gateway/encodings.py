"""Content encodings (RFC 9110, section 8.4.1): what a peer compressed, piece by piece, and never more than is allowed.

Only what was decoded is read, judged and sent on. One encoding is undone, not two on each other, and one member of it:
what follows its end is refused, and so is what ends before it. Brotli and Zstandard come with the extra `encodings`.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from interlock.model.errors import ProtocolError

IDENTITY = b"identity"
# So much is decoded at a time: zlib and Brotli are told to stop there.
PIECE = 65_536
# Decoded bytes for each received one. Apache's mod_deflate refuses over 200 as well; text is below 30.
MAX_RATIO = 200
# Up to here no ratio is looked at: a short text that repeats itself harms nobody.
FREE = 1_048_576
# RFC 9659: no window of Zstandard over 8 MB as a content encoding.
ZSTD_WINDOW = 8_388_608
# A block of Zstandard gives up to 128 KB for four bytes, and its library does not stop in between: at most 8 MB.
ZSTD_SLICE = 256

_NOT_INSTALLED = "needs the extra `encodings`, which is not installed here; send it in gzip, or as it is"


class _Form(Protocol):
    """One encoding: `feed` gives what some bytes hold, or raises `fault`; it `ended`, and `rest` came after that."""

    fault: type[Exception]

    def feed(self, data: bytes) -> Iterator[bytes]: ...

    @property
    def ended(self) -> bool: ...

    @property
    def rest(self) -> bytes: ...


class Decoder:
    """Undoes one encoding, incrementally: what a peer has flushed comes out at once.

    Not more than `limit` bytes come out of it, and `feed` gives them in bounded pieces.
    """

    def __init__(self, encoding: bytes, limit: int) -> None:
        """Raises: ProtocolError (415) if the encoding is not known, is more than one, or is not installed."""
        name = encoding.strip().lower().decode("latin-1")
        make = FORMS.get(name)
        if make is None:
            raise ProtocolError(f"the content encoding {name[:40]!r} is none of {', '.join(COVERED)}", status=415)
        try:
            self._form = make()
        except ImportError:
            raise ProtocolError(f"the content encoding {name!r} {_NOT_INSTALLED}", status=415) from None
        self._name = name
        self._limit = limit
        self._in = self._out = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` holds. Raises: ProtocolError (400 if it is wrong, 413 if it is too much)."""
        if self._form.ended and data:
            raise self._wrong("something follows its end")
        self._in += len(data)
        try:
            for piece in self._form.feed(data):
                self._out += len(piece)
                if self._out > self._limit:
                    raise ProtocolError(f"the body has over {self._limit} bytes when decoded", status=413)
                if self._out > FREE and self._out > MAX_RATIO * self._in:
                    raise ProtocolError(f"the body is over {MAX_RATIO} times as long when decoded", status=413)
                yield piece
        except self._form.fault as error:
            raise self._wrong(str(error)) from None
        if self._form.rest:
            raise self._wrong("something follows its end")

    def end(self) -> None:
        """The body is over. Raises: ProtocolError if it was begun and is not whole."""
        if self._in and not self._form.ended:
            raise self._wrong("it ends too early")

    def _wrong(self, why: str) -> ProtocolError:
        return ProtocolError(f"the body is not in the content encoding {self._name!r}: {why}")


class _Zlib:
    """gzip (RFC 1952) or, as HTTP's `deflate`, zlib's format (RFC 1950)."""

    def __init__(self, window: int) -> None:
        self.fault: type[Exception] = zlib.error
        self._object = zlib.decompressobj(window)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while piece := self._object.decompress(data, PIECE):
            yield piece
            data = self._object.unconsumed_tail

    @property
    def ended(self) -> bool:
        return self._object.eof

    @property
    def rest(self) -> bytes:
        return self._object.unused_data


class _Brotli:
    """RFC 7932. What follows its end is an error of the library's own."""

    rest = b""

    def __init__(self) -> None:
        import brotli

        self.fault: type[Exception] = brotli.error
        self._object = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        while piece := self._object.process(data, output_buffer_limit=PIECE):
            yield piece
            data = b""

    @property
    def ended(self) -> bool:
        return bool(self._object.is_finished())


class _Zstandard:
    """RFC 8878."""

    def __init__(self) -> None:
        import zstandard

        self.fault: type[Exception] = zstandard.ZstdError
        self._object = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()
        self._fed = False
        self._left = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        # The first byte alone: a frame that comes whole would be read in another way, which refuses other things.
        first = 0 if self._fed else 1
        self._fed = self._fed or bool(data)
        for start, end in [(0, first), *((at, at + ZSTD_SLICE) for at in range(first, len(data), ZSTD_SLICE))]:
            if self.ended:
                self._left = data[start:]
                return
            if piece := self._object.decompress(data[start:end]):
                yield piece

    @property
    def ended(self) -> bool:
        return self._object.eof

    @property
    def rest(self) -> bytes:
        return self._object.unused_data or self._left


FORMS: dict[str, Callable[[], _Form]] = {
    "gzip": lambda: _Zlib(zlib.MAX_WBITS | 16),
    "x-gzip": lambda: _Zlib(zlib.MAX_WBITS | 16),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "br": _Brotli,
    "zstd": _Zstandard,
}
COVERED = ("gzip", "deflate", "br", "zstd")
