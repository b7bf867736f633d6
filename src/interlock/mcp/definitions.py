"""A server's definitions taken apart: every text in them, with its place and what it is there for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

# A real definition has a few hundred texts at depths below ten. What is larger is not read to its end, and said so.
MOST_PARTS = 20_000
MOST_CHARS = 200_000
DEEPEST = 64
# What an argument may be, which is a value of the tool's own and no prose.
_VALUES = frozenset({"const", "default", "enum", "example", "examples"})
# Under these a schema gives names of the tool's own.
_NAMED = frozenset({"properties", "$defs", "definitions", "patternProperties", "dependentSchemas", "dependentRequired"})


class Role(Enum):
    """What a text in a definition is there for."""

    PROSE = "prose"
    VALUE = "value"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Said:
    """One text of a definition. `place` is as in `inputSchema.properties.x.description`."""

    place: str
    text: str
    role: Role


class TooLargeError(Exception):
    """A definition that is too deep or too large to be read to its end."""


def texts(tool: Mapping[str, Any]) -> Iterator[Said]:
    """Every text of a definition: prose, values, and names, in order. Raises: TooLargeError, after what was read.

    >>> [one.place for one in texts({"name": "x", "inputSchema": {"properties": {"q": {"enum": ["a"]}}}})]
    ['name', 'inputSchema.properties.q', 'inputSchema.properties.q.enum[0]']
    """
    left: list[tuple[object, str, Role, bool, int]] = [(tool, "", Role.PROSE, False, 0)]
    chars = 0
    for _ in range(MOST_PARTS):
        if not left:
            return
        value, place, role, names, depth = left.pop()
        chars += len(value) if isinstance(value, str) else 0
        if depth > DEEPEST or chars > MOST_CHARS:
            raise TooLargeError
        if isinstance(value, str):
            yield _said(place, value, role)
        elif isinstance(value, dict):
            keys = list(_keys(value, place, names=names))
            chars += sum(len(key.text) for key in keys)
            yield from keys if chars <= MOST_CHARS else ()
            left += reversed([_inner(key, inner, place, role, depth, named=names) for key, inner in value.items()])
        elif isinstance(value, list):
            named = Role.NAME if place.endswith(".required") else role
            left += reversed([(inner, f"{place}[{n}]", named, False, depth + 1) for n, inner in enumerate(value)])
    raise TooLargeError


def _said(place: str, text: str, role: Role) -> Said:
    """Half a character, which JSON can hold, is no text: a question mark stands in its place."""
    return Said(place, text if text.isascii() else text.encode("utf-8", "replace").decode(), role)


def _keys(value: dict[str, Any], place: str, *, names: bool) -> Iterator[Said]:
    """The keys that somebody chose: those of properties, and whatever does not look like a keyword."""
    for key in value:
        if names or not key.isascii() or not key.replace("_", "").replace("$", "").replace("-", "").isalnum():
            yield _said(f"{place}.{key}" if place else key, key, Role.NAME)


def _inner(
    key: str, value: object, place: str, role: Role, depth: int, *, named: bool
) -> tuple[object, str, Role, bool, int]:
    inner = Role.VALUE if key in _VALUES and not named else role
    if not depth and key == "name":
        inner = Role.NAME
    return value, f"{place}.{key}" if place else key, inner, key in _NAMED and not named, depth + 1


def arguments(tool: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(place, name, schema) of every argument of a tool, nested ones too, as far as the schema is read."""
    left: list[tuple[object, str]] = [(tool.get("inputSchema"), "inputSchema")]
    for _ in range(MOST_PARTS):
        if not left:
            return
        value, place = left.pop()
        if isinstance(value, dict):
            inner = value.get("properties")
            for name, schema in inner.items() if isinstance(inner, dict) else ():
                yield f"{place}.properties.{name}", name, schema if isinstance(schema, dict) else {}
            left += [(schema, f"{place}.{key}") for key, schema in value.items() if isinstance(schema, dict | list)]
        elif isinstance(value, list):
            left += [(schema, f"{place}[{n}]") for n, schema in enumerate(value)]
