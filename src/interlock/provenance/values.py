"""Where a conversation held a value: the store of texts by who wrote them, and the search in it.

A value counts as seen in a text only if it stands there whole: `bob@corp.com` is not seen in
`bob@corp.com.evil.example`. White space, the grouping of account and phone numbers, case (but not that of paths in
addresses) and the other ways to write the same value (see `forms.py`) do not matter. In doubt a value counts as not
seen, which allows less.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from interlock.model.event import Channel, Event, Media, Opaque, Text, ToolCall, ToolDefinition
from interlock.model.record import Origin
from interlock.provenance.assertions import IDS, MAKES, Result, asserted, names_one, speaks_of_it
from interlock.provenance.dates import day_of, named_days
from interlock.provenance.descriptions import is_place, said_by
from interlock.provenance.forms import Form, encoded, forms, is_whole, plainly
from interlock.provenance.labels import HARMLESS, ToolLabels, derive
from interlock.provenance.names import words
from interlock.provenance.requests import Request
from interlock.provenance.said import bare, said_in

# A text in which a value stands this often without ever standing alone is not searched any further; nor is one in
# which so many characters were compared.
MOST_TRIES = 1_000
# Characters that the searches for one answer may pass over; a value that is looked for after that counts as untrusted.
MOST_SEARCHED = 100_000_000
# Characters of results that are read as objects for one answer; what is asked for after that is asserted by none.
MOST_EXAMINED = 5_000_000
# Of the user's texts, so much is read for words such as `tomorrow`.
MOST_DAYS_CHARS = 20_000
# The user's last texts in which it is looked for what is asked for: `yes, do it` is about the one before.
MOST_TURNS = 5
# A result with longer pieces has room for a sentence.
MOST_WORDS, LONGEST_TERSE = 4, 2_000
_PIECES = re.compile(r"[\n,;{}\[\]\":]+")
MOST_COMPARED = 20_000_000


@dataclass(slots=True)
class _Held:
    """A text, who said it, and what its tool had been asked; made comparable when it is first searched."""

    text: str
    origin: Origin
    tool: str
    asked: str
    _exact: str | None = None
    _folded: str | None = None

    @property
    def exact(self) -> str:
        """The text in the form in which texts are compared, with its case."""
        if self._exact is None:
            self._exact = _one_spaced(self.text if self.text.isascii() else unicodedata.normalize("NFKC", self.text))
        return self._exact

    @property
    def folded(self) -> str:
        """The same in lower case."""
        if self._folded is None:
            self._folded = self.exact.lower()
        return self._folded

    @property
    def is_own(self) -> bool:
        """Whether the user or the system said it."""
        return self.origin in (Origin.USER, Origin.SYSTEM)

    def rest(self) -> None:
        """Keep the text alone."""
        self._exact = self._folded = None


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a value was seen: the origins, most trusted first, and the tools whose results held it."""

    origins: tuple[Origin, ...]
    tools: tuple[str, ...]


