"""Requests and answers with texts replaced, and answers without what was refused.

A refused call's block becomes a text that says so: the places of the other blocks stay as they were.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from interlock.model.errors import ProtocolError
from interlock.model.event import Path
from interlock.protocols import Answer, AnswerEdit, Document, Frame, FrameEdit, Request, decode, encode
from interlock.protocols._json import replace, where

Write: TypeAlias = Callable[[Document], bytes]


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


def edit_frame(frame: Frame, edit: FrameEdit, write: Write) -> bytes:
    """The event's bytes with texts replaced, and without the refused calls; empty if nothing is left of it.

    `write` makes an event's bytes of its document.
    """
    if frame.document is None:
        return frame.raw
    document = decode(encode(frame.document))
    index = document.get("index")
    key = (0, index if type(index) is int else -1)
    if key in edit.calls and edit.calls[key] is None:
        return _refused(document, edit.told.get(key, ""), write)
    for (name, _), text in edit.texts.items():
        held, place = _holder(document, name)
        held[place] = text
    if document["type"] == "message_delta" and 0 in edit.emptied and document["delta"].get("stop_reason") == "tool_use":
        document["delta"]["stop_reason"] = "end_turn"
    return _with_arguments(document, edit.arguments.get(key), write)


def _refused(document: Document, told: str, write: Write) -> bytes:
    """What is left of an event of a refused call: a text block begins in its place, says so, and stops."""
    match document["type"]:
        case "content_block_start":
            started = write(document | {"content_block": {"type": "text", "text": ""}})
            delta = {"type": "text_delta", "text": told}
            return started + write(_piece(document, delta)) if told else started
        case "content_block_delta":
            return b""
        case _:
            return write(document)


def _with_arguments(document: Document, arguments: str | None, write: Write) -> bytes:
    """The event with another piece of arguments; they stand in a piece of their own if it is the begin or the end."""
    if arguments is None:
        return write(document)
    if document["type"] == "content_block_delta":
        document["delta"]["partial_json"] = arguments
        return write(document)
    piece = write(_piece(document, {"type": "input_json_delta", "partial_json": arguments})) if arguments else b""
    if document["type"] == "content_block_stop":
        return piece + write(document)
    document["content_block"]["input"] = {}
    return write(document) + piece


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
