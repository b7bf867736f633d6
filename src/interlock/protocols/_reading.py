"""What adapters share in reading documents: who speaks, and what a field may hold without being text."""

import json
import re
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, NamedTuple, TypeAlias

from interlock.model.event import Channel, Opaque, Path, Text
from interlock.protocols._json import encode, is_empty, rest, text_

Fits: TypeAlias = Callable[[Any], bool]

# An id, a model's name, an ARN, a media type.
_NAME = re.compile(r"[A-Za-z0-9_.:/@\[\]+-]{1,256}")
# Signatures, encrypted contents and bytes are base64; whoever writes words there is seen.
_TOKEN = re.compile(r"[A-Za-z0-9+/=_.-]*")
_ESCAPE = re.compile(r"\\.")
_READABLE = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}


class Voice(NamedTuple):
    """Who speaks: the channel, and the tool whose result it is."""

    channel: Channel
    tool: str = ""
    call_id: str = ""

    def says(self, path: Path, text: object) -> Text:
        """The event of a text. Raises: ProtocolError if it is none."""
        return Text(path, self.channel, text_(text, path), self.tool, self.call_id)

    def quoting(self) -> "Voice":
        """The voice of what the speaker only brings along: a document, a search result, a citation."""
        return self if self.channel in (Channel.OUTPUT, Channel.TOOL_RESULT) else Voice(Channel.RETRIEVED)


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


def is_count(value: object) -> bool:
    """Whether it is a number from 0 without a fraction."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def holds(**fields: Fits) -> Fits:
    """Whether a value is an object of nothing but these fields, each as it should be or empty."""

    def fits(value: object) -> bool:
        return isinstance(value, dict) and all(
            key in fields and (is_empty(inner) or fields[key](inner)) for key, inner in value.items()
        )

    return fits


def others(value: Mapping[str, Any], path: Path, known: Set[str], quiet: Mapping[str, Fits]) -> Sequence[Opaque]:
    """What stands under keys that are not `known`, and `quiet` ones that are not as they should be."""
    if value.keys() <= known:
        return ()
    return rest(dict(value), path, {*known, *(key for key in quiet if key in value and quiet[key](value[key]))})


def readable(value: object) -> str:
    r"""JSON in which line ends and tabs stand as themselves, so that a text in it reads as it is shown.

    >>> print(readable({"said": "one\ntwo"}))
    {"said":"one
    two"}
    """
    return _ESCAPE.sub(lambda found: _READABLE.get(found[0], found[0]), encode(value).decode())


def parsed(text: str, otherwise: object) -> object:
    """The structure that `readable` gave as text, after an edit; `otherwise` if it is no structure any more."""
    try:
        value = json.loads(text, strict=False)
        encode(value)  # an edit can leave half of a surrogate pair
    except (ValueError, RecursionError):
        return otherwise
    return value if isinstance(value, dict | list) else otherwise
