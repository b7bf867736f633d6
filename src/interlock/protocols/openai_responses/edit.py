"""Requests, answers and events with texts replaced and without what was refused, and errors in the protocol's shape.

In the place of a refused call stands a message of the assistant that says so, so that every index stays.
"""

from collections.abc import Mapping
from typing import Any

from interlock.model.event import Path, Text, ToolCall
from interlock.protocols import Answer, AnswerEdit, Document, Frame, FrameEdit, Request
from interlock.protocols._json import decode, encode, replace
from interlock.protocols.openai_responses.answer import ECHOED, is_echoed
from interlock.protocols.openai_responses.fields import BLANK, CALLS, TOKENS
from interlock.protocols.openai_responses.pieces import RESPONSE, is_echo, name_of, pieces


def edit_request(request: Request, changed: Mapping[Path, str]) -> bytes:
    """The request's bytes with texts, and arguments of calls, replaced."""
    document = decode(request.raw)
    for path, text in changed.items():
        _put(document, path, text)
    return encode(document)


def edit_answer(answer: Answer, edit: AnswerEdit) -> bytes:
    """The answer's bytes with texts replaced, and with a message in place of each refused call."""
    document = decode(answer.raw)
    for path, text in (*edit.texts.items(), *edit.arguments.items()):
        _put(document, path, text)
    for path, told in edit.refused.items():
        replace(document, path, _message(_at(document, path), int(path[-1]), told))
    if "logprobs" in edit.stripped:
        for item in document["output"]:
            _strip(item)
    return encode(document)


def edit_frame(frame: Frame, edit: FrameEdit) -> bytes:
    """The event's bytes with texts replaced; of a refused call, the events of the message that stands in for it."""
    if frame.document is None or "event" not in frame.document:
        return frame.raw
    document = decode(encode(frame.document["event"]))
    kind = document["type"]
    for piece in list(pieces(document)):
        if isinstance(piece.event, ToolCall):
            key = (0, int(piece.event.path[1]))
            if edit.calls.get(key, 0) is None:
                if kind not in RESPONSE:
                    return _stand_ins(frame.document, edit.told[key])
                replace(document, piece.at, _message(_at(document, piece.at), key[1], edit.told[key]))
            elif key in edit.arguments:
                _put(document, piece.at, edit.arguments[key])
        elif isinstance(piece.event, Text):
            name = name_of(piece, kind)
            # An event has one echo at most; its number is the reader's.
            told = [new for (of, _), new in edit.texts.items() if of == name or (is_echo(of) and is_echo(name))]
            if told:
                _put(document, piece.at, told[0])
    if "logprobs" in edit.stripped:
        for value in (document, document.get("part"), document.get("item"), *_output(document)):
            _strip(value)
    return _event(document)


def _output(document: Document) -> list[Any]:
    return (document.get("response") or {}).get("output") or []


def _event(document: Document) -> bytes:
    return f"event: {document['type']}\ndata: ".encode() + encode(document) + b"\n\n"


def _at(document: Any, path: Path) -> Any:
    for part in path:
        document = document[part]
    return document


def _put(document: Document, path: Path, text: str) -> None:
    """Replace a text, or a call's arguments. The tokens that repeat the text go; an echo goes as a whole."""
    holder = _at(document, path[:-1])
    if path in ((ECHOED,), ("response", ECHOED)):
        for key, value in holder.items():
            if is_echoed(key, value) and isinstance(value, str | list | dict):
                holder[key] = BLANK.get(key)
        return
    if isinstance(holder, dict) and isinstance(holder.get("logprobs"), list):
        holder["logprobs"] = []
        if path[-1] in TOKENS:
            return
    value = holder[path[-1]]
    if isinstance(value, dict):
        value[CALLS[value["type"]]] = text
    else:
        holder[path[-1]] = text


def _strip(value: Any) -> None:
    """Take the tokens out of an event, a part, or the parts of an item."""
    if isinstance(value, dict):
        if isinstance(value.get("logprobs"), list):
            value["logprobs"] = []
        content = value.get("content")
        for part in content if isinstance(content, list) else ():
            _strip(part)


def _message(call: Document, index: int, told: str) -> Document:
    """A message that says `told` in place of a call."""
    return {
        # The API takes back only ids of messages that begin so.
        "id": f"msg_{call.get('id') or index}",
        "type": "message",
        "status": call.get("status") or "completed",
        "role": "assistant",
        "content": [_part(told)],
    }


def _part(text: str) -> Document:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _stand_ins(held: Document, told: str) -> bytes:
    """The events that say a message, as many of them as this event of the refused call makes."""
    event = held["event"]
    index = event["output_index"]
    message = _message({"id": held["id"]}, index, told)
    place = {"item_id": message["id"], "output_index": index, "content_index": 0}
    added = message | {"status": "in_progress", "content": []}
    said: tuple[tuple[str, Document], ...] = (
        ("output_item.added", {"output_index": index, "item": added}),
        ("content_part.added", place | {"part": _part("")}),
        ("output_text.delta", place | {"delta": told, "logprobs": []}),
        ("output_text.done", place | {"text": told, "logprobs": []}),
        ("content_part.done", place | {"part": _part(told)}),
        ("output_item.done", {"output_index": index, "item": message}),
    )
    number = {"sequence_number": event["sequence_number"]} if "sequence_number" in event else {}
    now = said[slice(*held["stands"])]
    return b"".join(_event({"type": f"response.{name}", **number, **rest}) for name, rest in now)


def stream_error(code: str, message: str) -> bytes:
    """An error as an event of a stream. The API writes it in both ways, and the SDKs raise for the second."""
    words: Document = {"code": code, "message": message, "param": None}
    return _event({"type": "error", **words, "error": {"type": "server_error", **words}, "sequence_number": 0})
