"""Requests and answers with texts replaced, answers without what was refused, and errors in the protocol's shape.

A refused call's block becomes a text that says so: the places of the other blocks stay as they were.
"""

from collections.abc import Mapping
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.model.event import Path
from interlock.protocols import Answer, AnswerEdit, Document, Frame, FrameEdit, Request, decode, encode
from interlock.protocols._json import replace, where

_ERRORS = {
    401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip


def edit_request(request: Request, changed: Mapping[Path, str]) -> bytes:
    """The request's bytes with texts, and arguments of calls, replaced."""
    document = decode(request.raw)
    for path, text in changed.items():
        _put(document, path, text)
    return encode(document)


def _put(document: Document, path: Path, text: str) -> None:
    held: Any = document
    for part in path:
        held = held[part]
    if isinstance(held, str):
        replace(document, path, text)
    elif isinstance(held, dict) and held.get("type") == "tool_use":
        held["input"] = decode(text.encode())
    else:
        raise ProtocolError("a text that is a key cannot be replaced", where=where(path), hint="leave it out")


def edit_answer(answer: Answer, edit: AnswerEdit) -> bytes:
    """The answer's bytes with texts replaced, and without the refused calls."""
    document = decode(answer.raw)
    for path, text in {**edit.texts, **edit.arguments}.items():
        _put(document, path, text)
    for path, told in edit.refused.items():
        replace(document, path, {"type": "text", "text": told})
    called = any(block.get("type") == "tool_use" for block in document.get("content", ()))
    if edit.refused and not called and document.get("stop_reason") == "tool_use":
        document["stop_reason"] = "end_turn"
    return encode(document)


def edit_frame(frame: Frame, edit: FrameEdit) -> bytes:
    """The event's bytes with texts replaced, and without the refused calls; empty if nothing is left of it."""
    if frame.document is None:
        return frame.raw
    document = decode(encode(frame.document))
    key = (0, document.get("index", -1))
    if key in edit.calls and edit.calls[key] is None:
        return _refused(document, edit.told.get(key, ""))
    for (name, _), text in edit.texts.items():
        held, place = _holder(document, name)
        held[place] = text
    if document["type"] == "message_delta" and 0 in edit.emptied and document["delta"].get("stop_reason") == "tool_use":
        document["delta"]["stop_reason"] = "end_turn"
    return _with_arguments(document, edit.arguments.get(key))


def _refused(document: Document, told: str) -> bytes:
    """What is left of an event of a refused call: a text block begins in its place, says so, and stops."""
    match document["type"]:
        case "content_block_start":
            started = _event(document | {"content_block": {"type": "text", "text": ""}})
            delta = {"type": "text_delta", "text": told}
            return started + _event(_piece(document, delta)) if told else started
        case "content_block_delta":
            return b""
        case _:
            return _event(document)


def _with_arguments(document: Document, arguments: str | None) -> bytes:
    """The event with another piece of arguments; they stand in a piece of their own if it is the begin or the end."""
    if arguments is None:
        return _event(document)
    if document["type"] == "content_block_delta":
        document["delta"]["partial_json"] = arguments
        return _event(document)
    piece = _event(_piece(document, {"type": "input_json_delta", "partial_json": arguments})) if arguments else b""
    if document["type"] == "content_block_stop":
        return piece + _event(document)
    document["content_block"]["input"] = {}
    return _event(document) + piece


def _piece(document: Document, delta: Document) -> Document:
    return {"type": "content_block_delta", "index": document["index"], "delta": delta}


def _holder(document: Document, name: str) -> tuple[Document, str]:
    """Where the text of a stream stands in an event: the object, and the key in it."""
    kind, *at = name.split(":")
    if kind.startswith("error."):
        return document["error"], kind.removeprefix("error.")
    if kind == "explanation":
        return document["delta"]["stop_details"], kind
    if kind == "citation":
        return document["delta"]["citation"], at[-1]
    place = {"compaction": "content", "input": "partial_json"}.get(kind, kind)
    return document["delta" if "delta" in document else "content_block"], place


def _event(document: Document) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (document["type"].encode(), encode(document))


def error(status: int, code: str, message: str) -> bytes:
    """The body of an error, as the API's own servers write it."""
    kind = _ERRORS.get(status, "invalid_request_error" if status < 500 else "api_error")
    told = {"type": kind, "message": message, "details": {"error_code": code}}
    return encode({"type": "error", "error": told})


def stream_error(code: str, message: str) -> bytes:
    """An error as an event of a stream, which the SDKs raise."""
    return b"event: error\ndata: " + error(500, code, message) + b"\n\n"
