"""What is confidential in a conversation, and whether a call's arguments carry a value out of it.

A result is a secret if only the service itself can have written it and it is confidential: a key, an account's number.
Its values are kept as hashes: words with a digit or with mixed capitals, and long numbers however they are grouped.
What is NOT seen: a secret that is spelled, split up, or put into other words; a secret of plain words.
"""

import re
from base64 import b64decode
from binascii import unhexlify
from collections.abc import Iterator
from contextlib import suppress

from interlock.model.event import Channel, Event, Media, Text
from interlock.provenance.labels import ToolLabels

# Shorter values stand in a text by accident; numbers with fewer digits are dates, amounts and counts.
FEWEST_CHARS, FEWEST_DIGITS = 6, 9
# So many values are kept of a conversation; one that has more counts as carried by whatever leaves.
MOST_VALUES = 20_000
# Of arguments, so many characters are looked at; whatever is longer counts as carrying.
MOST_CHARS = 1_000_000
_PIECE = re.compile(r"[^\s\"'<>(){}\[\],;|]+")
_PARTS = re.compile(r"[/=?&:@#]+")
_GROUPS = re.compile(r"(?<=\d)[ -](?=\d)")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")


class Confidential:
    """What a conversation has read that is confidential.

    `private`: some result of it was, or may have been. Of secrets it keeps hashes of their values, keyed anew in each
    process (SipHash).
    """

    def __init__(self, *, private: bool = False) -> None:
        self.private = private
        self._values: set[int] = set()
        self._full = False

    def __bool__(self) -> bool:
        return bool(self._values) or self._full

    def add(self, event: Event, labels: ToolLabels | None) -> None:
        """Take a text in. `labels` are those of its tool; without them nobody knows what it is."""
        if not isinstance(event, Text | Media):
            return
        if event.channel is not Channel.TOOL_RESULT:
            return
        self.private = self.private or labels is None or labels.secret
        if labels is None or not (labels.asserted and labels.secret) or not isinstance(event, Text):
            return
        for value in _values(event.text):
            self._full = self._full or len(self._values) >= MOST_VALUES
            if self._full:
                return
            self._values.add(hash(value))

    def carried(self, arguments: object) -> tuple[str, ...] | None:
        """The values of secrets in a call's arguments; None if nobody can say."""
        if not self:
            return ()
        text = "\n".join(_texts(arguments, 0))
        if self._full or len(text) > MOST_CHARS:
            return None
        return tuple({value for form in _forms(text) for value in _values(form) if hash(value) in self._values})


def _texts(value: object, depth: int) -> Iterator[str]:
    """Every text and number in a call's arguments, keys too."""
    if depth > 64:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _texts(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, depth + 1)
    elif not isinstance(value, bool) and value is not None:
        yield str(value)


def _forms(text: str) -> Iterator[str]:
    """The text as it is and turned around, with percent signs resolved, and what its Base64 or hex pieces say."""
    yield text
    yield text[::-1]
    if "%" in text:
        yield _PERCENT.sub(lambda match: chr(int(match[1], 16)), text)
    for match in _ENCODED.finditer(text):
        piece = match[0]
        plain = piece.rstrip("=").translate(str.maketrans("-_", "+/"))
        for decode, said in ((b64decode, plain + "=" * (-len(plain) % 4)), (unhexlify, piece)):
            with suppress(ValueError):
                yield decode(said).decode("ascii")


def _values(text: str) -> Iterator[str]:
    """The values in a text that could be secrets: in lower case, without what may stand around them."""
    for match in _PIECE.finditer(_GROUPS.sub("", text)):
        piece = match[0].strip(".:!?*`_~#")
        for value in dict.fromkeys((piece, *_PARTS.split(piece))):
            if _is_telling(value):
                yield value.lower()


def _is_telling(value: str) -> bool:
    if len(value) < FEWEST_CHARS:
        return False
    digits = sum(character.isdigit() for character in value)
    if not any(character.isalpha() for character in value):
        return digits >= FEWEST_DIGITS
    inner = value[1:]
    return digits > 0 or (inner != inner.lower() and inner != inner.upper())
