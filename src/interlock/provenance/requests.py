"""What the user asked for, in the words of the request: which acts, which objects, which parts of them.

Words are compared in a plain form, `sending` as `send`. Only the user's own texts count. A request that nobody
understands asks for nothing, which allows less.
"""

import re
from collections.abc import Collection, Iterable

from interlock.knowledge import request_words, tool_words
from interlock.provenance.names import words
from interlock.provenance.sinks import class_of

# Texts of users that are looked at, in characters: a pasted book does not ask for more than its beginning and end.
MOST_CHARS = 200_000
_WORD = re.compile(r"[^\W\d_]+")
_FILE = re.compile(r"(?<=\w)\.(?:csv|docx?|html?|json|md|odt|pdf|pptx?|py|txt|xlsx?|ya?ml)\b")
_NAME = re.compile(r"[^\W_]+")
# Words of names that tell no object from another.
_WEAK = frozenset(
    "a an and at by copy doc docs docx csv de file for from in into is it its jpg json md me my new note of on or our "
    "pdf png pptx the their this to txt und update with xls xlsx your".split()
)
FEWEST_LETTERS = 4
# A name of a field that any request has.
_COMMON = frozenset({"from"})
_SENTENCE = re.compile(r"[.!?;\n]\s+|\n")
_HANDLED = frozenset({"write", "send", "money"})
# Asked for only together with the kind of object: who asks for a meeting has not asked for a file.
_OF_OBJECTS = frozenset({"write", "delete"})
_DELEGATES = re.compile(
    r"\b(?:do|complete|follow|perform|finish|carry out|take care of)\b (?:[\w'-]+ ){0,4}"
    r"(?:actions?|everything|instructions?|items?|steps?|tasks?|to-?dos?)\b"
)
_MOST = frozenset("biggest greatest heaviest highest largest latest longest newest".split())
_LEAST = frozenset("cheapest earliest lightest lowest oldest shortest smallest".split())


