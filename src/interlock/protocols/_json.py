"""Strict JSON for adapters: one reading only, so that no two parsers can understand it differently.

Refuses duplicate keys, invalid UTF-8, lone surrogates, NaN, numbers out of range and too deep nesting.
"""

import json
import re
from collections.abc import Iterator, Sequence, Set
from typing import Any

import msgspec

from interlock.model.errors import ProtocolError
from interlock.model.event import Opaque, Path

# Deeper than any real tool schema; shallow enough for a recursive walk in Python.
MAX_DEPTH = 64

_decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode
# A field's name as APIs have them; anything else is text that somebody put into a key.
_NAME = re.compile(r"[A-Za-z0-9_$.-]{1,64}")


def decode(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`. Raises: ProtocolError that says what is wrong and where."""
    try:
        document = _decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ProtocolError(f"the body is not valid JSON: {error}", hint="send one JSON object in UTF-8") from error
    except RecursionError:
        raise ProtocolError("the body is nested too deeply", hint=f"at most {MAX_DEPTH} levels") from None
    if not isinstance(document, dict):
        raise ProtocolError("the body is not a JSON object", hint="send one JSON object")
    if not _is_canonical(document, data):
        _refuse_duplicates(data)
    # As many brackets as levels are needed to nest that deeply; counting them is cheaper than descending.
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and _depth(document) > MAX_DEPTH:
        raise ProtocolError("the body is nested too deeply", hint=f"at most {MAX_DEPTH} levels")
    return document


def texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every string in `value`, keys of objects too, with the place where it stands."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key), key
            yield from texts(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from texts(inner, (*path, index))


def values(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every string in `value` that is not a key, with the place where it stands."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from values(inner, (*path, key))


def replace(document: Any, path: Path, value: object) -> None:
    """Put `value` where `path` leads in `document`, which must have such a place."""
    *parents, last = path
    for part in parents:
        document = document[part]
    document[last] = value


def where(path: Path) -> str:
    """A path as people write it: `messages[0].content`. It goes into the log, so a key that is no name is masked."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{named(part)}" if out else named(part)
    return out


def named(key: str) -> str:
    """A key if it is a field's name, else a question mark."""
    return key if _NAME.fullmatch(key) else "?"


def rest(value: dict[str, Any], path: Path, known: Set[str]) -> Sequence[Opaque]:
    """Everything under keys that are not `known` and is not empty, as opaque events."""
    if value.keys() <= known:
        return ()
    return [opaque((*path, key), inner) for key, inner in value.items() if key not in known and not is_empty(inner)]


def is_empty(value: object) -> bool:
    """Whether a field says nothing: SDKs send back such fields of an answer as they came."""
    return value is None or value == "" or value == [] or value == {}


def opaque(path: Path, value: object) -> Opaque:
    """A value that the adapter does not understand, as text."""
    return Opaque(path, value if isinstance(value, str) else encode(value).decode())


def object_(value: object, path: Path) -> dict[str, Any]:
    """`value` if it is an object. Raises: ProtocolError."""
    if not isinstance(value, dict):
        raise ProtocolError("expected an object", where=where(path), hint="see the API reference")
    return value


def list_(value: object, path: Path) -> list[Any]:
    """`value` if it is a list. Raises: ProtocolError."""
    if not isinstance(value, list):
        raise ProtocolError("expected a list", where=where(path), hint="see the API reference")
    return value


def text_(value: object, path: Path) -> str:
    """`value` if it is a text. Raises: ProtocolError."""
    if not isinstance(value, str):
        raise ProtocolError("expected a text", where=where(path), hint="see the API reference")
    return value


def _is_canonical(document: dict[str, Any], data: bytes) -> bool:
    """Whether writing the document again gives the same bytes: then no key can have stood there twice.

    The official SDKs send exactly this form, so the slow search for duplicates is rarely needed.
    """
    return bool(encode(document) == data)


def _refuse_duplicates(data: bytes) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(pairs)
        if len(out) != len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise ProtocolError(f"the key {named(twice)!r} stands twice in one object", hint="send each key once")
        return out

    try:
        json.loads(data, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the body is not valid JSON: {error}", hint="send one JSON object in UTF-8") from error


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return depth