class Conversation:
    """What was said up to now, by origin.

    Rules: a text's origin comes from its channel, and for a tool result from the tool's label; what the model
    itself said is no source; a part of a message that nobody understands counts as untrusted text; an internal tool
    that gives back what it was asked has not said it. An address that stands in what a tool says of itself or in a
    setting (PARAMETER) was seen in untrusted text, which by itself taints nothing. It does NOT judge.

    `today` is what the user's `tomorrow` is counted from, if that is known. `seal` is given if texts are kept for
    long: it puts a keyed hash in the place of each secret, in texts and in the values that are looked for.
    """

    def __init__(self, today: date | None = None, seal: Callable[[str], str] | None = None) -> None:
        self._today = today
        self._seal = seal
        # By id: the arguments of the calls since the last result, and what had been asked when that came.
        self._asking: dict[str, list[str]] = {}
        self._asked: dict[str, str] = {}
        self._calls: list[ToolCall] = []
        self._results: list[tuple[ToolLabels, Text, int, str]] = []
        self._user: list[str] = []
        self._asked_for: Request | None = None
        self._parsed: list[Result] | None = None
        self._searched = self._examined = 0
        self._held: list[_Held] = []
        self._said: dict[str, str | None] = {}
        self._days: frozenset[date] | None = None
        self._described: list[ToolDefinition | Text] = []
        self._places: list[_Held] | None = None
        self.tainted = False
        # Whether calls were made of which nobody knows what they said: no result is believed then.
        self.in_doubt = False

    def add(self, event: Event, output: Origin, labels: ToolLabels | None = None) -> Origin | None:
        """Take a text in; its origin, or None if it is no source. `output` is the label of its tool's results.

        `labels` are those of a tool that was offered: the results of others assert nothing.
        """
        if self._seal and isinstance(event, Text):
            event = event._replace(text=self._seal(event.text))
        match event:
            case ToolCall():
                if self._seal:
                    event = event._replace(arguments=self._seal(event.arguments))
                self._calls.append(event)
                self._parsed = None
                self._asking.setdefault(event.call_id, []).append(event.arguments)
                return None
            case ToolDefinition() | Text(channel=Channel.PARAMETER):
                self._described.append(event)
                self._places = None
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
        asked = (
            self._asked_by(event.call_id) if isinstance(event, Text) and event.channel is Channel.TOOL_RESULT else ""
        )
        self._held.append(_Held(event.text, origin, tool, asked if origin is Origin.INTERNAL else ""))
        self._parsed = None
        if labels is not None and isinstance(event, Text) and origin is Origin.UNTRUSTED:
            self._results.append((labels, event, len(self._calls), asked))
            if labels.asserted and not labels.secret and _is_terse(event.text):
                # Its values are searched as any other's, but there is no room in it to talk a model into something.
                return Origin.ASSERTED
        if origin is Origin.USER:
            self._user.append(event.text)
            self._asked_for = self._days = None
        self.tainted = self.tainted or origin is Origin.UNTRUSTED
        return origin

    def describe(self, definitions: Sequence[ToolDefinition]) -> None:
        """What tools say of themselves now, in the place of all that was described before."""
        if self._described != [*definitions]:
            self._described = [*definitions]
            self._places = None

    def overhear(self, call: ToolCall) -> None:
        """A call that the same agent made elsewhere: what it said is no news in the results that come now."""
        self._calls.append(call)
        self._parsed = None

    def _asked_by(self, call_id: str) -> str:
        """What the calls with this id asked before the result that comes now; a call after a result begins anew."""
        if pieces := self._asking.pop(call_id, None):
            self._asked[call_id] = " ".join(pieces)
        return self._asked.get(call_id, "")

    def asserts(self, value: str, argument: str, labels: ToolLabels) -> bool:
        """Whether a result asserts `value` for this argument of this tool; after too much none does."""
        self._examined += sum(len(text.text) for _, text, _, _ in self._results)
        if self.in_doubt or self._examined > MOST_EXAMINED:
            return False
        return asserted(value, argument, labels, self._read(), self._request())

    def asks_for(self, tool: str, sink: str) -> bool:
        """Whether the user's last texts ask for what this tool does."""
        return self._request().asks_for(tool, sink)

    def binds(self, name: str, value: str, labels: ToolLabels) -> bool:
        """Whether the request says which object a call is to be about, so that another one was not asked for.

        It does by naming one of the kind that was read, or a value of the same shape, or one beside the noun.
        """
        request, nouns = self._request(), [word for word in words(name) if word not in IDS]
        if any(speaks_of_it(result, value, request) for result in self._read()):
            return False
        if request.gives_like(value) or any(request.says_which(noun) for noun in nouns):
            return True
        about = {word.removesuffix("s") for word in (*words(labels.name), *nouns)}
        return any(names_one(result, about, request) for result in self._read())

    def gives_name(self, labels: ToolLabels) -> bool:
        """Whether the request says what a new object of the tool's kind is to be called."""
        return self._request().gives_name([word for word in words(labels.name) if word not in MAKES])

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
            all_said = [self._said_in(call.arguments) for call in self._calls]
            doubtful_from = all_said.index(None) if None in all_said else len(all_said)
            said = [text or "" for text in all_said]
            wrote = [derive(call.name, None, {}).sink not in HARMLESS for call in self._calls]
            written = [text for text, is_written in zip(said, wrote, strict=True) if is_written]
            self._parsed = [
                Result(labels, text.text, asked, said[:calls], written[: sum(wrote[:calls])], calls > doubtful_from)
                for labels, text, calls, asked in self._results
            ]
        return self._parsed

    def _said_in(self, arguments: str) -> str | None:
        if arguments not in self._said:
            self._said[arguments] = said_in(arguments)
        return self._said[arguments]

    def _descriptions(self) -> list[_Held]:
        if self._places is None:
            texts = (said_by(event) if isinstance(event, ToolDefinition) else event.text for event in self._described)
            self._places = [_Held(text, Origin.UNTRUSTED, "", "") for text in texts]
        return self._places

    def renew(self) -> None:
        """Another answer begins: what may be searched for one is counted anew."""
        self._searched = self._examined = 0

    def rest(self) -> None:
        """Nothing is asked for a while: keep no more than the texts."""
        self._parsed = self._places = self._asked_for = None
        self._said.clear()
        for held in self._held:
            held.rest()

    def find(self, value: str, kind: str = "") -> Seen:
        """Where `value` was seen; origin MODEL alone if nowhere. `kind` is that of its argument; see `kinds.py`."""
        if self._seal:
            value = self._seal(value)
        searched = [*self._held, *self._descriptions()] if is_place(value) else self._held
        # Not normalised: a value written in look-alike forms of the letters is another value.
        self._searched += sum(len(held.text) for held in searched)
        if self._searched > MOST_SEARCHED:
            return Seen((Origin.UNTRUSTED,), ())
        exact = plainly(value)
        folded = exact.lower()
        written = forms(exact, kind, self._today)
        hits = [held for held in searched if _holds(held, exact, folded, written) and not self._echoes(folded, held)]
        found = {held.origin for held in hits}
        if self.in_doubt and Origin.INTERNAL in found:
            found = found - {Origin.INTERNAL} | {Origin.UNTRUSTED}
        if self._today and (day := day_of(folded)) and day in self._named_days():
            found.add(Origin.USER)
        if not found and self.tainted:
            hidden = encoded(exact)
            hits = [held for held in searched if any(one in held.exact for one in hidden)]
            found = {Origin.UNTRUSTED for _ in hits}
        if not found:
            return Seen((Origin.MODEL,), ())
        origins = tuple(sorted(found, key=list(Origin).index))
        return Seen(origins, tuple(sorted({held.tool for held in hits if held.tool})))

    def _named_days(self) -> frozenset[date]:
        if self._days is None:
            assert self._today is not None
            said = " ".join(self._user[-MOST_TURNS:])[:MOST_DAYS_CHARS].lower()
            self._days = named_days(said, self._today)
        return self._days

    def _echoes(self, value: str, held: _Held) -> bool:
        """Whether a value was in what the text's tool had been asked, however it was written there."""
        if not held.asked:
            return False
        said = self._said_in(held.asked)
        return said is None or bare(value) in said


