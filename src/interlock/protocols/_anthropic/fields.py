"""What a field may hold without being text: settings, names, tokens that only the API's own servers can read."""

from collections.abc import Callable, Iterator, Mapping

from interlock.model.event import Opaque, Path, Text
from interlock.protocols._json import opaque
from interlock.protocols._reading import Fits, holds, is_name, is_switch

# Under these keys counts are given a name, in `usage` and its neighbours.
_LABELS = frozenset(
    {"type", "status", "reason", "model", "service_tier", "inference_geo", "speed", "path", "remove_to_redeem"}
)


def is_names(value: object) -> bool:
    """Whether it is a list of identifiers."""
    return isinstance(value, list) and all(map(is_name, value))


# Fields that stand at many objects and say nothing.
CACHED: Mapping[str, Fits] = {"cache_control": holds(type=is_name, ttl=is_name, scope=is_name)}
CALLED: Mapping[str, Fits] = {**CACHED, "caller": holds(type=is_name, tool_id=is_name), "toolset_name": is_name}
CITABLE: Mapping[str, Fits] = {**CACHED, "citations": holds(enabled=is_switch)}


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
