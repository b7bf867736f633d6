"""The headers of a 2026-07-28 request that repeat what its body says, and the comparison of both."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from interlock.mcp.messages import HEADER_MISMATCH, Id, MessageError

PARAM_PREFIX = b"mcp-param-"
# A schema says which of its arguments is repeated in a header; only these kinds may be.
_MARK = "x-mcp-header"
_KINDS = frozenset({"string", "integer", "boolean"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_WRAPPED = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)
_PLAIN = re.compile(r"[\x20-\x7e]*")
_DECIMAL = re.compile(r"-?[0-9]{1,30}(?:\.0+)?")
MAX_DEPTH = 32


def encoded(value: str) -> bytes:
    """A value as a header holds it: as it is, or wrapped in base64 if a header could not hold it.

    >>> encoded("send"), encoded("café")
    (b'send', b'=?base64?Y2Fmw6k=?=')
    """
    if _PLAIN.fullmatch(value) and value == value.strip() and not _WRAPPED.fullmatch(value):
        return value.encode()
    return b"=?base64?%b?=" % base64.b64encode(value.encode("utf-8", "surrogatepass"))


def decoded(value: bytes | None) -> str | None:
    """What a header holds; None if there is none, or its wrapping is broken."""
    if value is None:
        return None
    text = value.decode("latin-1")
    wrapped = _WRAPPED.fullmatch(text)
    if not wrapped:
        return text if _PLAIN.fullmatch(text) else None
    try:
        data = base64.b64decode(wrapped[1], validate=True)
        return data.decode() if base64.b64encode(data).decode() == wrapped[1] else None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def mismatch(id_: Id, header: str) -> MessageError:
    """The error for a header that does not equal the body."""
    return MessageError(HEADER_MISMATCH, f"the header {header} does not match the body", id=id_)


def param_headers(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """The header lines that repeat a call's arguments, as the tool's schema marks them."""
    lines = []
    for path, token, _ in _marked(schema):
        said = _said(_at(arguments, path))
        if said is not None:
            lines.append((PARAM_PREFIX + token.lower().encode(), encoded(said)))
    return lines


def check_params(
    id_: Id, schema: Mapping[str, Any], arguments: Mapping[str, Any], headers: Mapping[bytes, bytes]
) -> None:
    """Whether a call's headers repeat its arguments. Raises: MessageError for one that is missing, or differs."""
    for path, token, kind in _marked(schema):
        name = PARAM_PREFIX + token.lower().encode()
        said, given = _said(_at(arguments, path)), headers.get(name)
        if said is None and given is None:
            continue
        shown = decoded(given)
        if said is None or shown is None or not _equal(kind, said, shown):
            raise mismatch(id_, f"Mcp-Param-{token}")


def _equal(kind: object, said: str, shown: str) -> bool:
    if kind == "integer" and _DECIMAL.fullmatch(said) and _DECIMAL.fullmatch(shown):
        return int(said.partition(".")[0]) == int(shown.partition(".")[0])
    return said == shown


def _marked(schema: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str, object]]:
    """(path of properties, token, type) of each argument that is to be repeated.

    Not those that would share a header, whose names know no case: which of them it repeats nobody could tell.
    """
    found = list(_marks(schema))
    held = Counter(token.lower() for _, token, _ in found)
    return [one for one in found if held[one[1].lower()] == 1]


def _marks(schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, object]]:
    """Every mark of a schema; no `$ref` is followed."""
    left: list[tuple[tuple[str, ...], object]] = [((), schema)]
    while left:
        path, node = left.pop()
        if not isinstance(node, dict) or len(path) > MAX_DEPTH:
            continue
        token, kind = node.get(_MARK), node.get("type")
        if path and isinstance(token, str) and _TOKEN.fullmatch(token) and kind in _KINDS:
            yield path, token, kind
        properties = node.get("properties")
        if isinstance(properties, dict):
            left += [((*path, name), inner) for name, inner in properties.items()]


def _at(arguments: object, path: tuple[str, ...]) -> object:
    for key in path:
        if not isinstance(arguments, dict):
            return None
        arguments = arguments.get(key)
    return arguments


def _said(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
