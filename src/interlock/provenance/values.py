"""Where a conversation held a value: the store of texts by who wrote them, and the search in it.

A value counts as seen in a text only if it stands there whole: `bob@corp.com` is not seen in
`bob@corp.com.evil.example`. White space, the grouping of account and phone numbers, and case (but not that of
paths in addresses) do not matter. In doubt a value counts as not seen, which allows less.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import re2

from interlock.model.event import Channel, Event, Media, Opaque, Text, ToolCall
from interlock.model.record import Origin
from interlock.provenance.assertions import Result, asserted
from interlock.provenance.labels import HARMLESS, ToolLabels, derive
from interlock.provenance.names import words
from interlock.provenance.requests import Request

# Account and phone numbers are regrouped by whoever writes them down; IBANs have at most 34 characters.
_SEPARATORS = " ()/-"  # the hyphen last, where it is one in a character class too
_NUMBER = re.compile(r"\+?[\d /()-]{4,40}")
# An amount as JSON writes it.
_AMOUNT = re.compile(r"(\d{1,12})(?:\.(\d{1,6}))?")
_IBAN = re.compile(r"[a-z]{2}\d{2}(?:[ -]?[a-z\d]){11,30}")
FEWEST_DIGITS = 4
# Characters that go on with an address, an account number, a host name or a path.
_GLUE = frozenset("@%+-_\\")
# A model writes out the scheme of an address that the user left out; the host and the path stay the same.
_WEB = re.compile(r"https?://([^/\s]+(?:/.*)?)", re.IGNORECASE)
# A text in which a value stands this often without ever standing alone is not searched any further; nor is one in
# which so many characters were compared.
MOST_TRIES = 1_000
# Characters that the searches for one answer may pass over; a value that is looked for after that counts as untrusted.
MOST_SEARCHED = 100_000_000
# Characters of results that are read as objects for one answer; what is asked for after that is asserted by none.
MOST_EXAMINED = 5_000_000
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
# The user's last texts in which it is looked for what is asked for: `yes, do it` is about the one before.
MOST_TURNS = 5
# A result with longer pieces has room for a sentence.
MOST_WORDS, LONGEST_TERSE = 4, 2_000
_PIECES = re.compile(r"[\n,;{}\[\]\":]+")
MOST_COMPARED = 20_000_000


@dataclass(frozen=True, slots=True)
class _Held:
    """A text in the form in which texts are compared; `exact` keeps its case."""

    exact: str
    folded: str
    origin: Origin
    tool: str
    asked: str


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a value was seen: the origins, most trusted first, and the tools whose results held it."""

    origins: tuple[Origin, ...]
    tools: tuple[str, ...]


class Conversation:
    """What was said up to now, by origin.

    Rules: a text's origin comes from its channel, and for a tool result from the tool's label; what the model
    itself said is no source; a setting of the request (PARAMETER) is none either; a part of a message that nobody
    understands counts as untrusted text; an internal tool that gives back what it was asked has not said it. It does
    NOT judge.
    """

    def __init__(self) -> None:
        self._said: list[tuple[str, Origin, str, str]] = []
        self._asked: dict[str, str] = {}
        self._calls: list[ToolCall] = []
        self._results: list[tuple[ToolLabels, Text, int]] = []
        self._user: list[str] = []
        self._asked_for: Request | None = None
        self._parsed: list[Result] | None = None
        self._searched = self._examined = 0
        self._held: list[_Held] = []
        self.tainted = False

    def add(self, event: Event, output: Origin, labels: ToolLabels | None = None) -> Origin | None:
        """Take a text in; its origin, or None if it is no source. `output` is the label of its tool's results.

        `labels` are those of a tool that was offered: the results of others assert nothing.
        """
        match event:
            case ToolCall():
                self._calls.append(event)
                self._asked[event.call_id] = self._asked.get(event.call_id, "") + " " + event.arguments
                return None
            case Text():
                origin = _ORIGINS.get(event.channel, output if event.channel is Channel.TOOL_RESULT else None)
                tool = event.tool
            case Media():
                # Nobody has read what it shows: it holds no value that could be found, and whoever sent it, the
                # words in it may be an outsider's.
                self.tainted = True
                return Origin.UNTRUSTED
            case Opaque() if len(event.path) > 1:
                origin, tool = Origin.UNTRUSTED, ""
            case _:
                return None
        if origin is None:
            return None
        asked = self._asked.get(event.call_id, "") if isinstance(event, Text) and origin is Origin.INTERNAL else ""
        self._said.append((event.text, origin, tool, asked))
        if labels is not None and isinstance(event, Text) and origin is Origin.UNTRUSTED:
            self._results.append((labels, event, len(self._calls)))
            if labels.asserted and not labels.secret and _is_terse(event.text):
                # Its values are searched as any other's, but there is no room in it to talk a model into something.
                return Origin.ASSERTED
        if origin is Origin.USER:
            self._user.append(event.text)
        self.tainted = self.tainted or origin is Origin.UNTRUSTED
        return origin

    def asserts(self, value: str, argument: str, labels: ToolLabels) -> bool:
        """Whether a result asserts `value` for this argument of this tool; after too much none does."""
        self._examined += sum(len(text.text) for _, text, _ in self._results)
        if self._examined > MOST_EXAMINED:
            return False
        return asserted(value, argument, labels, self._read(), self._request())

    def asks_for(self, tool: str, sink: str) -> bool:
        """Whether the user's last texts ask for what this tool does."""
        return self._request().asks_for(tool, sink)

    def designates(self, number: str, labels: ToolLabels) -> bool:
        """Whether the user's last texts say of what a short number is the number; see `Request.designates`."""
        return self._request().designates(number, words(labels.name))

    def _request(self) -> Request:
        if self._asked_for is None:
            self._asked_for = Request(self._user[-MOST_TURNS:])
        return self._asked_for

    def _read(self) -> list[Result]:
        """The results with what calls had said before each, made when first asked for."""
        if self._parsed is None:
            said = [_bare(call.arguments) for call in self._calls]
            wrote = [derive(call.name, None, {}).sink not in HARMLESS for call in self._calls]
            written = [text for text, is_written in zip(said, wrote, strict=True) if is_written]
            self._parsed = [
                Result(
                    labels, text.text, self._asked.get(text.call_id, ""), said[:calls], written[: sum(wrote[:calls])]
                )
                for labels, text, calls in self._results
            ]
        return self._parsed

    def find(self, value: str) -> Seen:
        """Where `value` was seen; origin MODEL alone if nowhere."""
        # Most conversations are never searched: a text is made comparable only when the first search needs it.
        self._held += [_hold(*said) for said in self._said]
        self._said.clear()
        # Not normalised: a value written in look-alike forms of the letters is another value.
        self._searched += sum(len(held.folded) for held in self._held)
        if self._searched > MOST_SEARCHED:
            return Seen((Origin.UNTRUSTED,), ())
        exact = _one_spaced(value)
        if web := _WEB.fullmatch(exact):
            exact = web[1].removesuffix("/")
        folded = exact.lower()
        number = _regrouped(folded) or _rewritten(folded)
        hits = [
            held
            for held in self._held
            if (
                (_stands_in(exact, held.exact) if "/" in exact else _stands_in(folded, held.folded))
                or (number and any(_is_whole_number(held.folded, *m.span()) for m in number.finditer(held.folded)))
            )
            and not (held.asked and _echoes(folded, held.asked))
        ]
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


