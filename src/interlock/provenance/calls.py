"""One tool call: its arguments, which of them are sensitive, and where each of those came from.

What is NOT judged: addresses inside a longer free text (the body of a mail is no recipient), switches (true, false)
and numbers that are not named like a recipient, and every argument of a tool that only reads.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from interlock.model.record import Argument, Origin
from interlock.provenance.assertions import MAKES
from interlock.provenance.kinds import kind_of
from interlock.provenance.labels import DECIDED_BY_ARGUMENTS, HARMLESS, TO_PEOPLE, WHOLLY_SENSITIVE, ToolLabels
from interlock.provenance.names import words
from interlock.provenance.values import Conversation, Seen, shown

# What is an address whatever its argument is called: mail, web or other URL, IBAN, phone number, wallet.
_ADDRESS = re.compile(
    r"[^\s@]+(?:@[^\s@]+)+|\w[\w+.-]*://\S+|(?:www\.)\S+|[A-Z]{2}\d{2}(?:[ ]?[0-9A-Z]{2,4}){3,8}|\+\d[\d\s()/-]{6,}"
    r"|0x[0-9a-fA-F]{40}|(?:[13]|bc1)[a-zA-HJ-NP-Z0-9]{25,60}"
)
# As lenient programs read one: `https:evil.example`, `https:\\evil.example` and `//evil.example` are addresses too.
_PLACE = re.compile(
    r"\w[\w+.-]*://|\bwww\.|\b(?:https?|wss?|ftps?):\s*[/\\]|\A\s*(?:(?:https?|wss?|ftps?):|[/\\]{2}[^\s/\\])",
    re.IGNORECASE,
)
# A mail address, bare or behind a person's name.
_MAIL = re.compile(r"(?P<bare>[^\s@<>,;]+@[^\s@<>,;]+)|[\w .'\"()-]*<(?P<named>[^\s@<>,;]+@[^\s@<>,;]+)>")
# What an object's own fields may decide; a program or a password is nobody's field.
MAY_BE_ASSERTED = frozenset({"write", "send", "publish", "delete", "money", "admin"})
# That the object is known is not enough for these.
NEEDS_WORDS = frozenset({"delete", "credential"})
# Numbers with more digits hardly stand in a text by accident.
LONGEST_SHORT = 4
_BAD = (Origin.UNTRUSTED, Origin.MODEL)
# They change what is the user's own, where the user seldom says which by a name that can be found.
_OWN = frozenset({"write", "send", "money"})
LONGEST_OBJECT = 200
# Kinds of arguments that can say what is paid for; most such arguments have none.
_WHICH = frozenset({"", "id", "path", "url"})
# When and how many, and not which.
_WHEN = frozenset(
    "color colour count date day days end hour hours month note priority start state status time timezone type".split()
)
# They reach somebody, so that one of the arguments says whom, or none does.
_REACHES = frozenset({"send", "publish"})
# Kinds of arguments that do not say whom.
_WHAT = frozenset({"amount", "content", "query"})
# An argument of these holds a message as a whole, or the lines before one, with whom it reaches.
_WHOLE = frozenset("eml envelope header headers mime raw rfc822".split())
_HEADER = re.compile(r"\s*(?:to|cc|bcc)[ \t]*:", re.IGNORECASE)
_LINES = re.compile(r"[\r\n]")
_ONE_LINE = frozenset("from heading headline name sender subject title topic".split())
# How many of them: a number so small is nobody's.
MOST_COUNTED = 100
_COUNTED = frozenset("adults attendees children guests members participants passengers people persons".split())
# The least that can be granted: who gets it could have been told as well.
_LEAST = frozenset({"r", "read", "reader", "readonly", "read-only", "read_only", "view", "viewer"})
# A call with more sensitive values than this is not understood.
MOST_VALUES = 500
# Deeper than any real argument; arguments hold JSON as text, so it is nested deeper than the wire allows.
MAX_DEPTH = 64
# Stands for a value that is nested more deeply: nobody said it.
TOO_DEEP = "\0 nested too deeply"
# The name of an argument as schemas have them; a key that is none may hold anything, and the log must not.
LONGEST_NAME = 128
_NAME = re.compile(r"[A-Za-z0-9_$-]{1,64}")


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a call. `origins` holds the best origin of each sensitive argument.

    `asked`: whether the user's own words ask for what the tool does; only looked at after untrusted text, and for what
    needs to be asked for in any case.
    """

    sink: str
    origins: frozenset[Origin]
    arguments: tuple[Argument, ...]
    understood: bool
    asked: bool = False
    values: tuple[str, ...] = ()


