"""Whether a tool's result asserts a value: an object of the user's own, which the request names, holds it in a field.

Rules, all of which must hold:
- the tool reads the user's own data and answers in objects (JSON or YAML as a whole); what it hands out is no
  document, page or file that somebody else wrote as a whole, and nothing from the open world;
- the value is the whole of a field of its kind: an id for an id, an address for an address;
- no call of this conversation had said the value before it came back: what an agent writes and reads back proves
  nothing;
- an id: the tool that is called works on the same kind of object, and the request names the object by its title, or
  by the query that found nothing else; or the object was made in this conversation;
- an address: it is that of a person whom the request names, from the user's contacts; or the request speaks of the
  field (`the participants`) of an object that it names; or it is that of a payee whom the account has paid before.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from interlock.provenance.dates import day_of
from interlock.provenance.kinds import kind_of
from interlock.provenance.labels import ToolLabels
from interlock.provenance.names import known, words
from interlock.provenance.records import Record, outermost, records
from interlock.provenance.requests import Request, telling
from interlock.provenance.said import bare

# What one of these verbs hands out of one of these is somebody's text as a whole.
_HANDS_OUT = frozenset("cat download extract fetch get load open read show view".split())
_WHOLES = frozenset(
    "article attachment content contents doc document file html image log logs markdown page resource text transcript "
    "url web webpage website".split()
)
MAKES = frozenset("add book copy create duplicate make new schedule upload".split())
_TITLES = frozenset("filename heading label name subject summary title topic".split())
_PEOPLE = frozenset("addressbook colleague contact employee member people person user".split())
_NAMES = frozenset({"name", "fullname", "displayname"})
# Words of tools' names that say nothing of the kind of object.
_VERBAL = frozenset("all by fetch find get id in list load my new of query read search show view".split())
_FROM = frozenset({"from", "payer", "sender", "source"})
_TO = frozenset({"beneficiary", "destination", "payee", "receiver", "recipient", "to"})
# The user means whom he paid before.
_AGAIN = frozenset("again last previous repeat same usual".split())
# Fewer records than this do not show whose account it is.
FEWEST_PAYMENTS = 3
# A value that more objects hold than these is not looked at in all of them.
MOST_HOLDING = 20
# An object with more fields is a list of something.
MOST_TOLD = 200
LONGEST_ID, LONGEST_TITLE = 128, 300
IDS = frozenset({"id", "ids", "guid", "key", "number", "uid", "uuid"})


@dataclass
class Result:
    """What a tool gave back. `said` is what calls had said up to then, in the form of `said_in`; `arguments` its own.

    `written` is what calls that do more than read had said, in the same form. `doubtful`: nobody knows what all of
    them have said, so that it asserts nothing.
    """

    labels: ToolLabels
    text: str
    arguments: str
    said: Sequence[str]
    written: Sequence[str]
    doubtful: bool = False

    @cached_property
    def objects(self) -> tuple[Record, ...]:
        """The objects in it, read when first asked for; none if this tool's results assert nothing."""
        return records(self.text) if self._may_assert else ()

    @cached_property
    def folded(self) -> str:
        """Its text in lower case."""
        return self.text.lower()

    @cached_property
    def alone(self) -> bool:
        """Whether it holds one object, with what that holds."""
        return bool(self.objects) and outermost(self.text) == 1

    @property
    def made(self) -> bool:
        """Whether it is the answer of a call that made something."""
        return self.labels.sink in ("write", "send") and not MAKES.isdisjoint(words(self.labels.name))

    @property
    def _may_assert(self) -> bool:
        said = words(self.labels.name)
        if not self.made and (self.labels.sink != "read" or self.labels.open_world):
            return False
        return _HANDS_OUT.isdisjoint(said) or _WHOLES.isdisjoint(said)


def asserted(value: str, argument: str, labels: ToolLabels, results: Sequence[Result], request: Request) -> bool:
    """Whether one of these results asserts `value` for this argument of the tool with these labels."""
    kind = kind_of(argument.rpartition(".")[2])
    plain = value.strip().lower()
    if not plain:
        return False
    for result in results:
        if result.doubtful or plain not in result.folded or any(bare(plain) in said for said in result.said):
            continue
        if kind == "id" and len(plain) <= LONGEST_ID and _holds_id(result, plain, argument, labels, request):
            return True
        if kind in ("recipient", "account") and not result.made and _holds_address(result, plain, request):
            return True
    return False


def _holds_id(result: Result, value: str, argument: str, labels: ToolLabels, request: Request) -> bool:
    about = {word.removesuffix("s") for word in (*words(labels.name), *words(argument))} - IDS
    if about.isdisjoint({word.removesuffix("s") for word in words(result.labels.name)}):
        return False
    holding = [*islice((record for record in result.objects if _is_id_of(record, value, about)), MOST_HOLDING)]
    if any(result.made or _named(record, result, request, exactly=False) for record in holding):
        return True
    return bool(holding) and _is_meant(holding, result, request.act_words(labels.name, labels.sink))


