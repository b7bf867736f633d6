"""An answer as a stream of events."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque, Path, Text
from interlock.protocols import CallDelta, Delta, Document, Finish, Frame, TextDelta, decode
from interlock.protocols._bedrock import AFTER, fault, kind_of, padding
from interlock.protocols._eventstream import Message, Messages
from interlock.protocols._json import is_empty, object_, opaque, text_
from interlock.protocols._reading import is_token, others
from interlock.protocols.bedrock_converse.answer import (
    FIGURES,
    MODEL_FIELDS,
    MOST_BLOCKS,
    OUTPUT,
    model_fields,
    stop,
    trace,
    usage_of,
)
from interlock.protocols.bedrock_converse.blocks import citation_events, image_block, member

_PIECE = frozenset({"contentBlockIndex", "delta"})
# Which pieces a block may have, by what it began as; a text may cite.
_PIECES = {"text": "text", "citation": "text", "reasoningContent": "reasoning", "toolUse": "call", "image": "image"}
# A piece of a call in a block that has not begun as one.
_UNCALLED = ("call", "")
# Strings of a guardrail's trace; each is a text of its own.
MOST_WORDS = 4_096


@dataclass(slots=True)
class _Block:
    """The block that is growing. `kind` is empty as long as nothing has said what it is."""

    index: int
    kind: str = ""


@dataclass(slots=True)
class Reader:
    """Events of a message.

    Rules: `messageStart` comes first and once; blocks come one after the other, each with a higher index, and each
    stops before the next begins (a text has no start of its own); `messageStop` comes after them and once, and after
    it only `metadata`; an exception ends the stream.
    """

    _messages: Messages = field(default_factory=Messages)
    _started: bool = False
    _stopped: bool = False
    _over: bool = False
    _block: _Block | None = None
    _last: int = -1

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        return [self._frame(message) for message in self._messages.feed(data)]

    def end(self) -> None:
        """The stream is over."""
        self._messages.end()
        if not (self._stopped or self._over):
            raise ProtocolError("the stream ended before the message did", status=502)

    def _frame(self, message: Message) -> Frame:
        kind, aside = kind_of(message)
        if self._over or (self._stopped and kind not in ("metadata", "")):
            raise ProtocolError("the stream goes on after its end", status=502)
        if not kind:
            self._over = True
            return fault(message, aside)
        document = decode(message.payload)
        if kind == "contentBlockDelta":
            return Frame(message.raw, document, (*aside, *self._piece(document)))
        if self._started == (kind == "messageStart"):
            raise ProtocolError("messageStart is not the first event, or comes again", status=502)
        deltas = (*aside, *self._deltas(kind, document))
        usage = usage_of(document) if kind == "metadata" else None
        return Frame(message.raw, document, deltas, usage, last=self._stopped)

    def _deltas(self, kind: str, document: Document) -> Iterator[Delta]:
        pad = padding(document)
        match kind:
            case "messageStart":
                self._started = True
                if document.get("role") != "assistant":
                    raise ProtocolError("an answer's role is not assistant", where="role", status=502)
                yield from others(document, (kind,), {"role", *pad}, {})
            case "contentBlockStart":
                yield from self._begin(document)
                yield from others(document, (kind,), {"start", "contentBlockIndex", *pad}, {})
            case "contentBlockStop":
                yield from self._end_block(document)
                yield from others(document, (kind,), {"contentBlockIndex", *pad}, {})
            case "messageStop":
                yield from self._finish(document)
                yield from others(document, (kind,), {"stopReason", MODEL_FIELDS, *pad}, {})
            case "metadata":
                self._over = self._stopped
                if not self._stopped:
                    raise ProtocolError("metadata comes before the message stopped", status=502)
                yield from _traced(document)
                yield from others(document, (kind,), {"trace", *pad}, FIGURES)
            case _:
                yield opaque((kind,), document)

    def _index(self, document: Document) -> _Block:
        """The block that an event is of, begun if it is a new one."""
        index, block = document.get("contentBlockIndex"), self._block
        if type(index) is not int or not self._started or (block and index != block.index):
            raise ProtocolError("an event of a block that is not open", where="contentBlockIndex", status=502)
        if block is None:
            if not self._last < index < MOST_BLOCKS:
                raise ProtocolError("a block does not begin in its turn", where="contentBlockIndex", status=502)
            self._last = index
            self._block = block = _Block(index)
        return block

    def _begin(self, document: Document) -> Iterator[Delta]:
        if self._block:
            raise ProtocolError("a block begins inside another", where="contentBlockIndex", status=502)
        block, at = self._index(document), ("contentBlockStart", "start")
        start = object_(document.get("start") or {}, at)
        name = member(start, at)
        if name == "toolUse":
            block.kind = "call"
            place: Path = (*at, name)
            call = object_(start[name], place)
            if not is_empty(call.get("type")):
                yield opaque((*place, "type"), call["type"])
            call_id = text_(call.get("toolUseId"), (*place, "toolUseId"))
            yield CallDelta(0, block.index, call_id, text_(call.get("name"), (*place, "name")), "")
            yield from others(call, place, {"toolUseId", "name", "type"}, {})
        elif name == "image":
            block.kind = name
            yield from _image(start[name], (*at, name), block.index)
        elif start:
            # What Bedrock itself runs, and gives back.
            block.kind = "server"
            yield opaque((*at, name or next(iter(start))), start)
            return
        yield from others(start, at, {name}, {})

    def _piece(self, document: Document) -> tuple[Delta, ...]:
        block, delta = self._index(document), document.get("delta")
        if not isinstance(delta, dict):
            raise ProtocolError("a piece of a block is none", where="delta", status=502)
        if block.kind in ("", "text") and delta.keys() == {"text"} and isinstance(text := delta["text"], str):
            block.kind = "text"
            said = TextDelta((f"text:{block.index}", 0), text, joined="text")
            deltas: tuple[Delta, ...] = (said,) if text else ()
        else:
            deltas = tuple(self._grow(block, delta, ("contentBlockDelta", "delta")))
        known = _PIECE | padding(document)
        return deltas if document.keys() <= known else (*deltas, *others(document, ("contentBlockDelta",), known, {}))

    @staticmethod
    def _grow(block: _Block, delta: Document, path: Path) -> Iterator[Delta]:
        """What a piece adds to its block."""
        names = [name for name, inner in delta.items() if inner is not None and name in _PIECES]
        name = names[0] if len(names) == 1 else ""
        kind = _PIECES.get(name, "server")
        if (
            len(names) > 1
            or (block.kind != "server" and kind != (block.kind or kind))
            or (kind, block.kind) == _UNCALLED
        ):
            raise ProtocolError(
                "a piece that does not fit its block, or is two things at once", where="delta", status=502
            )
        if block.kind == "server" or kind == "server":
            block.kind = "server"
            yield from _server_piece(delta, path, block.index)
        else:
            block.kind = kind
            yield from _grown(name, delta[name], (*path, name), block.index)
            yield from others(delta, path, {name}, {})

    def _end_block(self, document: Document) -> Iterator[Delta]:
        block = self._index(document)
        self._block = None
        if block.kind == "call":
            yield CallDelta(0, block.index, "", "", "")

    def _finish(self, document: Document) -> Iterator[Delta]:
        if self._block or is_empty(document.get("stopReason")):
            raise ProtocolError("the message stops inside a block, or without a reason", where="stopReason", status=502)
        self._stopped = True
        yield from stop(document)
        for event in model_fields(document):
            if isinstance(event, Text):
                yield TextDelta((f"fields:{event.path[-1]}", 0), event.text, again=True)
            else:
                yield event
        yield Finish(0)


def _grown(name: str, value: object, path: Path, index: int) -> Iterator[Delta]:
    match name:
        case "text":
            if text := text_(value, path):
                yield TextDelta((f"text:{index}", 0), text, joined="text")
        case "toolUse":
            call = object_(value, path)
            yield CallDelta(0, index, "", "", text_(call.get("input") or "", (*path, "input")))
            yield from others(call, path, {"input"}, {})
        case "reasoningContent":
            piece = object_(value, path)
            if text := text_(piece.get("text") or "", (*path, "text")):
                yield TextDelta((f"reasoning:{index}", 0), text, joined="reasoning")
            yield from others(piece, path, {"text"}, {"signature": is_token, "redactedContent": is_token})
        case "citation":
            for event in citation_events(value, path, OUTPUT):
                if isinstance(event, Text):
                    yield TextDelta((f"citation:{index}:{_inside(event.path, path)}", 0), event.text)
                elif isinstance(event, Opaque):
                    yield event
        case _:
            yield from _image(value, path, index)


def _server_piece(delta: Document, path: Path, index: int) -> Iterator[Delta]:
    """A piece of what Bedrock itself runs, or gives back: its texts."""
    call, results = delta.get("toolUse"), delta.get("toolResult")
    if isinstance(call, dict) and call.keys() == {"input"} and isinstance(call["input"], str):
        yield TextDelta((f"input:{index}", 0), call["input"])
        yield from others(delta, path, {"toolUse"}, {})
    elif isinstance(results, list):
        for number, part in enumerate(results):
            if isinstance(part, dict) and part.keys() == {"text"} and isinstance(part["text"], str):
                yield TextDelta((f"result:{index}:{number}", 0), part["text"])
            else:
                yield opaque((*path, "toolResult", number), part)
        yield from others(delta, path, {"toolResult"}, {})
    else:
        yield opaque(path, delta)


def _inside(path: Path, base: Path) -> str:
    """A place below `base` as a text: `sourceContent.0.text`."""
    return ".".join(map(str, path[len(base) :]))


def _traced(document: Document) -> Iterator[Delta]:
    """What a guardrail found: its nth text, and what is none."""
    for number, event in enumerate(trace(document)):
        if number >= MOST_WORDS:
            raise ProtocolError(f"a trace with over {MOST_WORDS} strings", where="trace", status=502)
        if isinstance(event, Text):
            yield TextDelta((f"trace:{number}", AFTER), event.text, again=True)
        else:
            yield event


def _image(value: object, path: Path, index: int) -> Iterator[Delta]:
    """An image, or why there is none."""
    for event in image_block(value, path, OUTPUT):
        if isinstance(event, Media | Opaque):
            yield event
        elif isinstance(event, Text):
            yield TextDelta((f"image:{index}", 0), event.text)
