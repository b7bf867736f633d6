"""The objects in a tool's result: their fields, as the service itself wrote them.

Only a result that is JSON or block YAML as a whole has any: text between which an outsider could write a field of his
own has none, nor has what stands inside a text of such a document.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

from interlock.provenance.blocks import read_blocks

# Larger results are searched as text, and assert nothing.
LONGEST = 2_000_000
# Blocks are read line by line, which takes longer.
LONGEST_BLOCKS = 200_000
MOST_RECORDS = 2_000
MOST_FIELDS = 50_000
MAX_DEPTH = 16
# What stands beside a list in a page of it: where it goes on, and how many there are.
MOST_AROUND = 4


class Record(NamedTuple):
    """One object: (name of the field, value as text) of all that it holds, inner objects too."""

    fields: tuple[tuple[str, str], ...]


def records(text: str) -> tuple[Record, ...]:
    """Every object of a result, outer ones first; none if it is no such document, or too large."""
    if len(text) > LONGEST:
        return ()
    document = _document(text)
    out: list[Record] = []
    left, budget = [document], MOST_FIELDS
    while left and len(out) < MOST_RECORDS and budget > 0:
        value = left.pop(0)
        if isinstance(value, dict):
            fields = tuple(_fields(value, 0))
            budget -= len(fields)
            out.append(Record(fields))
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        left.extend(one for one in inner if isinstance(one, dict | list))
    return tuple(out) if budget > 0 and not left else ()


def outermost(text: str) -> int:
    """How many objects a result is about: those of its list, whether or not an object is around it."""
    document = _document(text)
    if isinstance(document, dict):
        lists = [
            value
            for value in document.values()
            if isinstance(value, list) and any(isinstance(one, dict) for one in value)
        ]
        document = lists[0] if len(lists) == 1 and len(document) <= MOST_AROUND else [document]
    return sum(isinstance(one, dict) for one in document) if isinstance(document, list) else 0


def _document(text: str) -> object:
    begin = text.lstrip()[:1]
    if begin not in ("{", "["):
        return read_blocks(text) if len(text) <= LONGEST_BLOCKS else None
    try:
        return json.loads(text, object_pairs_hook=_once, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose keys all stand once: with two of a kind nobody can say what it asserts."""
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key stands twice")
    return out


def _fields(value: dict[str, object], depth: int) -> Iterator[tuple[str, str]]:
    for key, inner in value.items():
        yield from _leaves(key, inner, depth)


def _leaves(key: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif depth < MAX_DEPTH and isinstance(value, list):
        for one in value:
            yield from _leaves(key, one, depth + 1)
    elif depth < MAX_DEPTH and isinstance(value, dict):
        # `attendees: [{email: ...}]`: the address is one of the attendees.
        for name, one in value.items():
            yield from _leaves(f"{key}.{name}", one, depth + 1)
