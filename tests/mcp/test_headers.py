"""Headers say what the body says, or the request is refused."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.mcp.eras import (
    CAPABILITIES_META,
    MODERN,
    VERSION_META,
    Era,
    check_envelope,
    era_of,
    sent_headers,
    sent_params,
    told_result,
)
from interlock.mcp.headers import check_params, decoded, encoded, param_headers
from interlock.mcp.messages import HEADER_MISMATCH, INVALID_PARAMS, UNSUPPORTED_VERSION, MessageError, Request

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "inner": {"type": "object", "properties": {"deep": {"type": "boolean", "x-mcp-header": "Deep"}}},
        "free": {"type": "string"},
        "ratio": {"type": "number", "x-mcp-header": "Ratio"},
    },
}

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def modern(method: str = "tools/call", version: str = MODERN, **params: object) -> Request:
    return Request(1, method, {**params, "_meta": {VERSION_META: version, CAPABILITIES_META: {}}})


def headers(**given: str) -> dict[bytes, bytes]:
    return {name.replace("_", "-").encode(): value.encode() for name, value in given.items()}


GOOD = headers(mcp_protocol_version=MODERN, mcp_method="tools/call", mcp_name="pay")


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_any_text_goes_through_a_header(text: str) -> None:
    value = encoded(text)
    assert decoded(value) == text
    assert b"\r" not in value
    assert b"\n" not in value


@pytest.mark.parametrize("value", [b"=?base64?!!?=", b"=?base64?YQ?=", b"=?base64?/w==?=", "ü".encode(), b"a\x01"])
def test_a_broken_value_is_none(value: bytes) -> None:
    assert decoded(value) is None


def test_a_request_whose_headers_agree_passes() -> None:
    check_envelope(modern(name="pay"), GOOD)
    wrapped = {**GOOD, b"mcp-name": encoded("zahlé")}
    check_envelope(modern(name="zahlé"), wrapped)
    assert era_of(modern(name="pay"), {}) is Era.MODERN


@pytest.mark.parametrize(
    ("request_", "changed", "code"),
    [
        (modern(name="delete"), {}, HEADER_MISMATCH),
        (modern("tools/list"), {}, HEADER_MISMATCH),
        (modern(name="pay"), {b"mcp-method": b"tools/list"}, HEADER_MISMATCH),
        (modern(name="pay"), {b"mcp-protocol-version": b"2025-11-25"}, HEADER_MISMATCH),
        (modern(name="pay"), {b"mcp-name": b"pay, delete"}, HEADER_MISMATCH),
        (modern(name="pay", version="2099-01-01"), {b"mcp-protocol-version": b"2099-01-01"}, UNSUPPORTED_VERSION),
        (Request(1, "tools/call", {"name": "pay"}), {}, INVALID_PARAMS),
        (Request(1, "tools/call", {"name": "pay", "_meta": {VERSION_META: MODERN}}), {}, INVALID_PARAMS),
        (Request(1, "tools/call", {"_meta": {VERSION_META: 7, CAPABILITIES_META: {}}}), {}, HEADER_MISMATCH),
    ],
)
def test_headers_that_say_something_else_are_refused(request_: Request, changed: dict[bytes, bytes], code: int) -> None:
    with pytest.raises(MessageError) as refused:
        check_envelope(request_, {**GOOD, **changed})
    assert refused.value.rpc_code == code
    assert refused.value.id == 1


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=20), st.integers(-(2**60), 2**60), st.booleans())
def test_marked_arguments_are_repeated_and_accepted(region: str, count: int, deep: bool) -> None:
    arguments = {"region": region, "count": count, "inner": {"deep": deep}, "free": "x", "ratio": 0.5}
    lines = dict(param_headers(SCHEMA, arguments))
    assert set(lines) == {b"mcp-param-region", b"mcp-param-count", b"mcp-param-deep"}
    check_params(1, SCHEMA, arguments, lines)


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ({"region": "eu"}, {}),
        ({"region": "eu"}, {b"mcp-param-region": b"us"}),
        ({}, {b"mcp-param-region": b"eu"}),
        ({"region": ["eu"]}, {b"mcp-param-region": b"eu"}),
        ({"count": 3}, {b"mcp-param-count": b"4"}),
        ({"inner": {"deep": True}}, {b"mcp-param-deep": b"True"}),
        ({"region": "eu"}, {b"mcp-param-region": b"eu, eu"}),
    ],
)
def test_arguments_that_a_header_says_otherwise_are_refused(
    arguments: dict[str, Any], given: dict[bytes, bytes]
) -> None:
    with pytest.raises(MessageError) as refused:
        check_params(9, SCHEMA, arguments, given)
    assert (refused.value.rpc_code, refused.value.id) == (HEADER_MISMATCH, 9)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    check_params(1, SCHEMA, {"count": 42}, {b"mcp-param-count": b"42.0"})


def test_a_client_of_the_older_era_is_known_by_its_words() -> None:
    assert era_of(Request(1, "initialize", {}), headers(mcp_protocol_version=MODERN)) is Era.LEGACY
    assert era_of(Request(1, "tools/list", {}), headers(mcp_protocol_version="2025-06-18")) is Era.LEGACY
    assert era_of(Request(1, "tools/list", {}), {}) is Era.LEGACY
    assert era_of(Request(1, "tools/list", {}), headers(mcp_protocol_version="2027-01-01")) is Era.MODERN


def test_what_goes_to_a_server_is_ours_but_for_progress_and_trace() -> None:
    meta = {"progressToken": 7, "traceparent": TRACE, "baggage": "user=a", VERSION_META: "x", "com.example/y": 1}
    sent = sent_params({"name": "pay", "_meta": meta}, Era.MODERN, {"name": "interlock"}, {})
    assert (sent["_meta"]["progressToken"], sent["_meta"]["traceparent"]) == (7, TRACE)
    assert sent["_meta"][VERSION_META] == MODERN
    assert sent["_meta"][CAPABILITIES_META] == {}
    assert "baggage" not in sent["_meta"]
    assert "com.example/y" not in sent["_meta"]
    assert sent_params({"a": 1, "_meta": {"baggage": "x"}}, Era.LEGACY, {}, {}) == {"a": 1}
    lines = dict(sent_headers(Era.MODERN, "tools/call", {"name": "é"}, MODERN, "s"))
    assert lines[b"mcp-name"] == encoded("é")
    assert b"mcp-session-id" not in lines


def test_a_result_is_told_in_the_era_of_the_client() -> None:
    result = {"tools": [], "resultType": "complete", "ttlMs": 9_999_999, "cacheScope": "public"}
    assert told_result(result, "tools/list", Era.LEGACY) == {"tools": []}
    told = told_result(result, "tools/list", Era.MODERN, ttl_ms=60)
    assert told == {"tools": [], "resultType": "complete", "ttlMs": 60, "cacheScope": "private"}
