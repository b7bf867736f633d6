"""JSON-RPC is read strictly: what comes out is what any other reader would see, or an error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.mcp import messages
from interlock.mcp.messages import (
    INVALID_REQUEST,
    PARSE_ERROR,
    MessageError,
    Notification,
    Request,
    Response,
    parse,
)

IDS = st.one_of(st.integers(-(2**53), 2**53), st.text(max_size=40))
PARAMS = st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=8), st.integers(-9, 9), st.booleans()))


@given(IDS, st.text(max_size=30), PARAMS)
def test_a_request_comes_back_as_it_was_written(id_: int | str, method: str, params: dict[str, object]) -> None:
    assert parse(messages.request(id_, method, params)) == Request(id_, method, params)


@given(IDS, PARAMS)
def test_answers_come_back(id_: int | str, result: dict[str, object]) -> None:
    assert parse(messages.result(id_, result)) == Response(id_, result, None)
    fault = {"code": -1, "message": "no", "data": result}
    assert parse(messages.error(id_, -1, "no", result)) == Response(id_, None, fault)


def test_a_notification_has_no_id() -> None:
    assert parse(messages.notification("notifications/x", {"a": 1})) == Notification("notifications/x", {"a": 1})
    assert parse(b'{"jsonrpc":"2.0","method":"m"}') == Notification("m", {})


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', INVALID_REQUEST),
        (b"  []", INVALID_REQUEST),
        (b"", PARSE_ERROR),
        (b"{", PARSE_ERROR),
        (b"7", PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":"x","name":"y"}}', PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":' + b'{"a":' * 80 + b"1" + b"}" * 80 + b"}", PARSE_ERROR),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', INVALID_REQUEST),
        (b'{"id":1,"method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","extra":1}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","result":{}}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"result":[]}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":"x"}}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":{}}}', INVALID_REQUEST),
        (json.dumps({"jsonrpc": "2.0", "id": "x" * 300, "method": "ping"}).encode(), INVALID_REQUEST),
        (json.dumps({"jsonrpc": "2.0", "id": 1, "method": "x" * 300}).encode(), INVALID_REQUEST),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, code: int) -> None:
    with pytest.raises(MessageError) as refused:
        parse(data)
    assert refused.value.rpc_code == code
    assert refused.value.status == 400


@given(st.binary(max_size=200))
def test_garbage_gives_the_one_error(data: bytes) -> None:
    try:
        message = parse(data)
    except MessageError as error:
        assert error.what  # noqa: PT017 - either is right
    else:
        assert isinstance(message, Request | Notification | Response)
