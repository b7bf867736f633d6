"""AWS event streams (`application/vnd.amazon.eventstream`), cut out of a byte stream and written. Sans-IO, bounded.

Source: the AWS event stream encoding of Smithy (smithy.io/2.0/aws/amazon-eventstream.html). A message is its own
length, the length of its headers and the CRC-32 of these two; then the headers, the payload, and the CRC-32 of all.
"""

import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from interlock.model.errors import ProtocolError

# As of an event in any other stream; the format itself allows 24 MiB.
MAX_MESSAGE_BYTES = 4_194_304
# By the format.
MAX_HEADERS_BYTES = 131_072
_PRELUDE = struct.Struct("!III")
_CRC = struct.Struct("!I")
_LENGTH = struct.Struct("!H")
# Of a stream all messages but a few have the same headers, which are short: these are read once.
_SHORT_BYTES = 256
# Of the ten types of a header's value only this one is in use where models speak.
_TEXT = 7


class Message(NamedTuple):
    """One message: its bytes, its headers, and what it carries."""

    raw: bytes
    headers: Mapping[str, str]
    payload: bytes


class Messages:
    """Cuts bytes into whole messages.

    Rules: both checksums hold; no header stands twice; a header is a text. A length that no message may have is
    refused as soon as it is read.
    """

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. Raises: ProtocolError."""
        self._held += data
        out = []
        start = 0
        while (size := self._size(start)) and len(self._held) - start >= size:
            out.append(_parse(bytes(self._held[start : start + size])))
            start += size
        del self._held[:start]
        return out

    def end(self) -> None:
        """Raises: ProtocolError if the stream ended inside a message."""
        if self._held:
            raise ProtocolError("the stream ended inside a message", status=502)

    def _size(self, start: int) -> int:
        """How long the message is that begins at `start`; 0 if that has not come yet."""
        if len(self._held) - start < _PRELUDE.size:
            return 0
        size, headers, crc = _PRELUDE.unpack_from(self._held, start)
        if zlib.crc32(self._held[start : start + _PRELUDE.size - _CRC.size]) != crc:
            raise ProtocolError("the checksum of a message's lengths does not fit", status=502)
        if size > MAX_MESSAGE_BYTES or headers > min(MAX_HEADERS_BYTES, size - _PRELUDE.size - _CRC.size):
            raise ProtocolError("a message of the stream has a length that none may have", status=502)
        return int(size)


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A message's bytes; the values of its headers have at most 32767 bytes, as the format says."""
    fields = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    lengths = struct.pack("!II", _PRELUDE.size + len(fields) + len(payload) + _CRC.size, len(fields))
    data = lengths + _CRC.pack(zlib.crc32(lengths)) + fields + payload
    return data + _CRC.pack(zlib.crc32(data))


def _header(name: bytes, value: bytes) -> bytes:
    return b"%c%b%c%b%b" % (len(name), name, _TEXT, _LENGTH.pack(len(value)), value)


def _parse(raw: bytes) -> Message:
    if zlib.crc32(raw[: -_CRC.size]) != _CRC.unpack_from(raw, len(raw) - _CRC.size)[0]:
        raise ProtocolError("the checksum of a message does not fit", status=502)
    end = _PRELUDE.size + _CRC.unpack_from(raw, _CRC.size)[0]
    fields = raw[_PRELUDE.size : end]
    headers = _known_headers(fields) if len(fields) <= _SHORT_BYTES else _headers(fields)
    return Message(raw, headers, raw[end : -_CRC.size])


def _headers(data: bytes) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            name, at = _piece(data, at + 1, data[at])
            kind, size = data[at], _LENGTH.unpack_from(data, at + 1)[0]
            value, at = _piece(data, at + 1 + _LENGTH.size, size)
            if kind != _TEXT or not name or name in headers:
                raise ProtocolError("a header of a message is no text, or stands twice", status=502)
            headers[name] = value
    except (IndexError, struct.error, UnicodeDecodeError):
        raise ProtocolError("a message's headers cannot be read", status=502) from None
    return MappingProxyType(headers)


_known_headers = lru_cache(maxsize=64)(_headers)


def _piece(data: bytes, start: int, size: int) -> tuple[str, int]:
    """The text of `size` bytes at `start`, and where it ends."""
    if start + size > len(data):
        raise IndexError
    return data[start : start + size].decode(), start + size
