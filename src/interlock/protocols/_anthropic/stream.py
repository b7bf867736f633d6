"""An answer as a stream of events."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.model.event import Event, Opaque, Text
from interlock.protocols import CallDelta, Delta, Document, Finish, Frame, TextDelta, Usage, encode
from interlock.protocols._anthropic.answer import (
    BLOCKS,
    ENDING,
    MOST_BLOCKS,
    OUTPUT,
    ending,
    envelope,
    usage_of,
)
from interlock.protocols._anthropic.blocks import block_events, call_name, citation_events
from interlock.protocols._anthropic.fields import figures
from interlock.protocols._json import is_empty, object_, opaque, rest, text_
from interlock.protocols._reading import is_number, is_token, others

# An answer has a few citations for each of its texts.
MOST_CITATIONS = 4_096
_PIECE = frozenset({"type", "index", "delta"})
_TEXT = frozenset({"type", "text"})
_FIGURES = ("usage", "context_management", "input_transformations")
# What an error says; a client may read whatever else stands in there.
_WORDS = ("type", "message")


@dataclass(slots=True)
class _Block:
    """The block that is growing. `begun`: a part of it that is given once, or its arguments, has come."""

    index: int
    kind: str
    begun: bool = False
    whole: bool = False


@dataclass(slots=True)
class Reading:
    """What the events of a message say, one after the other. `write` makes an event's bytes of its document.

    Rules: `message_start` comes first and once; blocks come one after the other with the indexes 0, 1, 2, each begun,
    grown and stopped; the stop reason comes after them and does not change; `message_stop` or `error` ends the stream:
    then it is `done`. A `ping` may stand anywhere.
    """

    write: Callable[[Document], bytes]
    done: bool = False
    _usage: dict[str, Any] = field(default_factory=dict)
    _started: bool = False
    _stop: str = ""
    _block: _Block | None = None
    _blocks: int = 0
    _citations: int = 0

    def frame(self, raw: bytes, document: Document, aside: tuple[Delta, ...]) -> Frame:
        """An event, understood; `aside` is what stands around its document."""
        kind = document.get("type")
        if kind == "content_block_delta":
            return Frame(raw, document, (*aside, *self._piece(document)))
        if kind == "error":
            return self._error(raw, document, aside)
        if not isinstance(kind, str) or (kind != "ping" and self._started == (kind == "message_start")):
            raise ProtocolError("message_start is not the first event, or comes again", status=502)
        deltas = tuple(self._deltas(kind, document))
        usage = self._count(document) if kind in ("message_start", "message_delta") else None
        model = text_(document["message"].get("model", ""), ("model",)) if kind == "message_start" else ""
        return Frame(raw, document, (*aside, *deltas), usage, model, done=kind == "message_stop")

    def _deltas(self, kind: str, document: Document) -> Iterator[Delta]:
        match kind:
            case "message_start":
                yield from self._start(document)
            case "content_block_start":
                yield from self._begin(document)
            case "content_block_stop":
                yield from self._end_block(document)
            case "message_delta":
                yield from self._finish(document)
            case "message_stop":
                if not self._stop:
                    raise ProtocolError("the message stops without a stop reason", status=502)
                self.done = True
                yield from rest(document, (), {"type"})
            case "ping":
                yield from rest(document, (), {"type"})
            case _:
                yield opaque(("event",), document)

    def _start(self, document: Document) -> Iterator[Delta]:
        self._started = True
        message = object_(document.get("message"), ("message",))
        if message.get("content") != [] or any(not is_empty(message.get(key)) for key in ENDING):
            raise ProtocolError("a message starts with something in it", where="message", status=502)
        yield from _plain(envelope(message, ("message",)))
        yield from rest(document, (), {"type", "message"})

    def _begin(self, document: Document) -> Iterator[Delta]:
        index = self._blocks
        if self._block or self._stop or not _is_index(document, index) or index >= MOST_BLOCKS:
            raise ProtocolError("a block does not begin in its turn", where="index", status=502)
        block = object_(document.get("content_block"), ("content_block",))
        kind = block.get("type")
        known = isinstance(kind, str) and kind in BLOCKS
        self._block = open_ = _Block(index, str(kind) if known else "")
        self._blocks += 1
        for event in block_events(block, ("content_block",), OUTPUT, BLOCKS):
            yield from self._first(event, open_)
        if kind == "tool_use":
            name, arguments = call_name(block, ("content_block",)), encode(block["input"]).decode()
            open_.begun = open_.whole = block["input"] != {}
            yield CallDelta(0, index, block["id"], name, arguments if open_.whole else "")
        yield from rest(document, (), {"type", "index", "content_block"})

    @staticmethod
    def _first(event: Event, block: _Block) -> Iterator[Delta]:
        """What a block begins with."""
        if isinstance(event, Opaque):
            yield event
        elif isinstance(event, Text) and event.text:
            if event.path[-1] not in ("text", "thinking", "content"):
                raise ProtocolError("a block begins with a citation", where="content_block", status=502)
            block.begun = True
            yield TextDelta((f"{block.kind}:{block.index}", 0), event.text, joined=block.kind)

    def _piece(self, document: Document) -> tuple[Delta, ...]:
        block, delta = self._block, document.get("delta")
        if block is None or not _is_index(document, block.index) or not isinstance(delta, dict):
            raise ProtocolError("a piece of a block that is not open", where="index", status=502)
        if block.kind == "text" and delta.keys() == _TEXT and document.keys() == _PIECE:
            text = delta["text"]
            if delta["type"] == "text_delta" and isinstance(text, str):
                return (TextDelta((f"text:{block.index}", 0), text, joined="text"),) if text else ()
        return (*self._grow(block, delta), *rest(document, (), _PIECE))

    def _grow(self, block: _Block, delta: Document) -> Iterator[Delta]:
        """What a piece adds to its block."""
        kind, at = delta.get("type"), ("delta",)
        match block.kind, kind:
            case ("text", "text_delta") | ("thinking", "thinking_delta"):
                if text := text_(delta.get(block.kind), (*at, block.kind)):
                    yield TextDelta((f"{block.kind}:{block.index}", 0), text, joined=block.kind)
                yield from others(delta, at, {"type", block.kind}, {"estimated_tokens": is_number})
            case ("tool_use" | "", "input_json_delta"):
                yield from self._argue(block, delta)
            case "thinking", "signature_delta":
                yield from others(delta, at, {"type"}, {"signature": is_token})
            case "text", "citations_delta":
                yield from self._cite(block, delta)
            case "compaction", "compaction_delta":
                yield from self._compact(block, delta)
            case _ if not isinstance(kind, str) or kind in _PIECES:
                raise ProtocolError("a piece that does not fit its block", where="delta.type", status=502)
            case _:
                yield opaque(at, delta)

    @staticmethod
    def _argue(block: _Block, delta: Document) -> Iterator[Delta]:
        """A piece of a call's arguments. Those of a tool that the API runs are scanned as one text."""
        piece = text_(delta.get("partial_json"), ("delta", "partial_json"))
        if piece and block.whole:
            raise ProtocolError("the arguments of a call come twice", where="delta.partial_json", status=502)
        if block.kind:
            yield CallDelta(0, block.index, "", "", piece)
        elif piece:
            yield TextDelta((f"input:{block.index}", 0), piece)
        block.begun = block.begun or bool(piece)
        yield from rest(delta, ("delta",), {"type", "partial_json"})

    @staticmethod
    def _compact(block: _Block, delta: Document) -> Iterator[Delta]:
        """A summary, which is given whole: readers take the last one."""
        if block.begun:
            raise ProtocolError("a compaction comes twice", where="delta", status=502)
        block.begun = True
        if not is_empty(delta.get("content")):
            yield TextDelta((f"compaction:{block.index}", 0), text_(delta["content"], ("delta", "content")), again=True)
        yield from others(delta, ("delta",), {"type", "content"}, {"encrypted_content": is_token})

    def _cite(self, block: _Block, delta: Document) -> Iterator[Delta]:
        number, self._citations = self._citations, self._citations + 1
        if number >= MOST_CITATIONS:
            raise ProtocolError(f"an answer with over {MOST_CITATIONS} citations", where="delta", status=502)
        for event in citation_events(delta.get("citation"), ("delta", "citation"), OUTPUT):
            if isinstance(event, Text):
                yield TextDelta((f"citation:{block.index}:{number}:{event.path[-1]}", 0), event.text, again=True)
            elif isinstance(event, Opaque):
                yield event
        yield from rest(delta, ("delta",), {"type", "citation"})

    def _end_block(self, document: Document) -> Iterator[Delta]:
        block = self._block
        if block is None or not _is_index(document, block.index):
            raise ProtocolError("a block stops that is not open", where="index", status=502)
        self._block = None
        if block.kind == "tool_use":
            yield CallDelta(0, block.index, "", "", "" if block.begun else "{}")
        yield from rest(document, (), {"type", "index"})

    def _finish(self, document: Document) -> Iterator[Delta]:
        delta = object_(document.get("delta"), ("delta",))
        reason = delta.get("stop_reason") or ""
        if self._block or not isinstance(reason, str) or (self._stop and reason not in ("", self._stop)):
            raise ProtocolError("the message stops inside a block, or twice", where="delta.stop_reason", status=502)
        yield from _plain(ending(delta, ("delta",)))
        yield from rest(delta, ("delta",), frozenset(ENDING))
        for key in _FIGURES:
            yield from figures(document.get(key), (key,))
        yield from rest(document, (), {"type", "delta", *_FIGURES})
        if reason and not self._stop:
            self._stop = reason
            yield Finish(0)

    def _count(self, document: Document) -> Usage:
        """Counts in later events are of all that was; those that are left out stay as they were."""
        said = document.get("usage") if document["type"] == "message_delta" else document["message"].get("usage")
        if isinstance(said, dict):
            self._usage |= {key: value for key, value in said.items() if is_number(value)}
        return usage_of({"usage": self._usage})

    def _error(self, raw: bytes, document: Document, aside: tuple[Delta, ...]) -> Frame:
        """An error that the server reports. Only its words go on."""
        self.done = True
        reported = object_(document.get("error"), ("error",))
        words = {key: reported[key] for key in _WORDS if isinstance(reported.get(key), str)}
        kept = {"type": "error", "error": words}
        if document != kept:
            raw = self.write(kept)
        said = tuple(TextDelta((f"error.{key}", 0), text, again=True) for key, text in words.items() if text)
        return Frame(raw, kept, (*aside, *said), error=True)


_PIECES = frozenset(
    {"text_delta", "thinking_delta", "signature_delta", "citations_delta", "input_json_delta", "compaction_delta"}
)


def _is_index(document: Document, index: int) -> bool:
    """Whether an event is of the block with this index; true is no index."""
    return type(document.get("index")) is int and document["index"] == index


def _plain(events: Iterator[Text | Opaque]) -> Iterator[Delta]:
    """The events around a message, as deltas."""
    for event in events:
        yield TextDelta((str(event.path[-1]), 0), event.text, again=True) if isinstance(event, Text) else event
