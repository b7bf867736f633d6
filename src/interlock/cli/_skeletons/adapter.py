"""One sentence: which protocol, and who speaks it.

Source: the reference that this was written from. What is not understood comes out as `Opaque`.
"""

from collections.abc import Iterator, Mapping

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Opaque, Path, Text
from interlock.model.meta import Example, Maturity, Meta
from interlock.protocols import (
    Adapter,
    Answer,
    AnswerEdit,
    Delta,
    Document,
    Finish,
    Frame,
    FrameEdit,
    Request,
    Target,
    TextDelta,
    Usage,
    Wire,
    decode,
    encode,
)
from interlock.protocols._json import replace, rest, text_
from interlock.protocols._sse import Events

OUTPUT = ("output", 0)


def _read_request(data: bytes, target: Target) -> Request:  # noqa: ARG001 - the path holds nothing
    document = decode(data)
    model = text_(document.get("model"), ("model",))
    stream = document.get("stream", False)
    if not isinstance(stream, bool):
        raise ProtocolError("stream is neither true nor false", where="stream", hint="send true or false")
    prompt = Text(("prompt",), Channel.USER, text_(document.get("prompt"), ("prompt",)))
    return Request(data, document, model, stream, (prompt, *rest(document, (), {"model", "prompt", "stream"})))


def _read_answer(data: bytes) -> Answer:
    document = decode(data)
    said = Text(("output",), Channel.OUTPUT, text_(document.get("output"), ("output",)))
    events: tuple[Event, ...] = (said, *rest(document, (), {"model", "output"}))
    return Answer(data, document, text_(document.get("model", ""), ("model",)), events, Usage())


def _edit_request(request: Request, changed: Mapping[Path, str]) -> bytes:
    document = decode(request.raw)
    for path, text in changed.items():
        replace(document, path, text)
    return encode(document)


def _edit_answer(answer: Answer, edit: AnswerEdit) -> bytes:
    said = edit.texts.get(("output",), answer.document["output"])
    return encode(answer.document | {"output": f"{said}\n\n{edit.notice}" if edit.notice else said})


class _Reader:
    """Events of a stream: `{"output": ...}` grows the text, `{"done": true}` ends it."""

    def __init__(self) -> None:
        self._events = Events()
        self._done = False

    def feed(self, data: bytes) -> list[Frame]:
        return [self._frame(*event) for event in self._events.feed(data)]

    def end(self) -> None:
        self._events.end()
        if not self._done:
            raise ProtocolError("the stream ended without its end mark", status=502)

    def _frame(self, raw: bytes, data: bytes | None, fields: Mapping[str, str]) -> Frame:
        aside = tuple(Opaque((name or "comment",), text) for name, text in fields.items() if text)
        if data is None:
            return Frame(raw, deltas=aside)
        document = decode(data)
        done, error = document.get("done") is True, "error" in document
        self._done = self._done or done or error
        return Frame(raw, document, (*aside, *_deltas(document)), done=done, error=error)


def _deltas(document: Document) -> Iterator[Delta]:
    if "output" in document:
        yield TextDelta(OUTPUT, text_(document["output"], ("output",)))
    known = {"output", "done"} if isinstance(document.get("done", True), bool) else {"output"}
    yield from rest(document, (), known)
    if document.get("done") is True:
        yield Finish(0)


def _edit_frame(frame: Frame, edit: FrameEdit) -> bytes:
    if frame.document is None:
        return frame.raw
    document = dict(frame.document)
    if "output" in document:
        document["output"] = edit.texts.get(OUTPUT, document["output"])
    if frame.done and 0 in edit.notices:
        document["output"] = f"{document.get('output', '')}{edit.notices[0]}"
    return b"data: " + encode(document) + b"\n\n"


def _error(status: int, code: str, message: str) -> bytes:
    return encode({"error": {"status": status, "code": code, "message": message}})


def _stream_error(code: str, message: str) -> bytes:
    return b"data: " + _error(500, code, message) + b"\n\n"


ADAPTER = Adapter(
    meta=Meta(
        id="new-adapter",
        title="New adapter",
        why="Who speaks it.",
        since="0.1.0",
        maturity=Maturity.SANDBOX,
    ),
    routes=("/new-adapter",),
    request=_read_request,
    answer=_read_answer,
    reader=_Reader,
    edit_request=_edit_request,
    edit_answer=_edit_answer,
    edit_frame=_edit_frame,
    error=_error,
    stream_error=_stream_error,
    examples=(
        Example("a question", Wire("request", b'{"model":"m","prompt":"hello"}'), ("user:hello",)),
        Example(
            "an answer", Wire("answer", b'{"model":"m","output":"hi","mood":"good"}'), ("output:hi", "opaque:mood=good")
        ),
        Example(
            "a stream",
            Wire("stream", b'data: {"output":"h"}\n\ndata: {"output":"i"}\n\ndata: {"done":true}\n\n'),
            ("output:hi",),
        ),
    ),
)
