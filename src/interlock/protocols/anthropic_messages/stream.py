"""An answer as a stream of server-sent events."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.model.errors import ProtocolError
from interlock.model.event import Opaque
from interlock.protocols import Document, Frame, decode, encode
from interlock.protocols._anthropic.stream import Reading
from interlock.protocols._sse import Events

_EVENT_LINE = re.compile(rb"^event[:\r\n]", re.MULTILINE)


def event(document: Document) -> bytes:
    """An event's bytes: its name is the type of its document."""
    return b"event: %b\ndata: %b\n\n" % (document["type"].encode(), encode(document))


@dataclass(slots=True)
class Reader:
    """Events of a message. Rules: the name of an event and the type of its document agree; and those of `Reading`."""

    _events: Events = field(default_factory=Events)
    _reading: Reading = field(default_factory=lambda: Reading(event))

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        return [self._frame(*event) for event in self._events.feed(data)]

    def end(self) -> None:
        """The stream is over."""
        self._events.end()
        if not self._reading.done:
            raise ProtocolError("the stream ended without its end mark", status=502)

    def _frame(self, raw: bytes, data: bytes | None, fields: Mapping[str, str]) -> Frame:
        if self._reading.done and (data is not None or fields):
            raise ProtocolError("the stream goes on after its end mark", status=502)
        aside = tuple(Opaque((key or "comment",), text) for key, text in fields.items() if text and key != "event")
        if data is None and "event" not in fields:
            return Frame(raw, deltas=aside)
        document = decode(_unpadded(data or b""))
        kind = document.get("type")
        if kind != fields.get("event") or not isinstance(kind, str) or _names_twice(raw, kind):
            raise ProtocolError("an event's name and its type do not agree", where="type", status=502)
        return self._reading.frame(raw, document, aside)


def _unpadded(data: bytes) -> bytes:
    """An event's document without the spaces before its last brace: the API hides the length of texts by them."""
    return data[:-1].rstrip(b" ") + b"}" if data.endswith(b" }") else data


def _names_twice(raw: bytes, kind: str) -> bool:
    """Whether an event has its name in more than one line: readers differ in which they take."""
    if raw.startswith(b"event: %b\ndata: " % kind.encode()) and raw.count(b"\n") == len("\n\n\n"):
        return False
    return len(_EVENT_LINE.findall(raw)) != 1
