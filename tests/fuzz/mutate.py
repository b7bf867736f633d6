"""Changes inputs where their bytes alone are hard to change well: inside JSON, and inside messages with a checksum."""

import json
import random
import re
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.protocols._eventstream import Messages, message
from tests.fuzz.targets import CHOICE

EVENT_STREAM = "application/vnd.amazon.eventstream"
# Where documents lie in a stream of this type: each second piece is one.
DOCUMENTS = {
    "text/event-stream": re.compile(rb"(?m)(?<=^data: )(\{.*\})$"),
    "application/x-ndjson": re.compile(rb"(?m)^(\{.*\})$"),
}
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**63, 1.5, 1e308, "", "x", "text", "function", "tool_use", "assistant", "stop",
    "\ud7ff", "\u0000", "a" * 300, [], {}, [[]], [{}], {"text": "x"}, {"type": "text", "text": "x"}, ["x"],
    '{"a":1}', "eA==",
)  # fmt: skip


def mutate(data: bytes, kind: str, choose: random.Random) -> bytes | None:
    """An input with one document in it changed; None if there is none. Deterministic by `choose`."""
    start, wire = data[:CHOICE], data[CHOICE:]
    if choose.random() < 0.1:
        start = choose.randbytes(CHOICE)
    changed = _document(wire, choose)
    if changed is None and kind in DOCUMENTS:
        changed = _lines(wire, DOCUMENTS[kind], choose)
    if changed is None and kind == EVENT_STREAM:
        changed = _messages(wire, choose)
    return None if changed is None else start + changed


def _document(data: bytes, choose: random.Random) -> bytes | None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    for _ in range(choose.randrange(1, 4)):
        document = _changed(document, choose)
    try:
        return json.dumps(document, separators=(",", ":")).encode()
    except RecursionError:
        return None


def _lines(wire: bytes, documents: re.Pattern[bytes], choose: random.Random) -> bytes | None:
    pieces = documents.split(wire)
    if len(pieces) < 3:
        return None
    at = choose.randrange(len(pieces) // 2) * 2 + 1
    match choose.randrange(5):
        case 0:  # once more, or not at all
            pieces[at : at + 2] = [] if choose.random() < 0.5 else pieces[at : at + 2] * 2
        case 1:  # in another place
            other = choose.randrange(len(pieces) // 2) * 2 + 1
            pieces[at], pieces[other] = pieces[other], pieces[at]
        case _:
            changed = _document(pieces[at], choose)
            if changed is None:
                return None
            pieces[at] = changed
    return b"".join(pieces)


def _messages(wire: bytes, choose: random.Random) -> bytes | None:
    try:
        found = Messages().feed(wire)
    except ProtocolError:
        return None
    if not found:
        return None
    raw = [one.raw for one in found]
    at = choose.randrange(len(found))
    match choose.randrange(5):
        case 0:
            raw[at : at + 1] = [] if choose.random() < 0.5 else [raw[at]] * 2
        case 1:
            other = choose.randrange(len(found))
            raw[at], raw[other] = raw[other], raw[at]
        case 2:
            raw[at] = message(found[choose.randrange(len(found))].headers, found[at].payload)
        case _:
            changed = _document(found[at].payload, choose)
            if changed is None:
                return None
            raw[at] = message(found[at].headers, changed)
    return b"".join(raw)


def _changed(document: Any, choose: random.Random) -> Any:
    """The document with one place in it changed."""
    places = list(_places(document))
    if not places:
        return choose.choice(VALUES)
    holder, key = choose.choice(places)
    match choose.randrange(6):
        case 0:
            del holder[key]
        case 1:  # a value of another place
            other, name = choose.choice(places)
            holder[key] = json.loads(json.dumps(other[name]))
        case 2 if isinstance(holder, dict):  # a key of another place
            names = [name for where, name in places if isinstance(where, dict)]
            holder[choose.choice(names)] = holder.pop(key)
        case 3 if isinstance(holder, list):
            holder.insert(key, json.loads(json.dumps(holder[key])))
        case 4 if isinstance(holder[key], str):
            holder[key] = choose.choice((holder[key][: choose.randrange(len(holder[key]) + 1)], holder[key] * 2))
        case _:
            holder[key] = json.loads(json.dumps(choose.choice(VALUES)))
    return document


def _places(document: Any) -> Any:
    """(holder, key or index) of everything in a document."""
    found: list[tuple[Any, Any]] = []
    left = [document]
    while left:
        holder = left.pop()
        items = holder.items() if isinstance(holder, dict) else enumerate(holder) if isinstance(holder, list) else ()
        for key, value in items:
            found.append((holder, key))
            left.append(value)
    return found
