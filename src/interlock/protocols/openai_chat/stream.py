"""An answer as a stream of chunks."""

import re
from collections.abc import Iterator, Mapping

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Media, Opaque, Path, Text
from interlock.protocols import (
    CallDelta,
    Delta,
    Document,
    Finish,
    Frame,
    TextDelta,
)
from interlock.protocols._json import (
    decode,
    encode,
    is_empty,
    list_,
    object_,
    opaque,
    rest,
    text_,
    where,
)
from interlock.protocols._reading import Voice, others
from interlock.protocols._sse import Events
from interlock.protocols.openai_chat import servers
from interlock.protocols.openai_chat.answer import choice_rest, envelope, usage_of
from interlock.protocols.openai_chat.fields import (
    BESIDE,
    CONTENT,
    DELTA,
    ENDS,
    ENVELOPE,
    ERROR,
    LEGACY_CALL,
    PLAIN,
    TEXTS,
    index_of,
    kind_of,
)

# What cannot stand in a JSON string as it is, and the escapes.
_NOT_PLAIN = re.compile(rb'["\\\x00-\x1f]')


class Reader:
    """Chunks of a chat completion. Rules: `[DONE]` ends the stream and nothing may follow it.

    Most chunks of a stream are the one before with another piece of content. Such a one need not be read again: what
    it has in common was understood, and what is left is a JSON string.
    """

    def __init__(self) -> None:
        self._events = Events()
        self._done = False
        self._last: Frame | None = None
        self._before = self._after = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        last = self._last if not self._events.held and not self._done else None
        if last and data.startswith(self._before) and data.endswith(self._after):
            frame = self._like(last, data)
            if frame is not None:
                return [frame]
        frames = [self._frame(*event) for event in self._events.feed(data)]
        if frames:
            self._remember(frames[-1])
        return frames

    def _like(self, last: Frame, data: bytes) -> Frame | None:
        """The chunk `data`, if it is the `last` one with another piece of content in plain characters."""
        text = data[len(self._before) : len(data) - len(self._after)]
        if _NOT_PLAIN.search(text) or len(data) < len(self._before) + len(self._after):
            return None
        try:
            said = text.decode()
        except UnicodeDecodeError:
            return None
        deltas = (TextDelta(("content", 0), said),) if said else ()
        return last._replace(raw=data, deltas=deltas)

    def _remember(self, frame: Frame) -> None:
        """How the next chunk looks if it is like this one."""
        self._last = None
        if frame.document is None and frame.raw.startswith(b"data: {"):
            before, content, rest = frame.raw.partition(b'{"content":"')
            said, quote, after = rest.partition(b'"')
            if not _NOT_PLAIN.search(said) and frame.deltas == (TextDelta(("content", 0), said.decode()),):
                self._last, self._before, self._after = frame, before + content, quote + after

    def end(self) -> None:
        """The stream is over."""
        self._events.end()
        if not self._done:
            raise ProtocolError("the stream ended without its end mark", status=502)

    def _frame(self, raw: bytes, data: bytes | None, fields: Mapping[str, str]) -> Frame:
        if self._done and (data is not None or fields):
            raise ProtocolError("the stream goes on after its end mark", status=502)
        aside = tuple(Opaque((name or "comment",), text) for name, text in fields.items() if text)
        if data is None:
            return Frame(raw, deltas=aside)
        if data == b"[DONE]":
            self._done = True
            return Frame(raw, deltas=aside, done=True)
        document = decode(data)
        if document.get("error"):
            self._done = True
            return _error_frame(raw, document, aside)
        plain = _plain(document)
        if plain is not None and not aside:
            return Frame(raw, deltas=plain, model=text_(document.get("model", ""), ("model",)))
        deltas = (*aside, *(_chunk(document) if plain is None else plain))
        usage = usage_of(document) if document.get("usage") else None
        return Frame(raw, document, deltas, usage, text_(document.get("model", ""), ("model",)))


def _error_frame(raw: bytes, document: Document, aside: tuple[Delta, ...]) -> Frame:
    """An error that the server reports. Only its words go on: a client may read whatever else stands in there."""
    reported = document["error"]
    words = reported if isinstance(reported, dict) else {"message": reported}
    kept = {key: words[key] for key in ERROR if isinstance(words.get(key), str | None) and key in words}
    if document != {"error": kept}:
        raw, document = b"data: " + encode({"error": kept}) + b"\n\n", {"error": kept}
    return Frame(raw, document, (*aside, *rest(document, (), frozenset())), error=True)


