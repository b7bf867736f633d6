"""An answer as a stream of chunks, each of which carries an event of the model's own."""

from dataclasses import dataclass, field

from interlock.model.errors import ProtocolError
from interlock.model.event import Opaque, Text
from interlock.protocols import Delta, Document, Frame, TextDelta, decode, encode
from interlock.protocols._anthropic.stream import Reading
from interlock.protocols._bedrock import AFTER, fault, kind_of, padding
from interlock.protocols._eventstream import Message, Messages
from interlock.protocols._reading import others
from interlock.protocols.bedrock_invoke.answer import added
from interlock.protocols.bedrock_invoke.chunks import CHUNK, own, packed, unpacked
from interlock.protocols.bedrock_invoke.request import UNREAD

# Strings of a guardrail's trace; each is a text of its own.
MOST_WORDS = 4_096


@dataclass(slots=True)
class Reader:
    """Chunks of an answer.

    Rules: the first chunk says whose events they are: Anthropic's begin with one that has a type. Then `Reading`'s
    rules hold, and nothing follows the end of the message. Of any other family each chunk is opaque, none of them has a
    type, and nobody can say where the answer ends. An exception ends the stream.
    """

    _messages: Messages = field(default_factory=Messages)
    _reading: Reading = field(default_factory=lambda: Reading(packed))
    _unread: bool | None = None
    _failed: bool = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        return [self._frame(message) for message in self._messages.feed(data)]

    def end(self) -> None:
        """The stream is over."""
        self._messages.end()
        if not (self._reading.done or self._failed or self._unread):
            raise ProtocolError("the stream ended before the message did", status=502)

    def _frame(self, message: Message) -> Frame:
        if self._reading.done or self._failed:
            raise ProtocolError("the stream goes on after its end", status=502)
        kind, aside = kind_of(message)
        if not kind:
            self._failed = True
            return fault(message, aside)
        outer = decode(message.payload)
        if kind != CHUNK:
            return Frame(message.raw, outer, (*aside, Opaque((kind,), encode(outer).decode())))
        around = (*aside, *others(outer, (CHUNK,), {"bytes"} | padding(outer), {}))
        document = unpacked(outer)
        body = own(document)
        if self._unread is None:
            self._unread = "type" not in body
        if self._unread:
            if "type" in body:
                raise ProtocolError("the chunks of a stream are of two families", status=502)
            unread = Opaque((UNREAD,), encode(document).decode())
            return Frame(message.raw, document, (*around, unread))
        frame = self._reading.frame(message.raw, body, around)
        if body is document:
            return frame
        return frame._replace(document=document, deltas=(*frame.deltas, *_added(document)))


def _added(document: Document) -> tuple[Delta, ...]:
    """What Bedrock adds to an event: its nth text, and what is none."""
    events = tuple(added(document))
    if len(events) > MOST_WORDS:
        raise ProtocolError(f"a trace with over {MOST_WORDS} strings", status=502)
    return tuple(
        TextDelta((f"trace:{number}", AFTER), event.text, again=True) if isinstance(event, Text) else event
        for number, event in enumerate(events)
        if isinstance(event, Text | Opaque)
    )
