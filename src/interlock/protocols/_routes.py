"""The paths by which a protocol is reached, with names in braces, as the API references write them."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from interlock.model.errors import ProtocolError

_NAME = re.compile(r"\{([a-z_]+)\}")
# What may stand in one segment of a path (RFC 3986, section 3.3).
_SEGMENT = r"[A-Za-z0-9._~!$&'()*+,;=:@%-]+?"
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_NONE: Mapping[str, str] = {}


class Target(NamedTuple):
    """What a request asks of its protocol: `path` as the client wrote it, and the parts of it that have a name.

    `query` holds the parameters that the protocol knows; `query_raw` the same as it is sent on.
    """

    path: str
    fields: Mapping[str, str] = _NONE
    query: Mapping[str, str] = _NONE
    query_raw: str = ""


class Pattern:
    """A route such as `/model/{model}/converse`. Each name stands for one segment of the path, or a part of one."""

    def __init__(self, route: str) -> None:
        self._pattern = _compiled(route)

    def matches(self, path: str) -> bool:
        """Whether `path`, without its query, is of this form."""
        return self._pattern.fullmatch(path) is not None

    def match(self, path: str, known: frozenset[str]) -> Target | None:
        """The target of `path` (with its query), or None if the path is another one.

        Raises: ProtocolError for a parameter that is not `known`, or a name that holds what no name may.
        """
        bare, _, query = path.partition("?")
        found = self._pattern.fullmatch(bare)
        if not found:
            return None
        fields = {name: _decoded(value, "path") for name, value in found.groupdict().items()}
        if any(part in ("", ".", "..") for value in fields.values() for part in value.split("/")):
            raise ProtocolError("a name in the path is none", where="path", hint="send the name of a model")
        return Target(bare, fields, _parameters(query, known), query)


@lru_cache(maxsize=256)
def _compiled(route: str) -> re.Pattern[str]:
    parts = _NAME.split(route)
    return re.compile(
        "".join(f"(?P<{part}>{_SEGMENT})" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    )


def _parameters(query: str, known: frozenset[str]) -> Mapping[str, str]:
    given: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        if name not in known:
            hint = "leave it out; a key belongs into a header, never into an address"
            raise ProtocolError("the query holds a parameter that is not understood", where="query", hint=hint)
        if name in given:
            raise ProtocolError(f"the parameter {name} stands twice", where="query", hint="send it once")
        given[name] = _decoded(value, "query")
    return given


def _decoded(value: str, where: str) -> str:
    raw = _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), value.encode())
    if b"%" in raw and raw.count(b"%") != value.upper().count("%25"):
        raise ProtocolError("a percent sign is not followed by two digits", where=where, hint="write it as %25")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ProtocolError("percent-encoded text is not UTF-8", where=where, hint="encode it as UTF-8") from None
    if not text.isprintable():
        raise ProtocolError("holds signs that cannot be printed", where=where, hint="send printable text")
    return text