def _plain(document: Document) -> tuple[Delta, ...] | None:
    """The deltas of a chunk with one piece of content and nothing else, or None. Most chunks of a stream are such."""
    choices = document.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choice := choices[0], dict):
        return None
    delta = choice.get("delta")
    if not isinstance(delta, dict) or delta.keys() != CONTENT or not isinstance(text := delta["content"], str):
        return None
    if not choice.keys() <= PLAIN or choice.get("index") != 0 or any(choice.get(key) for key in ENDS):
        return None
    if (
        document.get("usage") is not None
        or not document.keys() <= ENVELOPE
        or sum(isinstance(value, dict | list) for value in document.values()) > 1
    ):
        return None
    return (TextDelta(("content", 0), text),) if text else ()


def _chunk(document: Document) -> Iterator[Delta]:
    yield from envelope(document)
    numbers = set()
    for position, value in enumerate(list_(document.get("choices"), ("choices",))):
        path: Path = ("choices", position)
        choice = object_(value, path)
        number = index_of(choice, path)
        if number in numbers:
            raise ProtocolError("a choice stands twice in one event", where=where(path), status=502)
        numbers.add(number)
        yield from _delta(object_(choice.get("delta") or {}, (*path, "delta")), (*path, "delta"), number)
        for event in choice_rest(choice, path, "delta"):
            if isinstance(event, Text):
                yield TextDelta((str(event.path[-1]), number), event.text)
            elif isinstance(event, Opaque):
                yield event
        if choice.get("finish_reason"):
            yield Finish(number)


def _delta(delta: Document, path: Path, number: int) -> Iterator[Delta]:
    if delta.get("role", "assistant") not in ("assistant", None, ""):
        raise ProtocolError("an answer's role is not assistant", where=where((*path, "role")), status=502)
    for key in TEXTS:
        if isinstance(text := delta.get(key), str) and text:
            yield TextDelta((key, number), text)
        elif not is_empty(text):
            yield opaque((*path, key), text)
    for index, value in enumerate(list_(delta.get("tool_calls") or [], (*path, "tool_calls"))):
        at = (*path, "tool_calls", index)
        call = object_(value, at)
        yield from _call_delta(call, at, number, index_of(call, at))
    if legacy := delta.get("function_call"):
        yield from _call_delta({"function": legacy}, (*path, "function_call"), number, LEGACY_CALL)
    for key, read in BESIDE.items():
        if not is_empty(delta.get(key)):
            yield from _beside(delta, read(delta[key], (*path, key), Voice(Channel.OUTPUT)), len(path), number)
    yield from others(delta, path, DELTA, servers.ASSISTANT)


def _beside(delta: Document, events: Iterator[Event], depth: int, number: int) -> Iterator[Delta]:
    for event in events:
        match event:
            case Text(path=path, text=text):
                yield TextDelta((beside_name(delta, path[depth:]), number), text)
            case Media() | Opaque():
                yield event
            case _:
                raise AssertionError("nothing is called or offered there")


def beside_name(delta: Document, path: Path) -> str:
    """The name of the text that `path` of a delta goes on with; of thoughts, it is told by their own index.

    >>> beside_name({"reasoning_details": [{"index": 3}]}, ("reasoning_details", 0, "text"))
    'reasoning_details.3.text'
    """
    place = list(path)
    if path[0] == "reasoning_details":
        assert isinstance(path[1], int)
        place[1] = delta["reasoning_details"][path[1]].get("index", path[1])
    return ".".join(map(str, place))


def _call_delta(call: Document, path: Path, choice: int, index: int) -> Iterator[Delta]:
    kind = kind_of(call, path)
    body = object_(call.get(kind) or {}, (*path, kind))
    arguments = "input" if kind == "custom" else "arguments"
    yield CallDelta(
        choice,
        index,
        text_(call.get("id") or "", (*path, "id")),
        text_(body.get("name") or "", (*path, kind, "name")),
        text_(body.get(arguments) or "", (*path, kind, arguments)),
        kind,
        "index" in call or index == LEGACY_CALL,
    )
    yield from rest(body, (*path, kind), {"name", arguments})
    yield from others(call, path, {"index", "id", "type", kind}, servers.CALL)