def judge(
    arguments: object, labels: ToolLabels, conversation: Conversation, fields: frozenset[str] = frozenset()
) -> Judged:
    """Where the sensitive arguments of a call came from. `arguments` is the decoded JSON, None if it is none.

    `fields` are the names that the tool's schema knows: a key that it does not know can say as much as a value.
    """
    if labels.sink == "read" and _names_place(arguments):
        # Whoever is to read an address contacts it.
        labels = replace(labels, sink="fetch")
    if labels.sink in HARMLESS:
        return Judged(labels.sink, frozenset(), (), isinstance(arguments, dict))
    values = _values(arguments, labels, fields) if isinstance(arguments, dict) else None
    if values is None or _breaks_out(arguments, labels):
        return Judged(labels.sink, frozenset({Origin.MODEL}), (), understood=False)
    found: list[Argument] = []
    said: list[str] = []
    best = set()
    for name, value in values:
        seen, origins = _seen(name, value, labels, conversation)
        best.add(origins[0])
        said.append(value)
        found.append(Argument(name[:LONGEST_NAME], shown(value), origins, seen.tools))
    for name, value in _objects(arguments, labels, values, conversation):
        seen, origins = _seen(name, value, labels, conversation)
        if origins[0] in _BAD and (labels.sink not in _OWN or conversation.binds(name, value, labels)):
            best.add(origins[0])
            said.append(value)
            found.append(Argument(name[:LONGEST_NAME], shown(value), origins, seen.tools))
    if not found and (labels.sink in DECIDED_BY_ARGUMENTS or (labels.sink in _REACHES and not arguments)):
        # Nothing says what it is done to: that it is done at all is the model's idea.
        best.add(Origin.MODEL)
    needed = conversation.tainted or labels.sink in NEEDS_WORDS
    asked = needed and conversation.asks_for(labels.name, labels.sink)
    return Judged(labels.sink, frozenset(best), tuple(found), understood=True, asked=asked, values=tuple(said))


def _seen(name: str, value: str, labels: ToolLabels, conversation: Conversation) -> tuple[Seen, tuple[Origin, ...]]:
    kind = _kind(name)
    if kind == "path" and words(name)[-1:] != ("filename",):
        # A path that says no folder is another one than the user's with a folder.
        kind = ""
    seen = conversation.find(value, kind)
    return seen, _origins(name, value, labels, seen.origins, conversation)


def _objects(
    arguments: object, labels: ToolLabels, judged: list[tuple[str, str]], conversation: Conversation
) -> Iterator[tuple[str, str]]:
    """(name, value) of the arguments that say what a call is about, beside those that are judged in any case."""
    if not isinstance(arguments, dict) or labels.recipients is not None or labels.sink in WHOLLY_SENSITIVE:
        return
    known = {value for _, value in judged}
    making = not MAKES.isdisjoint(words(labels.name))
    called = making and conversation.gives_name(labels)
    for name, value in islice(arguments.items(), MOST_VALUES):
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value) not in known:
            text = str(value).strip()
            if text and len(text) <= LONGEST_OBJECT and _names_object(name, making=making, called=called):
                yield name, text


def _names_object(name: str, *, making: bool, called: bool) -> bool:
    """Whether an argument says which object is meant; of a new one its name, if the user has said that."""
    said = words(name)
    if not said or said[0] == "new" or (making and said[-1:] != ("id",)):
        return called and bool({"filename", "name", "path", "title"} & {*said})
    return kind_of(name) not in ("amount", "content", "query") and not _WHEN.intersection(said)


def _origins(
    name: str, value: str, labels: ToolLabels, seen: tuple[Origin, ...], conversation: Conversation
) -> tuple[Origin, ...]:
    """Where a value was seen, with what is known of the field it stood in."""
    short = len(value) <= LONGEST_SHORT and value.isdigit()
    if short and seen[0] is Origin.USER and _kind(name) == "id" and not conversation.designates(value, labels):
        # `13` stands in many a text: in dates, in amounts.
        seen = tuple(origin for origin in seen if origin is not Origin.USER) or (Origin.MODEL,)
    worse = seen[0] in (Origin.UNTRUSTED, Origin.MODEL)
    if worse and labels.sink in MAY_BE_ASSERTED and conversation.asserts(value, name, labels):
        return (Origin.ASSERTED, *seen)
    return seen


def _kind(name: str) -> str:
    return kind_of(name.rpartition(".")[2])


def _values(arguments: object, labels: ToolLabels, fields: frozenset[str]) -> list[tuple[str, str]] | None:
    """(dotted name, value) of every sensitive value, or None if there are too many to look at."""
    found = _sensitive(arguments, labels, fields, every=False)
    if not found and labels.sink in DECIDED_BY_ARGUMENTS:
        found = _sensitive(arguments, labels, fields, every=True)
        if labels.sink == "money" and any(_kind(name) in _WHICH for name, _ in found):
            # What is named decides who is paid, as a recipient would; how much is for a cap to say, and when free.
            found = [(name, value) for name, value in found if _kind(name) != "amount" and not _says_when(name)]
    if labels.sink in _REACHES and labels.recipients is None:
        every = _sensitive(arguments, labels, fields, every=True)
        says_whom = _is_message if found else _may_say_whom
        found += [one for one in every if one not in found and says_whom(*one)]
    return found if len(found) <= MOST_VALUES else None


def _is_message(name: str, value: str) -> bool:
    """Whether an argument holds a message with its header, which says whom it reaches."""
    return not _WHOLE.isdisjoint(words(name)) or (_HEADER.match(value) is not None and len(value.splitlines()) > 1)


