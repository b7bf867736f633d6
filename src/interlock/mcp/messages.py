"""JSON-RPC 2.0 as MCP uses it: one message at a time, read strictly, so that two readers see the same.

Refused: batches, a key twice, members that JSON-RPC does not know, ids that are no text and no whole number.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from interlock.model.errors import ProtocolError
from interlock.protocols import decode, encode

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
# An id is echoed, and stands in our memory while its request is under way.
LONGEST_ID = 256
LONGEST_METHOD = 128
# SEP-986: what a tool may be called.
LONGEST_NAME = 128
_KEYS = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})

Id: TypeAlias = int | str


class Request(NamedTuple):
    """Somebody asks and waits for the answer."""

    id: Id
    method: str
    params: dict[str, Any]


class Notification(NamedTuple):
    """Somebody says something and waits for nothing."""

    method: str
    params: dict[str, Any]


class Response(NamedTuple):
    """The answer to a request: `result`, or `error` with its code and message. `id` is None if it was not readable."""

    id: Id | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None


Message: TypeAlias = Request | Notification | Response


class MessageError(ProtocolError):
    """A message that is none. `rpc_code` is what JSON-RPC says to it; `id` that of the request, if it could be read."""

    def __init__(self, rpc_code: int, what: str, *, id: Id | None = None, data: object = None) -> None:  # noqa: A002
        super().__init__(what, status=404 if rpc_code == METHOD_NOT_FOUND else 400)
        self.rpc_code = rpc_code
        self.id = id
        self.data = data


def parse(data: bytes) -> Message:
    """The message in `data`. Raises: MessageError.

    >>> parse(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    Request(id=1, method='ping', params={})
    """
    if data.lstrip()[:1] == b"[":
        raise MessageError(INVALID_REQUEST, "batches are not accepted: send one message")
    try:
        document = decode(data)
    except ProtocolError as error:
        raise MessageError(PARSE_ERROR, error.what) from error
    id_ = _id(document)
    if document.get("jsonrpc") != "2.0":
        raise MessageError(INVALID_REQUEST, 'the member jsonrpc is not "2.0"', id=id_)
    if not document.keys() <= _KEYS:
        raise MessageError(INVALID_REQUEST, "the message has members that JSON-RPC does not know", id=id_)
    if "method" in document:
        return _asked(document, id_)
    return _answered(document, id_)


def request(id_: Id, method: str, params: Mapping[str, Any]) -> bytes:
    """A request's bytes."""
    return encode({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})


def notification(method: str, params: Mapping[str, Any] | None = None) -> bytes:
    """A notification's bytes."""
    return encode({"jsonrpc": "2.0", "method": method} | ({"params": params} if params else {}))


def result(id_: Id, value: Mapping[str, Any]) -> bytes:
    """A good answer's bytes."""
    return encode({"jsonrpc": "2.0", "id": id_, "result": value})


def error(id_: Id | None, code: int, message: str, data: object = None) -> bytes:
    """A bad answer's bytes."""
    told = {"code": code, "message": message} | ({"data": data} if data is not None else {})
    return encode({"jsonrpc": "2.0", "id": id_, "error": told})


def _id(document: Mapping[str, Any]) -> Id | None:
    """The id, None if there is none. Raises: MessageError for one that is none."""
    if "id" not in document:
        return None
    value = document["id"]
    if isinstance(value, str) and len(value) <= LONGEST_ID:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    if value is None and "error" in document:
        return None
    raise MessageError(INVALID_REQUEST, f"the id is no whole number and no text of at most {LONGEST_ID} characters")


def _asked(document: Mapping[str, Any], id_: Id | None) -> Request | Notification:
    method, params = document["method"], document.get("params", {})
    if not isinstance(method, str) or len(method) > LONGEST_METHOD:
        raise MessageError(INVALID_REQUEST, "the method is no text, or too long a one", id=id_)
    if not isinstance(params, dict):
        raise MessageError(INVALID_REQUEST, "params is no object", id=id_)
    if "result" in document or "error" in document:
        raise MessageError(INVALID_REQUEST, "the message is a request and an answer at once", id=id_)
    if "id" not in document:
        return Notification(method, params)
    if id_ is None:
        raise MessageError(INVALID_REQUEST, "the id of a request is null")
    return Request(id_, method, params)


def _answered(document: Mapping[str, Any], id_: Id | None) -> Response:
    given, fault = document.get("result"), document.get("error")
    if ("result" in document) == ("error" in document) or "params" in document:
        raise MessageError(INVALID_REQUEST, "the message is neither a request nor one answer", id=id_)
    if "result" in document:
        if not isinstance(given, dict) or id_ is None:
            raise MessageError(INVALID_REQUEST, "the result is no object, or has no id", id=id_)
        return Response(id_, given, None)
    code = fault.get("code") if isinstance(fault, dict) else None
    if not isinstance(fault, dict) or not isinstance(code, int) or isinstance(code, bool):
        raise MessageError(INVALID_REQUEST, "the error is no object with a code", id=id_)
    if not isinstance(fault.get("message", ""), str):
        raise MessageError(INVALID_REQUEST, "the error's message is no text", id=id_)
    return Response(id_, None, fault)
