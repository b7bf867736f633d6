"""An answer as a stream of events."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Media, Opaque, Path, Text, ToolCall
from interlock.protocols import CallDelta, Delta, Document, Finish, Frame, TextDelta, Usage
from interlock.protocols._json import decode, encode, is_empty, opaque, text_
from interlock.protocols._sse import Events
from interlock.protocols.openai_responses.answer import response_of, usage_of
from interlock.protocols.openai_responses.fields import ERROR, TOKENS, index_of, is_padding
from interlock.protocols.openai_responses.items import call_of
from interlock.protocols.openai_responses.pieces import (
    ADDED,
    ANNOTATIONS,
    CALLS,
    DONE,
    LAST,
    PARTS,
    RESPONSE,
    TEXTS,
    is_echo,
    name_of,
    pieces,
)

# A piece of output text and nothing else. Most events of a stream are such.
PLAIN = "response.output_text.delta"
_PLAIN = frozenset(
    {"type", "item_id", "output_index", "content_index", "delta", "sequence_number", "logprobs", "obfuscation"}
)
# `output`, the item, `content` or `summary`, the part, and its field.
PART_DEPTH = 5
# The events that stand in for a refused call, of which each of its own makes some; see `edit.py`.
STAND_INS = 6


class _Item(NamedTuple):
    kind: str
    id: str
    call_id: str = ""
    name: str = ""
    plain_name: str = ""


class Reader:
    """Events of a response.

    Rules: an item begins once, before its parts, and keeps its kind and id; a part begins once; `event:` says what
    the document's `type` says; the response's last event ends the stream, and only `[DONE]` may follow it. What is
    said once more is marked so, and is NOT compared here. Holds an entry for each item, part and echo.
    """

    def __init__(self) -> None:
        self._events = Events()
        self._items: dict[int, _Item] = {}
        self._parts: set[tuple[int, str, int]] = set()
        self._stood: dict[int, int] = {}
        self._echo = ("", 0)
        self._done = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        return [self._frame(*event) for event in self._events.feed(data)]

    def end(self) -> None:
        """The stream is over."""
        self._events.end()
        if not self._done:
            raise ProtocolError("the stream ended before its response was complete", status=502)

    def _frame(self, raw: bytes, data: bytes | None, fields: Mapping[str, str]) -> Frame:
        if data is None or (data == b"[DONE]" and self._done):
            return Frame(raw, deltas=_aside(fields, known=None), done=data is not None)
        if self._done:
            raise ProtocolError("the stream goes on after its end", status=502)
        document = decode(data)
        kind = document.get("type")
        if kind == "error" or (document.get("error") and kind not in RESPONSE):
            self._done = True
            return _error_frame(raw, document, fields)
        if not isinstance(kind, str) or fields.get("event", kind) != kind:
            raise ProtocolError("an event does not say what it is, or says two things", where="type", status=502)
        aside = _aside(fields, "event") if len(fields) > 1 or "event" not in fields else ()
        if (text := self._plain(document)) is not None:
            return Frame(raw, {"event": document}, (*aside, text))
        self._check(document, kind)
        deltas: tuple[Delta, ...] = (*aside, *self._deltas(document, kind))
        held: Document = {"event": document}
        if kind in CALLS or (kind in (ADDED, DONE) and _is_call(deltas)):
            index = document["output_index"]
            held |= {"stands": self._stand(index, kind), "id": self._items[index].id}
        if kind not in RESPONSE:
            return Frame(raw, held, deltas)
        return self._response_frame(raw, held, deltas, kind)

    def _response_frame(self, raw: bytes, held: Document, deltas: tuple[Delta, ...], kind: str) -> Frame:
        response = response_of(held["event"])
        usage: Usage | None = usage_of(response) if response.get("usage") else None
        model = text_(response.get("model") or "", ("response", "model"))
        self._done = last = kind in LAST
        failed = kind == "response.failed"
        ends = (Finish(0),) if last else ()
        return Frame(raw, held, (*deltas, *ends), usage, model, error=failed, last=last)

    def _plain(self, document: Document) -> TextDelta | None:
        """The delta of a piece of output text with nothing else in it, or None."""
        if document["type"] != PLAIN or not document.keys() <= _PLAIN or document.get("logprobs"):
            return None
        item, part, text = document.get("output_index"), document.get("content_index"), document.get("delta")
        known = self._items.get(item) if type(item) is int else None
        if known is None or known.kind != "message" or document.get("item_id", known.id) != known.id:
            return None
        if type(part) is not int or not isinstance(text, str) or (item, "content", part) not in self._parts:
            return None
        if type(document.get("sequence_number")) is not int or not is_padding(document.get("obfuscation", "")):
            return None
        return TextDelta((f"output.{item}.content.{part}.text", 0), text, joined="message.text")

    def _check(self, document: Document, kind: str) -> None:
        """That an event fits what was said of its item before."""
        if kind in (ADDED, DONE):
            self._check_item(document, kind)
            return
        if kind not in CALLS and kind not in PARTS and kind not in TEXTS and kind not in ANNOTATIONS:
            return
        index = index_of(document, "output_index")
        item = self._items.get(index)
        if item is None:
            raise ProtocolError("an event belongs to an item that has not begun", where=kind, status=502)
        _require(document.get("item_id") in (None, "", item.id) or not item.id, kind)
        if kind in CALLS:
            _require(item.kind == CALLS[kind], kind)
            _require(document.get("call_id") in (None, "", item.call_id), kind)
            _require(document.get("name") in (None, "", item.plain_name), kind)
        elif kind in TEXTS:
            _require(item.kind == TEXTS[kind].item, kind)
        else:
            _require(item.kind in ("message", "reasoning"), kind)
        if kind in PARTS and kind.endswith(".added"):
            parts, field = PARTS[kind]
            part = (index, parts, index_of(document, field))
            _require(part not in self._parts, kind)
            self._parts.add(part)

    def _check_item(self, document: Document, kind: str) -> None:
        value, index = document.get("item"), index_of(document, "output_index")
        if not isinstance(value, dict):
            return
        item = _Item(text_(value.get("type"), ("item", "type")), text_(value.get("id") or "", ("item", "id")))
        if item.kind in CALLS.values():
            call = call_of(value, ("item",))
            item = item._replace(call_id=call.call_id, name=call.name, plain_name=value["name"])
        before = self._items.setdefault(index, item)
        if before is item:
            return
        same = before._replace(id="") == item._replace(id="") and item.id in ("", before.id or item.id)
        _require(kind == DONE and same, kind)

    def _stand(self, index: int, kind: str) -> list[int]:
        """Which of the stand-ins for a refused call an event makes: from where, and up to where (half-open).

        One for each event, so that each has a sequence number of its own as long as there are enough events.
        """
        begin = self._stood.get(index, 0)
        if kind == ADDED:
            until = 1
        elif kind == DONE:
            until = STAND_INS
        else:
            until = min(begin + 1, STAND_INS - 2) if kind.endswith(".delta") else STAND_INS - 1
        self._stood[index] = until = max(begin, until)
        return [begin, until]

    def _deltas(self, document: Document, kind: str) -> Iterator[Delta]:
        again = kind in RESPONSE or kind.endswith(".done")
        for piece in pieces(document):
            event = piece.event
            match event:
                case Text(text=text, channel=channel) if text:
                    name = name_of(piece, kind)
                    repeated, echo = again and event.path[-1] not in TOKENS, channel is Channel.PARAMETER
                    if is_echo(name):
                        yield self._echoed(text)
                    else:
                        yield TextDelta((name, 0), text, repeated, echo, self._joined(event.path))
                case ToolCall(path=path, call_id=call_id, name=name, arguments=arguments):
                    index = int(path[1])
                    sort = self._items[index].kind if kind in CALLS else _kind_at(document, piece.at)
                    yield CallDelta(0, index, call_id, name, arguments, sort, again=again)
                case Opaque() | Media():
                    yield event
                case _:
                    pass

    def _joined(self, path: Path) -> str:
        """The text that clients make of all parts of this sort: `output_text` of the SDKs is one."""
        if len(path) != PART_DEPTH or path[0] != "output" or path[-1] in TOKENS:
            return ""
        item = self._items.get(int(path[1]))
        return f"{item.kind}.{path[-1]}" if item else ""

    def _echoed(self, text: str) -> TextDelta:
        """What a response says once more of its request; mostly it is the same in each event."""
        said, number = self._echo
        if text != said:
            self._echo = (text, number + 1)
        return TextDelta((f"echo@{self._echo[1]}", 0), text, again=True, echo=True)


def _aside(fields: Mapping[str, str], known: str | None) -> tuple[Opaque, ...]:
    """What the lines of an event say beside its data."""
    return tuple(Opaque((name or "comment",), text) for name, text in fields.items() if text and name != known)


def _require(fits: bool, kind: str) -> None:
    if not fits:
        raise ProtocolError("an event does not fit what was said of its item before", where=kind, status=502)


def _kind_at(document: Any, path: tuple[str | int, ...]) -> str:
    for part in path:
        document = document[part]
    return str(document["type"])


def _is_call(deltas: tuple[Delta, ...]) -> bool:
    return any(isinstance(delta, CallDelta) for delta in deltas)


def _error_frame(raw: bytes, document: Document, fields: Mapping[str, str]) -> Frame:
    """An error that the server reports. Only its words go on: a client may read whatever else stands in there."""
    kept: Document = {"type": "error"} if "type" in document else {}
    kept |= _words(document, ("code", "message", "param"))
    if not is_empty(reported := document.get("error")):
        kept["error"] = _words(reported if isinstance(reported, dict) else {"message": reported}, ERROR)
    if isinstance(number := document.get("sequence_number"), int):
        kept["sequence_number"] = number
    if document != kept or fields not in ({}, {"event": "error"}):
        raw = b"event: error\ndata: " + encode(kept) + b"\n\n"
    return Frame(raw, deltas=(opaque(("error",), kept),), error=True)


def _words(reported: Document, names: tuple[str, ...]) -> Document:
    return {key: reported[key] for key in names if key in reported and isinstance(reported[key], str | None)}
