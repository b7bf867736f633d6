"""Canonical bytes: one spelling for each record, RFC 8785's, and nothing else is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.audit.canonical import MAX_BYTES, MAX_INTEGER, decode, encode, place
from interlock.model.errors import AuditError
from interlock.model.record import Record, RecordKind, Step
from tests.audit.records import answer, records
from tests.purity import pure

SMALL = Record(RecordKind.GATEWAY, 5)
SMALL_BYTES = b'{"at_us":5,"kind":"gateway","log":"gw-1","n":3,"v":1}'


def rfc8785(value: object) -> bytes:
    """JCS for objects with ASCII names, arrays, strings and whole numbers, by an implementation of others."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_defaults_are_left_out() -> None:
    assert encode(SMALL, "gw-1", 3) == SMALL_BYTES


def test_a_full_record_comes_back() -> None:
    line = encode(answer(), "gw-1", 17)
    with pure():
        assert decode(line) == ("gw-1", 17, answer())
        assert place(line) == ("gw-1", 17)


@given(records, st.integers(0, MAX_INTEGER))
def test_every_record_comes_back_and_is_rfc_8785(record: Record, n: int) -> None:
    line = encode(record, "gw-1", n)
    assert decode(line) == ("gw-1", n, record)
    assert line == rfc8785(json.loads(line))
    assert b"\n" not in line


@given(records, st.data())
def test_no_other_byte_is_the_same_record(record: Record, data: st.DataObject) -> None:
    line = encode(record, "gw-1", 1)
    at = data.draw(st.integers(0, len(line) - 1))
    other = line[:at] + bytes([data.draw(st.integers(0, 255).filter(lambda b: b != line[at]))]) + line[at + 1 :]
    try:
        read = decode(other)
    except AuditError:
        return
    assert read != ("gw-1", 1, record)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        SMALL_BYTES + b" ",
        b" " + SMALL_BYTES,
        SMALL_BYTES[:-1],
        SMALL_BYTES + SMALL_BYTES,
        b'{"at_us":5,"kind":"gateway","log":"gw-1","n":3}',
        b'{"at_us":5,"kind":"gateway","log":"gw-1","n":3,"v":2}',
        b'{"at_us":5,"kind":"gateway","log":"gw-1","n":3,"v":1,"x":1}',
        b'{"at_us":5,"kind":"other","log":"gw-1","n":3,"v":1}',
        b'{"at_us":5.0,"kind":"gateway","log":"gw-1","n":3,"v":1}',
        b'{"at_us":5e0,"kind":"gateway","log":"gw-1","n":3,"v":1}',
        b'{"at_us":-5,"kind":"gateway","log":"gw-1","n":3,"v":1}',
        b'{"at_us":05,"kind":"gateway","log":"gw-1","n":3,"v":1}',
        b'{"at_us":"5","kind":"gateway","log":"gw-1","n":3,"v":1}',
        b'{"at_us":true,"kind":"gateway","log":"gw-1","n":3,"v":1}',
        b'{"at_us":null,"kind":"gateway","log":"gw-1","n":3,"v":1}',
        b'{"at_us":9007199254740992,"kind":"gateway","log":"gw-1","n":3,"v":1}',
        b'{"at_us":5,"at_us":5,"kind":"gateway","log":"gw-1","n":3,"v":1}',
        b'{"at_us":5,"kind":"gateway","log":"gw-1","n":3,"request":"","v":1}',
        b'{"at_us":5,"kind":"gateway","log":"gw-\\u0031","n":3,"v":1}',
        b'{"kind":"gateway","at_us":5,"log":"gw-1","n":3,"v":1}',
        b'{"at_us":5,"kind":"gateway","log":"gw-1","n":3,"steps":[{"kind":"call","size":0}],"v":1}',
        b"[" * 100_000,
    ],
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(AuditError):
        decode(line)
    with pytest.raises(AuditError):
        place(line)


@pytest.mark.parametrize(
    "record",
    [
        SMALL._replace(at_us=-1),
        SMALL._replace(tokens_in=MAX_INTEGER + 1),
        SMALL._replace(status=True),
        SMALL._replace(latency_us=1.5),  # type: ignore[arg-type]
        SMALL._replace(model="half a pair \ud800"),
        SMALL._replace(steps=(Step("call", tool="\udfff"),)),
        SMALL._replace(reason=None),  # type: ignore[arg-type]
        SMALL._replace(reason="x" * MAX_BYTES),
    ],
)
def test_what_could_not_be_read_back_is_not_written(record: Record) -> None:
    with pytest.raises(AuditError, match="record"):
        encode(record, "gw-1", 1)
