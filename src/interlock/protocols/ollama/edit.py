"""Requests, answers and lines with something replaced or taken out, and errors in the protocol's own shape."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from interlock.model.event import Path
from interlock.protocols import Answer, AnswerEdit, CallDelta, Document, Frame, FrameEdit, Request
from interlock.protocols._json import decode, encode, replace
from interlock.protocols._reading import parsed
from interlock.protocols.ollama.fields import line


def edit_request(request: Request, changed: Mapping[Path, str]) -> bytes:
    """The request's bytes with texts, and arguments of calls, replaced."""
    document = decode(request.raw)
    for path, text in changed.items():
        if path[-2:-1] == ("tool_calls",):
            _put_arguments(_at(document, path), text)
        else:
            replace(document, path, text)
    return encode(document)


def edit_answer(answer: Answer, edit: AnswerEdit) -> bytes:
    """The answer's bytes with texts replaced, and without the refused calls."""
    document = decode(answer.raw)
    for path, text in edit.texts.items():
        _put_text(document, path, text)
    for path, arguments in edit.arguments.items():
        _put_arguments(_at(document, path), arguments)
    if "logprobs" in edit.stripped:
        document.pop("logprobs", None)
    if "embeddings" in edit.stripped:
        document |= {key: [] for key in ("embedding", "embeddings") if key in document}
    if edit.refused:
        counted = count()
        _renumber(document, {path: None if path in edit.refused else next(counted) for path in _calls(document)})
        _say(document, edit.notice, apart=True)
        if not any(_calls(document)):
            _stop(document)
    return encode(document)


def edit_frame(frame: Frame, edit: FrameEdit) -> bytes:
    """The line with texts replaced, and without the refused calls."""
    if frame.document is None:
        return frame.raw
    document = decode(encode(frame.document))
    for (name, _), text in edit.texts.items():
        _put_text(document, tuple(name.split(".")), text)
    if "logprobs" in edit.stripped:
        document.pop("logprobs", None)
    # The frame's calls as they were numbered, in the order of the document.
    own = [(delta.choice, delta.index) for delta in frame.deltas if isinstance(delta, CallDelta)]
    calls = dict(zip(_calls(document), own, strict=True))
    for path, key in calls.items():
        if key in edit.arguments:
            _put_arguments(_at(document, path), edit.arguments[key])
    if edit.calls:
        _renumber(document, {path: edit.calls.get(key, key[1]) for path, key in calls.items()})
    if frame.done and (notice := edit.notices.get(0)):
        _say(document, notice)
        if 0 in edit.emptied:
            _stop(document)
    return line(document)


def _calls(document: Document) -> Iterator[Path]:
    """Where the calls are: in a message, or beside what was generated."""
    for base, holder in _holders(document):
        yield from ((*base, "tool_calls", index) for index in range(len(holder.get("tool_calls") or ())))


def _holders(document: Document) -> Iterator[tuple[Path, Document]]:
    if isinstance(document.get("message"), dict):
        yield ("message",), document["message"]
    yield (), document


def _renumber(document: Document, numbers: Mapping[Path, int | None]) -> None:
    """Leave only the calls that have a number, and let those that said one say this."""
    for base, holder in _holders(document):
        kept = []
        for index, call in enumerate(holder.get("tool_calls") or ()):
            number = numbers[(*base, "tool_calls", index)]
            if number is not None:
                call["function"] |= {"index": number} if "index" in call["function"] else {}
                kept.append(call)
        if kept:
            holder["tool_calls"] = kept
        else:
            holder.pop("tool_calls", None)


def _say(document: Document, notice: str, *, apart: bool = False) -> None:
    message = document.get("message")
    holder, key = (message, "content") if isinstance(message, dict) else (document, "response")
    said = holder.get(key)
    said = said if isinstance(said, str) else ""
    holder[key] = f"{said}\n\n{notice}" if apart and said else said + notice


def _stop(document: Document) -> None:
    """No call is left, so none is the reason to stop."""
    if document.get("done_reason") == "tool_calls":
        document["done_reason"] = "stop"


def _at(document: Any, path: Path) -> Document:
    for part in path:
        document = document[part]
    assert isinstance(document, dict)
    return document


def _put_text(document: Document, path: Path, text: str) -> None:
    """Put a text in its place; the tokens that repeat it go."""
    if path[0] != "logprobs":
        replace(document, path, text)
    document.pop("logprobs", None)


def _put_arguments(call: Document, arguments: str) -> None:
    call["function"]["arguments"] = parsed(arguments, {})


def error(status: int, code: str, message: str) -> bytes:  # noqa: ARG001 - the protocol says no more than words
    """The body of an error, as Ollama's own server writes it: words, and nothing else."""
    return encode({"error": message})


def stream_error(code: str, message: str) -> bytes:  # noqa: ARG001 - the protocol says no more than words
    """An error as a line of a stream, which the SDK raises."""
    return line({"error": message})
