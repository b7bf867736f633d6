"""Cuts messages out of what a server sends: one JSON body, an event stream, or lines. Sans-IO, bounded."""

import re
from enum import Enum

from interlock.model.errors import ProtocolError
from interlock.protocols import Events

# An id of an event: it stands in a header when somebody comes back.
_ID = re.compile(r"[\x21-\x7e]{1,256}")


class Framing(Enum):
    """How messages follow each other."""

    BODY = "body"
    EVENTS = "events"
    LINES = "lines"


class Messages:
    """The messages of one answer, as bytes.

    Rules: a message has at most `limit` bytes; events without data, or of another name than `message`, are none. It
    does NOT parse them. `last_id` is that of the last event that had one, whether or not it was a message.
    """

    def __init__(self, framing: Framing, limit: int) -> None:
        self._framing = framing
        self._limit = limit
        self._events = Events()
        self._held = bytearray()
        self.last_id = ""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes. Raises: ProtocolError for one that is too long, or a broken stream."""
        return [message for message, _ in self.numbered(data)]

    def numbered(self, data: bytes) -> list[tuple[bytes, str]]:
        """The same, each with the id that it has in its stream of events; "" if it has none."""
        found: list[tuple[bytes, str]] = []
        match self._framing:
            case Framing.BODY:
                self._held += data
            case Framing.EVENTS:
                for _, said, fields in self._events.feed(data):
                    id_ = fields.get("id", "")
                    self.last_id = id_ if is_event_id(id_) else self.last_id
                    if said and fields.get("event", "message") == "message":
                        found.append((said, id_))
            case Framing.LINES:
                self._held += data
                *lines, rest = self._held.split(b"\n")
                self._held = bytearray(rest)
                found = [(bytes(line), "") for line in lines if line.strip()]
        if len(self._held) > self._limit or any(len(one) > self._limit for one, _ in found):
            raise ProtocolError(f"a message has over {self._limit} bytes")
        return found

    def end(self) -> list[bytes]:
        """What is complete only because nothing follows. Raises: ProtocolError if a message was cut."""
        if self._framing is Framing.EVENTS:
            self._events.end()
            return []
        held, self._held = bytes(self._held), bytearray()
        if self._framing is Framing.LINES and held.strip():
            raise ProtocolError("the server ended in the middle of a line")
        return [held] if held.strip() else []


def event(message: bytes, id_: str = "") -> bytes:
    """A message as one event of a stream; JSON as we write it has no line ends, nor has an id that was read."""
    number = b"id: %b\n" % id_.encode() if is_event_id(id_) else b""
    return b"event: message\n%bdata: %b\n\n" % (number, message)


def is_event_id(text: str) -> bool:
    """Whether this can be the id of an event: it goes into a header, and into a stream."""
    return bool(_ID.fullmatch(text))
