"""Where a conversation held a value: the store of texts by who wrote them, and the search in it.

A value counts as seen in a text only if it stands there whole: `bob@corp.com` is not seen in
`bob@corp.com.evil.example`. Case, white space, and the grouping of account and phone numbers do not matter.
"""

import re
import unicodedata
from dataclasses import dataclass

from interlock.model.event import Channel, Event, Text
from interlock.model.record import Origin

# Account and phone numbers are regrouped by whoever writes them down; longer values than this are no such number.
LONGEST_REGROUPED = 64
FEWEST_DIGITS = 4
_SEPARATORS = re.compile(r"[\s\-./()\u00a0]+")
_GROUPED = re.compile(r"[0-9A-Za-z+][0-9A-Za-z\s\-./()+]*")
# Characters that go on with an address, an account number or a host name.
_GLUE = frozenset("@%+-_")


@dataclass(frozen=True, slots=True)
class _Held:
    text: str
    origin: Origin
    tool: str


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a value was seen: the origins, most trusted first, and the tools whose results held it."""

    origins: tuple[Origin, ...]
    tools: tuple[str, ...]


class Conversation:
    """What was said up to now, by origin.

    Rules: a text's origin comes from its channel, and for a tool result from the tool's label; what the model
    itself said is no source; a setting of the request (PARAMETER) is none either. It does NOT judge.
    """

    def __init__(self) -> None:
        self._said: list[tuple[Text, Origin]] = []
        self._held: list[_Held] = []
        self.tainted = False

    def add(self, event: Event, output: Origin) -> Origin | None:
        """Take a text in; its origin, or None if it is no source. `output` is the label of its tool's results."""
        if not isinstance(event, Text):
            return None
        origin = _ORIGINS.get(event.channel, output if event.channel is Channel.TOOL_RESULT else None)
        if origin is None:
            return None
        self._said.append((event, origin))
        self.tainted = self.tainted or origin is Origin.UNTRUSTED
        return origin

    def find(self, value: str) -> Seen:
        """Where `value` was seen; origin MODEL alone if nowhere."""
        wanted = _fold(value)
        # Most conversations are never searched: a text is made comparable only when the first search needs it.
        self._held += [_Held(_fold(text.text), origin, text.tool) for text, origin in self._said]
        self._said.clear()
        hits = [held for held in self._held if _stands_in(wanted, held.text)]
        if not hits:
            return Seen((Origin.MODEL,), ())
        order = list(Origin)
        origins = tuple(sorted({held.origin for held in hits}, key=order.index))
        return Seen(origins, tuple(sorted({held.tool for held in hits if held.tool})))


_ORIGINS = {
    Channel.USER: Origin.USER,
    Channel.SYSTEM: Origin.SYSTEM,
    Channel.RETRIEVED: Origin.UNTRUSTED,
}


def _fold(text: str) -> str:
    """The form in which texts are compared: compatibility-composed, without case, white space as one space."""
    composed = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(composed.casefold().split())


def _stands_in(value: str, text: str) -> bool:
    if not value:
        return False
    at = text.find(value)
    while at >= 0:
        if _is_whole(text, at, at + len(value)):
            return True
        at = text.find(value, at + 1)
    if (
        len(value) > LONGEST_REGROUPED
        or sum(c.isdigit() for c in value) < FEWEST_DIGITS
        or not _GROUPED.fullmatch(value)
    ):
        return False
    regrouped = re.compile(r"[\s\-./()\u00a0]{0,3}".join(map(re.escape, _SEPARATORS.sub("", value))))
    return any(_is_whole(text, *match.span()) for match in regrouped.finditer(text))


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] is not a part of something longer."""
    if start and (_goes_on(text[start - 1]) or text[start - 1] == "."):
        return False
    if end < len(text) and _goes_on(text[end]):
        return False
    return not (text[end : end + 1] == "." and end + 1 < len(text) and _goes_on(text[end + 1]))


def _goes_on(character: str) -> bool:
    # Scripts that write no spaces between words (category Lo) do not go on with a Latin address.
    return character in _GLUE or (character.isalnum() and unicodedata.category(character) != "Lo")


def shown(value: str, keep: int = 4) -> str:
    """The value as the log may keep it: its ends, with the middle masked.

    >>> shown("DE02120300000000202051")
    'DE02…2051'
    >>> shown("short")
    's…'
    """
    if len(value) < 4 * keep:
        return value[: len(value) // 5] + "…"
    return f"{value[:keep]}…{value[-keep:]}"
