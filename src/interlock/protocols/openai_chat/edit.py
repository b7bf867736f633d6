"""Answers and chunks without what was refused, and errors in the protocol's own shape."""

from typing import Any

from interlock.model.event import Path
from interlock.protocols import (
    Answer,
    AnswerEdit,
    Document,
    Frame,
    FrameEdit,
)
from interlock.protocols._json import (
    decode,
    encode,
)
from interlock.protocols.openai_chat.fields import (
    CALL_FINISHES,
    LEGACY_CALL,
    TOKENS,
)


def edit_answer(answer: Answer, edit: AnswerEdit) -> bytes:
    """The answer's bytes with texts replaced, and without the refused calls."""
    document = decode(answer.raw)
    for path, text in edit.texts.items():
        document["choices"][path[1]]["logprobs"] = None
        if path[-1] not in TOKENS:
            _replace(document, path, text)
    for position, choice in enumerate(document["choices"]):
        base: Path = ("choices", position, "message")
        if any(path[:3] == base for path in edit.refused):
            _take_out(choice, base, edit)
    return encode(document)


def _take_out(choice: Document, base: Path, edit: AnswerEdit) -> None:
    """The refused calls of one choice; the notice stands in for them."""
    message = choice["message"]
    calls = message.pop("tool_calls", None) or []
    kept = [call for index, call in enumerate(calls) if (*base, "tool_calls", index) not in edit.refused]
    if kept:
        message["tool_calls"] = kept
    if (*base, "function_call") in edit.refused:
        message.pop("function_call")
    if not kept and not message.get("function_call") and choice.get("finish_reason") in CALL_FINISHES:
        choice["finish_reason"] = "stop"
    said = message.get("content")
    message["content"] = f"{said}\n\n{edit.notice}" if isinstance(said, str) and said else edit.notice
    message["refusal"] = edit.notice


def _replace(document: Any, path: Path, text: str) -> None:
    *parents, last = path
    for part in parents:
        document = document[part]
    document[last] = text


def edit_frame(frame: Frame, edit: FrameEdit) -> bytes:
    """The chunk's bytes with texts replaced, and without the refused calls."""
    if frame.document is None:
        return frame.raw
    document = decode(encode(frame.document))
    for choice in document.get("choices", []):
        number = choice.get("index", 0)
        delta = choice["delta"] = choice.get("delta") or {}
        changed = {key: text for (key, of), text in edit.texts.items() if of == number}
        delta |= {key: text for key, text in changed.items() if key not in TOKENS}
        if changed and "logprobs" in choice:
            choice["logprobs"] = None
        _edit_calls(delta, number, edit)
        if choice.get("finish_reason") and (notice := edit.notices.get(number)):
            said = delta.get("content")
            delta["content"] = said + notice if isinstance(said, str) else notice
            delta["refusal"] = notice.strip()
            if number in edit.emptied and choice["finish_reason"] in CALL_FINISHES:
                choice["finish_reason"] = "stop"
    return b"data: " + encode(document) + b"\n\n"


def _edit_calls(delta: Document, number: int, edit: FrameEdit) -> None:
    kept = []
    for call in delta.pop("tool_calls", None) or []:
        old = call.get("index", 0)
        index = edit.calls.get((number, old), old)
        if index is not None:
            kept.append(call | {"index": index})
    if kept:
        delta["tool_calls"] = kept
    if "function_call" in delta and edit.calls.get((number, LEGACY_CALL), LEGACY_CALL) is None:
        delta.pop("function_call")


def error(status: int, code: str, message: str) -> bytes:
    """The body of an error, as the API's own servers write it."""
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def stream_error(code: str, message: str) -> bytes:
    """An error as an event of a stream, which the SDKs raise."""
    return b"data: " + error(500, code, message) + b"\n\n"
