"""Answers and chunks without what was refused, and errors in the protocol's own shape."""

from collections.abc import Mapping
from typing import Any

from interlock.model.event import Channel, Path, Text
from interlock.protocols import (
    Answer,
    AnswerEdit,
    Document,
    Frame,
    FrameEdit,
    Request,
)
from interlock.protocols._json import (
    decode,
    encode,
    replace,
)
from interlock.protocols._reading import Voice
from interlock.protocols.openai_chat.fields import (
    BESIDE,
    CALL_FINISHES,
    LEGACY_CALL,
    TOKENS,
)
from interlock.protocols.openai_chat.stream import beside_name


def edit_request(request: Request, changed: Mapping[Path, str]) -> bytes:
    """The request's bytes with texts, and arguments of calls, replaced."""
    document = decode(request.raw)
    for path, text in changed.items():
        replace(document, _in_call(document, path), text)
    return encode(document)


def _in_call(document: Any, path: Path) -> Path:
    """The place of a call's arguments, if `path` is a call's, else `path`."""
    if path[-1] == "function_call":
        return (*path, "arguments")
    if path[-2:-1] != ("tool_calls",):
        return path
    for part in path:
        document = document[part]
    return (*path, *(("function", "arguments") if "function" in document else ("custom", "input")))


def edit_answer(answer: Answer, edit: AnswerEdit) -> bytes:
    """The answer's bytes with texts replaced, and without the refused calls."""
    document = decode(answer.raw)
    for path, text in edit.texts.items():
        document["choices"][path[1]]["logprobs"] = None
        if path[-1] not in TOKENS:
            replace(document, path, text)
        if path[-2:] == ("audio", "transcript"):  # the sound says it too
            replace(document, (*path[:-1], "data"), "")
    for path, arguments in edit.arguments.items():
        replace(document, _in_call(document, path), arguments)
    for position, choice in enumerate(document["choices"]):
        base: Path = ("choices", position, "message")
        if "logprobs" in edit.stripped and "logprobs" in choice:
            choice["logprobs"] = None
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


def edit_frame(frame: Frame, edit: FrameEdit) -> bytes:
    """The chunk's bytes with texts replaced, and without the refused calls."""
    if frame.document is None and not frame.raw.startswith(b"data: {"):
        return frame.raw
    document = decode(encode(frame.document) if frame.document else frame.raw.removeprefix(b"data: "))
    for choice in document.get("choices", []):
        number = choice.get("index", 0)
        delta = choice["delta"] = choice.get("delta") or {}
        changed = {key: text for (key, of), text in edit.texts.items() if of == number}
        _put_texts(delta, {key: text for key, text in changed.items() if key not in TOKENS})
        if (changed or "logprobs" in edit.stripped) and "logprobs" in choice:
            choice["logprobs"] = None
        _edit_calls(delta, number, edit)
        if choice.get("finish_reason") and (notice := edit.notices.get(number)):
            said = delta.get("content")
            delta["content"] = said + notice if isinstance(said, str) else notice
            delta["refusal"] = notice.strip()
            if number in edit.emptied and choice["finish_reason"] in CALL_FINISHES:
                choice["finish_reason"] = "stop"
    return b"data: " + encode(document) + b"\n\n"


def _put_texts(delta: Document, changed: Mapping[str, str]) -> None:
    """Put each text where its name says; one that is there in two pieces goes into the first."""
    delta |= {name: text for name, text in changed.items() if "." not in name}
    beside = {name: text for name, text in changed.items() if "." in name}
    for key, read in BESIDE.items() if beside else ():
        for event in list(read(delta[key], (key,), Voice(Channel.OUTPUT))) if delta.get(key) else ():
            if isinstance(event, Text) and (name := beside_name(delta, event.path)) in beside:
                replace(delta, event.path, beside[name])
                beside[name] = ""
    if any(name.startswith("audio.") for name in beside):
        delta["audio"].pop("data", None)


def _edit_calls(delta: Document, number: int, edit: FrameEdit) -> None:
    kept = []
    for call in delta.pop("tool_calls", None) or []:
        old = call.get("index", 0)
        index = edit.calls.get((number, old), old)
        if index is not None:
            _put_arguments(call, edit.arguments.get((number, old)))
            kept.append(call | {"index": index})
    if kept:
        delta["tool_calls"] = kept
    if "function_call" in delta and edit.calls.get((number, LEGACY_CALL), LEGACY_CALL) is None:
        delta.pop("function_call")
    elif "function_call" in delta and (number, LEGACY_CALL) in edit.arguments:
        delta["function_call"]["arguments"] = edit.arguments[number, LEGACY_CALL]


def _put_arguments(call: Document, arguments: str | None) -> None:
    if arguments is not None:
        kind, name = ("custom", "input") if "custom" in call else ("function", "arguments")
        call.setdefault(kind, {})[name] = arguments


def error(status: int, code: str, message: str) -> bytes:
    """The body of an error, as the API's own servers write it."""
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def stream_error(code: str, message: str) -> bytes:
    """An error as an event of a stream, which the SDKs raise."""
    return b"data: " + error(500, code, message) + b"\n\n"
