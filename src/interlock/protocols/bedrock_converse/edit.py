"""Requests and answers with texts replaced, and answers without what was refused.

A refused call's block becomes a text that says so: the places of the other blocks stay as they were.
"""

from collections.abc import Mapping
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.model.event import Path
from interlock.protocols import Answer, AnswerEdit, Document, Frame, FrameEdit, Request, decode, encode
from interlock.protocols._bedrock import edit_fault, event, reopened
from interlock.protocols._json import replace, values, where
from interlock.protocols._reading import parsed
from interlock.protocols.bedrock_converse.answer import MODEL_FIELDS

CALLED, ENDED = "tool_use", "end_turn"


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
    elif path[-1] == "toolUse":
        held["input"] = decode(text.encode())
    elif path[-1] == "json":
        replace(document, path, parsed(text, {"text": text}))
    else:
        raise ProtocolError("a text that is a key cannot be replaced", where=where(path), hint="leave it out")


def edit_answer(answer: Answer, edit: AnswerEdit) -> bytes:
    """The answer's bytes with texts replaced, and without the refused calls."""
    document = decode(answer.raw)
    for path, text in {**edit.texts, **edit.arguments}.items():
        _put(document, path, text)
    for path, told in edit.refused.items():
        replace(document, path[:-1], {"text": told})
    content = document["output"]["message"]["content"]
    if edit.refused and not any("toolUse" in block for block in content) and document.get("stopReason") == CALLED:
        document["stopReason"] = ENDED
    return encode(document)


def edit_frame(frame: Frame, edit: FrameEdit) -> bytes:
    """The event's bytes with texts replaced, and without the refused calls; empty if nothing is left of it."""
    if frame.error:
        return edit_fault(frame, edit.texts)
    kind, document = reopened(frame)
    index = document.get("contentBlockIndex")
    key = (0, index if type(index) is int else -1)
    if key in edit.calls and edit.calls[key] is None:
        return _refused(kind, document, edit.told.get(key, ""))
    for (name, _), text in edit.texts.items():
        replace(document, _place(document, name), text)
    if kind == "messageStop" and 0 in edit.emptied and document.get("stopReason") == CALLED:
        document["stopReason"] = ENDED
    arguments = edit.arguments.get(key)
    if arguments is None:
        return event(kind, document)
    if kind == "contentBlockDelta":
        document["delta"]["toolUse"]["input"] = arguments
        return event(kind, document)
    piece = _piece(document, {"toolUse": {"input": arguments}}) if arguments else b""
    return piece + event(kind, document) if kind == "contentBlockStop" else event(kind, document) + piece


def _refused(kind: str, document: Document, told: str) -> bytes:
    """What is left of an event of a refused call: a text in its place, which as any text has no start, and its stop."""
    if kind == "contentBlockStart":
        return _piece(document, {"text": told})
    return b"" if kind == "contentBlockDelta" else event(kind, document)


def _piece(document: Document, delta: Document) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": document["contentBlockIndex"], "delta": delta})


def _place(document: Document, name: str) -> Path:
    """Where the text of a stream stands in an event."""
    kind, _, rest = name.partition(":")
    at = rest.partition(":")[2]
    match kind:
        case "reasoning":
            return ("delta", "reasoningContent", "text")
        case "image":
            return ("delta", "image", "error", "message")
        case "input":
            return ("delta", "toolUse", "input")
        case "result":
            return ("delta", "toolResult", int(at), "text")
        case "citation":
            return ("delta", "citation", *(int(part) if part.isdecimal() else part for part in at.split(".")))
        case "fields":
            return (MODEL_FIELDS, rest)
        case "trace":
            return tuple(values(document["trace"], ("trace",)))[int(rest)][0]
        case _:
            return ("delta", kind)
