"""Requests, answers and chunks with something replaced or taken out, and errors in the protocol's own shape."""

from collections.abc import Iterator, Mapping
from typing import Any

from interlock.model.event import Path
from interlock.protocols import Answer, AnswerEdit, CallDelta, Document, Frame, FrameEdit, Request
from interlock.protocols._json import decode, encode, replace
from interlock.protocols.gemini.fields import TOKENS, Field, fields, inside, parsed, several
from interlock.protocols.gemini.stream import index_of

# By Google's documentation on thought signatures, for a call that stands first and has none of its own: newer models
# refuse a history whose first call in a turn is unsigned, and the one that was signed has been taken out.
UNSIGNED = "skip_thought_signature_validator"
# google.rpc.Code by HTTP status, as google/rpc/code.proto maps them.
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def edit_request(request: Request, changed: Mapping[Path, str]) -> bytes:
    """The request's bytes with texts, and arguments of calls, replaced."""
    document = decode(request.raw)
    for path, text in changed.items():
        target: Any = document
        for step in path:
            target = target[step]
        if isinstance(target, str):
            replace(document, path, text)
        elif path[-1] == "parts" or isinstance(path[-1], int):
            _put_arguments(fields(target, path), text)
        else:
            replace(document, path, parsed(text, {"result": text}))
    return encode(document)


def edit_answer(answer: Answer, edit: AnswerEdit) -> bytes:
    """The answer's bytes with texts replaced, and a sentence in place of each refused call."""
    document = decode(answer.raw)
    found = fields(document, ())
    for at, candidate in several(found.get("candidates")):
        for path, text in edit.texts.items():
            if path[: len(at)] == at:
                _put_text(candidate, at, path[len(at) :], text)
        kept = 0
        for number, (path, part) in enumerate(_calls(candidate, at)):
            if path in edit.refused:
                _refuse(part, edit.refused[path])
                continue
            if path in edit.arguments:
                _put_arguments(fields(part, path), edit.arguments[path])
            _sign(part, path, needed=kept == 0 and number > 0)
            kept += 1
        _strip(candidate, at, edit.stripped)
    if "embeddings" in edit.stripped:
        for name in ("embedding", "embeddings"):
            for at, vector in several(found.get(name)):
                vector |= {field.key: [] for key, field in fields(vector, at).items() if key == "values"}
    return encode(document)


def edit_frame(frame: Frame, edit: FrameEdit) -> bytes:
    """The chunk's bytes with texts replaced, and a sentence in place of each refused call."""
    if frame.document is None or frame.error:
        return frame.raw
    document = decode(encode(frame.document))
    for at, candidate in several(fields(document, ()).get("candidates")):
        choice = index_of(fields(candidate, at))
        for (name, of), text in edit.texts.items():
            if of == choice:
                _put_text(candidate, at, _path(name), text)
        indexes = [delta.index for delta in frame.deltas if isinstance(delta, CallDelta) and delta.choice == choice]
        for index, (path, part) in zip(indexes, list(_calls(candidate, at)), strict=True):
            if edit.calls.get((choice, index), index) is None:
                _refuse(part, edit.told[choice, index])
                continue
            if (choice, index) in edit.arguments:
                _put_arguments(fields(part, path), edit.arguments[choice, index])
            _sign(part, path, needed=index > 0 and edit.calls.get((choice, index), index) == 0)
        _strip(candidate, at, edit.stripped)
    return b"data: " + encode(document) + b"\n\n"


def _path(name: str) -> Path:
    """Where a text of a stream stands, below the candidate; a growing one, its name. See `answer.place`."""
    bare = name.rpartition(":")[2]
    return tuple(int(step) if step.isdigit() else step for step in bare.split("."))


def _parts(candidate: Document, at: Path) -> list[tuple[Path, Any]]:
    return several(inside(fields(candidate, at).get("content")).get("parts"))


def _calls(candidate: Document, at: Path) -> Iterator[tuple[Path, Document]]:
    return ((path, part) for path, part in _parts(candidate, at) if "functionCall" in fields(part, path))


def _put_text(candidate: Document, at: Path, path: Path, text: str) -> None:
    """Replace a text by its place below the candidate, or a growing one: all of it goes into its first part."""
    if tokens := fields(candidate, at).get("logprobsResult"):
        del candidate[tokens.key]
    if path[0] in TOKENS:
        return
    if path[0] in ("text", "thought") or (path[0] == "content" and path[-1] == "text"):
        _put_growing(candidate, at, path, text)
        return
    target: Any = candidate
    for step in path:
        target = target[step]
    replace(candidate, path, text if isinstance(target, str) else parsed(text, {}))


def _put_growing(candidate: Document, at: Path, path: Path, text: str) -> None:
    parts = _parts(candidate, at)
    of_thought = path[0] == "thought" or any(
        part.get("thought") is True for where, part in parts if where == (*at, *path[:-1])
    )
    for _, part in parts:
        if "text" in part and bool(part.get("thought")) is of_thought:
            part["text"] = text
            text = ""


def _put_arguments(part: dict[str, Field], arguments: str) -> None:
    call = part["functionCall"]
    args = inside(call).get("args")
    call.value[args.key if args else "args"] = decode(arguments.encode())


def _refuse(part: Document, sentence: str) -> None:
    part.clear()
    part["text"] = sentence


def _sign(part: Document, path: Path, *, needed: bool) -> None:
    if needed and "thoughtSignature" not in fields(part, path):
        part["thoughtSignature"] = UNSIGNED


def _strip(candidate: Document, at: Path, stripped: frozenset[str]) -> None:
    if "logprobs" in stripped:
        for name, field in fields(candidate, at).items():
            if name in ("logprobsResult", "avgLogprobs"):
                del candidate[field.key]


def error(status: int, code: str, message: str) -> bytes:
    """The body of an error, as Google's own servers write it; `code` is the reason in its details (AIP-193)."""
    name = _STATUS.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    reason = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": code.upper(),
        "domain": "interlock",
    }
    return encode({"error": {"code": status, "message": message, "status": name, "details": [reason]}})


def stream_error(code: str, message: str) -> bytes:
    """An error as an event of a stream, which the SDKs raise."""
    status = 403 if code == "not_permitted" else 502
    return b"data: " + encode({"error": {"code": status, "message": message, "status": _STATUS[status]}}) + b"\n\n"
