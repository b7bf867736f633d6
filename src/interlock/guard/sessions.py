"""Tells which conversation a request goes on with, from the conversation itself.

Each request carries what was said before. So a request whose beginning is a request that we have seen goes
on with that session. The agent cannot put itself into another workload's session: the workload is part of
what is hashed. A conversation whose beginning was cut off or rewritten counts as a new one.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from interlock.model.event import Channel, Event, Text, ToolCall

# One entry is about 300 bytes; the least recently used is forgotten first.
KEPT = 50_000


@dataclass(frozen=True, slots=True)
class Place:
    """A session's id, and how many of the request's events were already in its last request."""

    session: str
    known: int


class Sessions:
    """The beginnings that were seen, bounded. Not for use by several threads at once."""

    def __init__(self, kept: int = KEPT) -> None:
        self._seen: OrderedDict[bytes, str] = OrderedDict()
        self._kept = kept

    def place(self, workload: str, events: Sequence[Event], request: str) -> Place:
        """Where this request belongs; `request` is its unique id, from which a new session's id is made."""
        name = workload.encode("utf-8", "surrogatepass")
        hashed = hashlib.blake2b(b"%d %s" % (len(name), name), digest_size=16)
        session, known = "", 0
        for index, event in enumerate(events):
            said = _said(event)
            if said is None:
                continue
            hashed.update(said)
            if (seen := self._seen.get(hashed.digest())) is not None:
                session, known = seen, index + 1
        session = session or f"s_{hashlib.blake2b(f'{workload} {request}'.encode(), digest_size=8).hexdigest()}"
        self._remember(hashed.digest(), session)
        return Place(session, known)

    def _remember(self, beginning: bytes, session: str) -> None:
        self._seen[beginning] = session
        self._seen.move_to_end(beginning)
        while len(self._seen) > self._kept:
            self._seen.popitem(last=False)


def _said(event: Event) -> bytes | None:
    """What an event adds to the conversation; lengths keep two events from being read as one."""
    match event:
        case Text(channel=channel, text=text, call_id=call_id) if channel is not Channel.PARAMETER:
            parts = [channel.value, call_id, text]
        case ToolCall(call_id=call_id, name=name, arguments=arguments):
            parts = ["call", call_id, name, arguments]
        case _:
            return None
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(b"%d %s" % (len(part), part) for part in encoded)
