"""AWS event streams: what botocore reads and what we read is the same, however the bytes are cut."""

import itertools
import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.errors import ProtocolError
from interlock.protocols._eventstream import MAX_MESSAGE_BYTES, Message, Messages, message

NAMES = st.text(min_size=1, max_size=40).filter(lambda name: len(name.encode()) < 256)
HEADERS = st.dictionaries(NAMES, st.text(max_size=60), max_size=5)
CONTENTS = st.lists(st.tuples(HEADERS, st.binary(max_size=80)), max_size=4)


def read(data: bytes) -> list[Message]:
    messages = Messages()
    found = messages.feed(data)
    messages.end()
    return found


def theirs(data: bytes) -> list[tuple[dict[str, str], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(found.headers, found.payload) for found in buffer]


def framed(headers: bytes, payload: bytes = b"") -> bytes:
    lengths = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    data = lengths + struct.pack("!I", zlib.crc32(lengths)) + headers + payload
    return data + struct.pack("!I", zlib.crc32(data))


@given(CONTENTS)
def test_botocore_reads_what_we_write_as_we_do(contents: list[tuple[dict[str, str], bytes]]) -> None:
    data = b"".join(message(headers, payload) for headers, payload in contents)
    ours = [(found.headers, found.payload) for found in read(data)]
    assert ours == theirs(data) == contents


@given(CONTENTS, st.lists(st.integers(0, 2_000), max_size=6))
def test_any_cut_gives_the_same_messages(contents: list[tuple[dict[str, str], bytes]], cuts: list[int]) -> None:
    data = b"".join(message(headers, payload) for headers, payload in contents)
    at = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    messages = Messages()
    found = [one for a, b in itertools.pairwise(at) for one in messages.feed(data[a:b])]
    messages.end()
    assert found == read(data)
    assert b"".join(one.raw for one in found) == data


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_headers_are_read_as_botocore_reads_them_or_refused(headers: bytes, payload: bytes) -> None:
    data = framed(headers, payload)
    try:
        found = read(data)
    except ProtocolError:
        return
    assert [(one.headers, one.payload) for one in found] == theirs(data)


@given(st.integers(0, 60), st.integers(1, 255))
def test_a_changed_byte_is_seen(at: int, change: int) -> None:
    data = bytearray(message({":event-type": "chunk"}, b'{"bytes":"AAAA"}'))
    data[at % len(data)] ^= change
    with pytest.raises(ProtocolError):
        read(bytes(data))


@pytest.mark.parametrize(
    "headers",
    [
        b"\x01a\x00",  # true
        b"\x01a\x04\x00\x00\x00\x01",  # a number
        b"\x01a\x06\x00\x01b",  # bytes
        b"\x00\x07\x00\x01b",  # no name
        b"\x01a\x07\x00\x05b",  # cut short
        b"\x01a\x07\x00\x01\xff",  # not UTF-8
        b"\x01a\x07\x00\x01b" * 2,  # twice
        b"\x01a\x0a\x00\x01b",  # a type that there is not
    ],
)
def test_headers_that_are_no_texts_are_refused(headers: bytes) -> None:
    with pytest.raises(ProtocolError, match="header"):
        read(framed(headers))


def test_lengths_are_refused_before_they_are_waited_for() -> None:
    for size, headers in ((MAX_MESSAGE_BYTES + 1, 0), (15, 0), (16, 1), (200_016, 131_073)):
        lengths = struct.pack("!II", size, headers)
        with pytest.raises(ProtocolError, match="length"):
            Messages().feed(lengths + struct.pack("!I", zlib.crc32(lengths)))


def test_an_end_inside_a_message_is_refused() -> None:
    with pytest.raises(ProtocolError, match="inside"):
        read(message({}, b"x")[:-1])