def _may_say_whom(name: str, value: str) -> bool:
    """Whether an argument whose name does not say whom a call reaches may say it all the same."""
    if _is_message(name, value):
        return True
    last = words(name.rpartition(".")[2])
    number = value.isdigit() and len(value) <= LONGEST_SHORT
    return len(value) <= LONGEST_OBJECT and not number and _kind(name) not in _WHAT and not _WHEN.intersection(last)


def _breaks_out(arguments: object, labels: ToolLabels) -> bool:
    """Whether what has one line in a message (its subject) has more of them: what follows can be a header."""
    if labels.sink not in _REACHES or not isinstance(arguments, dict):
        return False
    texts = ((words(name), value) for name, value in arguments.items() if isinstance(value, str))
    return any(_ONE_LINE.intersection(said[-1:]) and _LINES.search(value.strip()) for said, value in texts)


def _says_when(name: str) -> bool:
    return not _WHEN.isdisjoint(words(name.rpartition(".")[2]))


def _sensitive(arguments: object, labels: ToolLabels, fields: frozenset[str], *, every: bool) -> list[tuple[str, str]]:
    leaves = _leaves(arguments, "", inherited=every, labels=labels, fields=fields)
    parts = _parts if labels.sink in TO_PEOPLE else _as_it_is
    return list(islice(((name, part) for name, value in leaves for part in parts(value)), MOST_VALUES + 1))


def _leaves(
    value: object, name: str, *, inherited: bool, labels: ToolLabels, fields: frozenset[str], depth: int = 0
) -> Iterator[tuple[str, str]]:
    """(dotted name, text) of each sensitive leaf: named so, inside one named so, or an address by its form."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") and depth <= MAX_DEPTH:
        deeper = _leaves(_from_json(value), name, inherited=inherited, labels=labels, fields=fields, depth=depth + 1)
        inside = list(deeper)
        if inside:
            yield from inside
            return
    if isinstance(value, bool) or value is None:
        return
    if depth > MAX_DEPTH:
        yield name, TOO_DEEP
    elif isinstance(value, dict):
        for key, inner in value.items():
            dotted = ".".join(filter(None, (name, key if _NAME.fullmatch(key) else "?")))
            sensitive = (inherited or labels.is_sensitive(key)) and not _is_least(key, inner)
            yield from _leaves(inner, dotted, inherited=sensitive, labels=labels, fields=fields, depth=depth + 1)
            if _is_address(key) or (inherited and name and labels.sink in DECIDED_BY_ARGUMENTS and key not in fields):
                yield f"{dotted} (name)", key
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name, inherited=inherited, labels=labels, fields=fields, depth=depth + 1)
    else:
        text = str(value)
        counts = isinstance(value, int) and value <= MOST_COUNTED and _COUNTED.intersection(words(name)[-1:])
        if counts and labels.sink not in WHOLLY_SENSITIVE:
            return
        if text.strip() and (inherited or _is_address(text)):
            yield name, text


def _is_least(name: str, value: object) -> bool:
    return isinstance(value, str) and value.lower() in _LEAST and kind_of(name) == "permission"


def _from_json(text: str) -> object:
    """What a text that looks like JSON says, so that nothing hides in it; None if it is none."""
    try:
        return json.loads(text, object_pairs_hook=_all_values)
    except (ValueError, RecursionError):
        return None


def _all_values(pairs: list[tuple[str, object]]) -> dict[str, list[object]]:
    """An object with every value of each key: whoever reads it may take the first or the last."""
    out: dict[str, list[object]] = {}
    for key, value in pairs:
        out.setdefault(key, []).append(value)
    return out


def _names_place(arguments: object) -> bool:
    """Whether a web address, or one of another scheme, stands anywhere in the arguments."""
    left, depth = [arguments], 0
    while left and depth <= MAX_DEPTH:
        if any(isinstance(value, str) and _PLACE.search(value) for value in left):
            return True
        inner = [value for value in left if isinstance(value, dict | list)]
        left = [deeper for value in inner for deeper in (value.values() if isinstance(value, dict) else value)]
        depth += 1
    return bool(left)


def _as_it_is(text: str) -> Iterator[str]:
    yield text.strip()


def _is_address(text: str) -> bool:
    """Whether a text is nothing but addresses."""
    parts = list(_parts(text))
    return bool(parts) and all(_ADDRESS.fullmatch(part.rstrip(".")) for part in parts)


def _parts(text: str) -> Iterator[str]:
    """The single recipients in a list of mail addresses, `a@x.org, Bob <b@x.org>`; any other text as it is.

    Every part must be known. A name beside an address is let go only if it is plain words.
    """
    pieces = [piece.strip() for piece in re.split(r"[,;\n]", text)] if "@" in text else []
    mails = [_MAIL.fullmatch(piece) for piece in pieces if piece]
    found = [mail["named"] or mail["bare"] for mail in mails if mail]
    if mails and len(found) == len(mails):
        yield from found
    elif text.strip():
        yield text.strip()
