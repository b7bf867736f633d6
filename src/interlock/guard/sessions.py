"""Tells which conversation a request goes on with, from the conversation itself.

Each request carries what was said before. So a request whose beginning is a request that we have seen goes
on with that session. The agent cannot put itself into another workload's session: the workload is part of
what is hashed. A conversation whose beginning was cut off or rewritten counts as a new one.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from interlock.model.event import Channel, Event, Media, Text, ToolCall

# One entry is about 300 bytes; the least recently used is forgotten first.
KEPT = 50_000


@dataclass(frozen=True, slots=True)
class Place:
    """A session's id, and how many of the request's events were already in its last request.

    `beginning` is a hash of this request, by which a later one is known to go on with it.
    """

    session: str
    known: int
    beginning: str = ""


class Sessions:
    """The beginnings that were seen, bounded. Not for use by several threads at once."""

    def __init__(self, kept: int = KEPT) -> None:
        self._seen: OrderedDict[bytes, str] = OrderedDict()
        self._kept = kept

    def place(self, workload: str, marks: Sequence[str], request: str) -> Place:
        """Where this request belongs, by the marks of its events; see `mark`.

        `request` is its unique id, from which a new session's id is made.
        """
        name = workload.encode("utf-8", "surrogatepass")
        hashed = hashlib.blake2b(b"%d %s" % (len(name), name), digest_size=16)
        session, known = "", 0
        beginning = hashed.digest()
        for index, one in enumerate(marks):
            if not one:
                continue
            hashed.update(one.encode("utf-8", "surrogatepass"))
            beginning = hashed.digest()
            if (seen := self._seen.get(beginning)) is not None:
                session, known = seen, index + 1
        session = session or f"s_{hashlib.blake2b(f'{workload} {request}'.encode(), digest_size=8).hexdigest()}"
        self._remember(beginning, session)
        return Place(session, known, beginning.hex())

    def adopt(self, beginning: str, session: str) -> None:
        """Know a beginning that another process has seen, or this one before it was started anew."""
        if (held := bytes.fromhex(beginning)) not in self._seen:
            self._remember(held, session)

    def _remember(self, beginning: bytes, session: str) -> None:
        self._seen[beginning] = session
        self._seen.move_to_end(beginning)
        while len(self._seen) > self._kept:
            self._seen.popitem(last=False)


def text_of(event: Event) -> str | None:
    """The text that an event adds to the conversation; None if it adds none."""
    if isinstance(event, Text) and event.channel is not Channel.PARAMETER:
        return event.text
    if isinstance(event, Media):
        return event.data
    return event.arguments if isinstance(event, ToolCall) else None


def mark(event: Event, digest: str) -> str:
    """An event in short, with the hash of its text; lengths keep two from being read as one."""
    if isinstance(event, ToolCall):
        return f"call {len(event.call_id)} {event.call_id} {len(event.name)} {event.name} {digest};"
    if isinstance(event, Media):
        return f"{event.kind} {event.channel.value} {len(event.call_id)} {event.call_id} {digest};"
    assert isinstance(event, Text)
    return f"{event.channel.value} {len(event.call_id)} {event.call_id} {digest};"