def _holds_address(result: Result, value: str, request: Request) -> bool:
    people = any(known(word, _PEOPLE) for word in words(result.labels.name))
    holding = ((one, key) for one in result.objects for key, text in one.fields if text.strip().lower() == value)
    for record, key in islice(holding, MOST_HOLDING):
        if people and _is_person(record, result, value, request):
            return True
        if request.refers_to(key.partition(".")[0]) and _named(record, result, request):
            return True
    return _was_paid(result, value, request)


def names_one(result: Result, about: set[str], request: Request) -> bool:
    """Whether the request names an object of this kind in what a tool gave back."""
    if about.isdisjoint({word.removesuffix("s") for word in words(result.labels.name)} - _VERBAL):
        return False
    some = islice(result.objects, MOST_HOLDING)
    return any(request.names(title, exactly=False) for one in some for title in _values(one, _TITLES | _NAMES))


def _is_meant(holding: Sequence[Record], result: Result, said: frozenset[str]) -> bool:
    """Whether what is to be done, in these words, fits one of those and no other object of the result so well.

    An outsider may have made what fits; it is his own then, and nobody else's.
    """
    fits = [(len(said & _telling(one, result)), one) for one in result.objects if len(one.fields) <= MOST_TOLD]
    best = max((count for count, _ in fits), default=0)
    return best > 0 and [one for count, one in fits if count == best] == list(holding)[:1]


def _telling(record: Record, result: Result) -> frozenset[str]:
    titles = _values(record, _TITLES | _NAMES | _FROM | _TO)
    return frozenset().union(
        *(
            telling(one)
            for one in titles
            if len(one) <= LONGEST_TITLE and not any(bare(one) in at for at in result.written)
        )
    )


def speaks_of_it(result: Result, value: str, request: Request) -> bool:
    """Whether an object that holds this value is made here, or has a title with a word that the request has."""
    plain = value.strip().lower()
    holding = (one for one in result.objects if any(text.strip().lower() == plain for _, text in one.fields))
    return any(
        result.made or any(map(request.touches, _values(one, _TITLES | _NAMES)))
        for one in islice(holding, MOST_HOLDING)
    )


def _is_id_of(record: Record, value: str, about: set[str]) -> bool:
    """Whether a value is the object's own id: `id`, or `file_id` of a file, and not that of its owner or a part."""
    return any(
        text.strip().lower() == value
        and "." not in key
        and not IDS.isdisjoint(said := words(key))
        and about.issuperset(word.removesuffix("s") for word in said if word not in IDS)
        for key, text in record.fields
    )


def _values(record: Record, among: frozenset[str]) -> list[str]:
    return [text for key, text in record.fields if "." not in key and not among.isdisjoint(words(key)[-1:])]


def _named(record: Record, result: Result, request: Request, *, exactly: bool = True) -> bool:
    """Whether the request names this object, by a title that no call had written, or by a query that found it alone."""
    for title in _values(record, _TITLES):
        if (
            len(title) <= LONGEST_TITLE
            and request.names(title, exactly=exactly)
            and not any(bare(title) in at for at in result.written)
        ):
            return True
    asked = _texts(result.arguments)
    return bool(asked) and result.alone and all(len(one) > 2 and one in request.text for one in asked)


def _texts(arguments: str) -> list[str]:
    try:
        said = json.loads(arguments)
    except (ValueError, RecursionError):
        return []
    values = said.values() if isinstance(said, dict) else ()
    # A day only narrows what is looked for.
    return [value.lower() for value in values if isinstance(value, str) and value.strip() and not day_of(value)]


def _is_person(record: Record, result: Result, value: str, request: Request) -> bool:
    """Whether the request names the person, and nobody else of that name is in the result."""
    if not any(request.mentions(name) for name in _values(record, _NAMES)):
        return False
    others = [one for one in result.objects if any(request.mentions(name) for name in _values(one, _NAMES))]
    return all(any(text.strip().lower() == value for _, text in one.fields) for one in others)


def _was_paid(result: Result, value: str, request: Request) -> bool:
    """Whether the account in whose history this stands has paid that payee: who paid into it has not been paid.

    Whose history it is shows in what stands on one side of every record.
    """
    sides = [({*_values(one, _FROM)}, {*_values(one, _TO)}) for one in result.objects]
    payments = [(one, *side) for one, side in zip(result.objects, sides, strict=True) if all(side)]
    if len(payments) < FEWEST_PAYMENTS:
        return False
    owner = set.intersection(*[payer | payee for _, payer, payee in payments])
    if len(owner) != 1:
        return False
    again = request.has(_AGAIN)
    return any(
        payer == owner and value in {text.strip().lower() for text in payee} and (again or _named(one, result, request))
        for one, payer, payee in payments
    )