_ORIGINS = {
    Channel.USER: Origin.USER,
    Channel.SYSTEM: Origin.SYSTEM,
    Channel.RETRIEVED: Origin.UNTRUSTED,
}


def _is_terse(text: str) -> bool:
    """Whether a text is nothing but short values."""
    return len(text) <= LONGEST_TERSE and all(len(piece.split()) <= MOST_WORDS for piece in _PIECES.split(text))


def _holds(held: _Held, exact: str, folded: str, written: tuple[Form, ...]) -> bool:
    """Whether a value stands in a text whole, in this form or in another."""
    if _stands_in(exact, held.exact) if "/" in exact else _stands_in(folded, held.folded):
        return True
    for form in written:
        if form.own and not held.is_own:
            continue
        text = held.exact if form.cased else held.folded
        if any(form.is_whole(text, *match.span()) for match in form.expression.finditer(text)):
            return True
    return False


def _one_spaced(text: str) -> str:
    return " ".join(text.split())


def _stands_in(value: str, text: str) -> bool:
    if not value:
        return False
    at = text.find(value)
    for _ in range(min(MOST_TRIES, 1 + MOST_COMPARED // len(value))):
        if at < 0:
            return False
        if is_whole(text, at, at + len(value)):
            return True
        at = text.find(value, at + 1)
    return False


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
