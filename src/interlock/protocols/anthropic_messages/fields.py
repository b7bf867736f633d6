"""What a field may hold without being text: settings, names, tokens that only the API's own servers can read."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any, TypeAlias

from interlock.model.event import Opaque, Path, Text
from interlock.protocols import Document
from interlock.protocols._json import is_empty, opaque, rest

Fits: TypeAlias = Callable[[Any], bool]

# An id, a model's name, a media type, a place such as `messages[3].content[0]`.
_NAME = re.compile(r"[A-Za-z0-9_.:/@\[\]+-]{1,256}")
# Signatures and encrypted contents are base64; whoever writes words there is seen.
_TOKEN = re.compile(r"[A-Za-z0-9+/=_.-]*")
# Under these keys counts are given a name, in `usage` and its neighbours.
_LABELS = frozenset(
    {"type", "status", "reason", "model", "service_tier", "inference_geo", "speed", "path", "remove_to_redeem"}
)


def is_name(value: object) -> bool:
    """Whether it is an identifier: no spaces, no sentence."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_token(value: object) -> bool:
    """Whether it is base64, or nothing."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def is_switch(value: object) -> bool:
    """Whether it is true or false."""
    return isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether it is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_names(value: object) -> bool:
    """Whether it is a list of identifiers."""
    return isinstance(value, list) and all(map(is_name, value))


def holds(**fields: Fits) -> Fits:
    """Whether a value is an object of nothing but these fields, each as it should be or empty."""

    def fits(value: object) -> bool:
        return isinstance(value, dict) and all(
            key in fields and (is_empty(inner) or fields[key](inner)) for key, inner in value.items()
        )

    return fits


# Fields that stand at many objects and say nothing.
CACHED: Mapping[str, Fits] = {"cache_control": holds(type=is_name, ttl=is_name, scope=is_name)}
CALLED: Mapping[str, Fits] = {**CACHED, "caller": holds(type=is_name, tool_id=is_name), "toolset_name": is_name}
CITABLE: Mapping[str, Fits] = {**CACHED, "citations": holds(enabled=is_switch)}


def others(value: Document, path: Path, known: Set[str], quiet: Mapping[str, Fits]) -> Sequence[Opaque]:
    """What stands under keys that are not `known`, and `quiet` ones that are not as they should be."""
    if value.keys() <= known:
        return ()
    return rest(value, path, {*known, *(key for key in quiet if key in value and quiet[key](value[key]))})


def strings(value: object, path: Path, says: Callable[[Path, str], Text]) -> Iterator[Text | Opaque]:
    """Every string in a value, as who says it; a key that is no name is opaque, since it cannot be replaced."""
    if isinstance(value, str):
        yield says(path, value)
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str) and not is_name(key):
                yield Opaque((*path, key), key)
            yield from strings(inner, (*path, key), says)


def figures(value: object, path: Path) -> Iterator[Opaque]:
    """What a part of an answer that holds counts, and names for them, says beside those."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str) and not is_name(key):
                yield Opaque((*path, key), key)
            yield from figures(inner, (*path, key))
    elif isinstance(value, str) and value:
        key = next((part for part in reversed(path) if isinstance(part, str)), "")
        if key not in _LABELS or not is_name(value):
            yield opaque(path, value)