class Request:
    """The words of a user's texts; made once for a conversation in which something is to be decided."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.said = "\n".join(texts)[:MOST_CHARS]
        self.text = self.said.lower()
        # `notes.txt` is a word for a file.
        self._order = _WORD.findall(_FILE.sub(" file", self.text))
        self._words = frozenset(self._order)
        self._stems = _all_stems(" ".join(self._order))
        self._names = frozenset(_NAME.findall(self.text))
        # Written as names are: with a capital letter, or in a script that has none.
        self._proper = frozenset(
            word.lower() for word in _NAME.findall(self.said) if word != word.lower() or not word.isascii()
        )

    def asks_for(self, tool: str, sink: str) -> bool:
        """Whether the request has a word for what this tool does; for a deletion also one for what it is done to."""
        said = words(tool)
        table = request_words()
        acts = set(table.sinks.get(sink, ()))
        verb = next((word for word in said if class_of(word) == sink or word in tool_words().strong), "")
        if sink in ("write", "send", "publish", "money", "admin"):
            acts |= {act for act in ("create", "change", "send") if verb in table.groups[act]}
        verbs = frozenset({verb}) if verb else frozenset[str]()
        asking = verbs.union(*(table.groups[act] for act in acts))
        if self._has(asking) and (sink not in _OF_OBJECTS or self._means(asking, said)):
            return True
        # `Handle the invoice` names the object, `do the tasks` neither it nor what is to be done.
        handled = sink in _HANDLED and self._has(table.groups["work"]) and self._speaks_of(_nouns(said))
        return handled or (sink == "write" and _DELEGATES.search(self.text) is not None)

    def _means(self, verbs: frozenset[str], said: Collection[str]) -> bool:
        """Whether a sentence has one of these verbs and this kind of object; or the request no object with a word."""
        kinds = _kinds(_nouns(said))
        if not self._speaks_of(kinds):
            return not self._speaks_of(_every_noun())
        return any(
            not stems.isdisjoint(kinds) and (not stems.isdisjoint(verbs) or not self._stems & verbs)
            for stems in map(_all_stems, _SENTENCE.split(_FILE.sub(" file", self.text)))
        )

    def _speaks_of(self, nouns: Iterable[str]) -> bool:
        """Whether the request has one of these nouns, or another word for the same kind of object."""
        return not _kinds(nouns).isdisjoint(self._stems)

    def refers_to(self, field: str) -> bool:
        """Whether the request speaks of such a field of an object: of attendees, say, for `participants`."""
        wanted = set(words(field))
        return any(
            not wanted.isdisjoint(group) and not self._words.isdisjoint(group - _COMMON)
            for group in request_words().fields
        )

    def names(self, title: str, *, exactly: bool) -> bool:
        """Whether all words that tell this title from others stand in the request.

        `exactly`: one word alone stands in many a request, so that it has to be written as the title is.
        """
        said = [word for word in _NAME.findall(title.lower()) if word not in _WEAK]
        if sum(len(word) for word in said if not word.isdigit()) < FEWEST_LETTERS or not self._names.issuperset(said):
            return False
        return (
            len(said) > 1
            or not exactly
            or re.search(rf"(?<![\w.]){re.escape(title.strip())}(?![\w@]|\.\w)", self.said) is not None
        )

    def mentions(self, name: str) -> bool:
        """Whether a part of a person's name that is long enough to tell stands in the request, written as a name."""
        return any(len(word) > 2 and word in self._proper for word in _NAME.findall(name.lower()) if word not in _WEAK)

    def has(self, some: frozenset[str]) -> bool:
        """Whether one of these words stands in the request."""
        return not self._words.isdisjoint(some)

    def superlative(self, nouns: Iterable[str]) -> tuple[bool, bool]:
        """Whether the request speaks of the most, and of the least, of something: `the two largest files`."""
        kinds = _kinds(nouns)
        about = [
            word
            for word, after in zip(self._order, _following(self._order), strict=True)
            if not kinds.isdisjoint(after)
        ]
        return not _MOST.isdisjoint(about), not _LEAST.isdisjoint(about)

    def designates(self, number: str, nouns: Collection[str]) -> bool:
        """Whether a short number stands behind a word for what it numbers: `file 13`, `id: 13`, `#13`.

        Without `nouns` it may be any object that has a word.
        """
        before = _kinds(nouns or _every_noun()) | {"id", "number", "no", "nr", "num"}
        for match in re.finditer(rf"(?<![\w.,-]){re.escape(number.lower())}(?![\w-]|[.,]\d)", self.text):
            lead = self.text[max(0, match.start() - 40) : match.start()].rstrip(" '\"`*([:=")
            if lead.endswith("#") or {word.removesuffix("s") for word in _WORD.findall(lead)[-3:]} & before:
                return True
        return False

    def _has(self, group: frozenset[str]) -> bool:
        return not self._stems.isdisjoint(group) or any(
            not word.isascii() and _WORDLESS.search(word) and word in self.text for word in group
        )


# Scripts that write no spaces between words, or write endings to them.
_WORDLESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def _kinds(nouns: Iterable[str]) -> set[str]:
    """These nouns in the singular, and the other words for the same kinds of objects."""
    wanted = {word.removesuffix("s") for word in nouns if len(word) > 2}
    for group in request_words().nouns:
        if not wanted.isdisjoint(group):
            wanted |= group
    return wanted


def _every_noun() -> frozenset[str]:
    return frozenset().union(*request_words().nouns)


def _nouns(said: Collection[str]) -> list[str]:
    """The words of a tool's name that are not surely its verb."""
    return [word for word in said if word not in tool_words().strong]


def _all_stems(text: str) -> frozenset[str]:
    return frozenset(stem for word in _WORD.findall(text) for stem in _stems(word))


def _following(order: list[str]) -> list[set[str]]:
    """For each word the three that follow it, in the singular."""
    return [{word.removesuffix("s") for word in order[at + 1 : at + 4]} for at in range(len(order))]


def _stems(word: str) -> tuple[str, ...]:
    """A word, and what may be its plain form."""
    out = [word]
    for ending in ("s", "es", "ed", "d", "ing", "er"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2:
            out += [stem, stem + "e"]
            if len(stem) > 3 and stem[-1] == stem[-2]:
                out.append(stem[:-1])
    if word.endswith("ies"):
        out.append(word[:-3] + "y")
    return tuple(out)