def _is_terse(text: str) -> bool:
    """Whether a text is nothing but short values."""
    return len(text) <= LONGEST_TERSE and all(len(piece.split()) <= MOST_WORDS for piece in _PIECES.split(text))


def _hold(text: str, origin: Origin, tool: str, asked: str) -> _Held:
    exact = _one_spaced(text if text.isascii() else unicodedata.normalize("NFKC", text))
    return _Held(exact, exact.lower(), origin, tool, _bare(asked))


def _echoes(value: str, asked: str) -> bool:
    """Whether a value was in what a tool was asked, however it was written there."""
    bare = _bare(value)
    return not bare or bare in asked


def _bare(text: str) -> str:
    """Letters and digits only, with JSON's escapes resolved: a form in which no spelling hides a value."""
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", plain).lower()))


def _one_spaced(text: str) -> str:
    return " ".join(text.split())


def _stands_in(value: str, text: str) -> bool:
    if not value:
        return False
    at = text.find(value)
    for _ in range(min(MOST_TRIES, 1 + MOST_COMPARED // len(value))):
        if at < 0:
            return False
        if _is_whole(text, at, at + len(value)):
            return True
        at = text.find(value, at + 1)
    return False


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] is not a part of something longer: of a host name, say, or of a path."""
    before, after = text[max(0, start - 3) : start], text[end : end + 2]
    if before and (_goes_on(before[-1]) or before[-1] == "." or (before[-1] == "/" and before != "://")):
        return False
    if after[:1] in ("/", "."):
        return not _goes_on(after[1:])
    return not _goes_on(after[:1])


def _goes_on(character: str) -> bool:
    # Scripts that write no spaces between words (category Lo) do not go on with a Latin address.
    return character in _GLUE or (character.isalnum() and unicodedata.category(character) != "Lo")


def _regrouped(value: str) -> Any:
    """The expression for an account or phone number in any grouping, or None if the value is no such number."""
    letters = "".join(character for character in value if character not in _SEPARATORS)
    if not value.isascii() or not (_IBAN.fullmatch(value) or _NUMBER.fullmatch(value)):
        return None
    if sum(character.isdigit() for character in letters) < FEWEST_DIGITS:
        return None
    return re2.compile(f"[{_SEPARATORS}]{{0,3}}".join(map(re2.escape, letters)))


def _rewritten(value: str) -> Any:
    """The expression for an amount in any way of writing it, `1,200.00` for `1200.0`, or None if it is none."""
    match = _AMOUNT.fullmatch(value)
    if not match:
        return None
    whole, part = match[1], (match[2] or "").rstrip("0")
    groups = "[,.' ]?".join([whole[: len(whole) % 3] or whole[:3], *_threes(whole)])
    return re2.compile(groups + (f"[.,]{part}0*" if part else "(?:[.,]00?)?"))


def _threes(digits: str) -> list[str]:
    """The groups of three digits after the first group."""
    begin = len(digits) % 3 or 3
    return [digits[at : at + 3] for at in range(begin, len(digits), 3)]


def _is_whole_number(text: str, start: int, end: int) -> bool:
    """Whether the number at text[start:end] does not go on with more groups of digits."""
    before, after = text[max(0, start - 4) : start].rstrip(_SEPARATORS), text[end : end + 4].lstrip(_SEPARATORS)
    return _is_whole(text, start, end) and not before[-1:].isdigit() and not after[:1].isdigit()


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
