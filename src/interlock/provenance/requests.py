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
_NAME = re.compile(r"[^\W_]+")
# Words of names that tell no object from another.
_WEAK = frozenset(
    "a an and at by copy doc docs docx csv de file for from in into is it its jpg json md me my new note of on or our "
    "pdf png pptx the their this to txt und update with xls xlsx your".split()
)
FEWEST_LETTERS = 4
_HANDLED = frozenset({"write", "send", "money"})
_MOST = frozenset("biggest greatest heaviest highest largest last latest longest maximum most newest".split())
_LEAST = frozenset("cheapest earliest first least lightest lowest minimum oldest shortest smallest".split())


class Request:
    """The words of a user's texts; made once for a conversation in which something is to be decided."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.text = "\n".join(texts)[:MOST_CHARS].lower()
        self._words = frozenset(_WORD.findall(self.text))
        self._stems = frozenset(stem for word in self._words for stem in _stems(word))
        self._names = frozenset(_NAME.findall(self.text))

    def asks_for(self, tool: str, sink: str) -> bool:
        """Whether the request has a word for what this tool does; for a deletion also one for what it is done to."""
        said = words(tool)
        table = request_words()
        acts = set(table.sinks.get(sink, ()))
        verb = next((word for word in said if class_of(word) == sink or word in tool_words().strong), "")
        if sink in ("write", "send", "publish", "money", "admin"):
            acts |= {act for act in ("create", "change", "send") if verb in table.groups[act]}
        if not any(self._has(table.groups[act]) for act in acts) and not (verb and verb in self._stems):
            # `Handle the invoice` names the object, and leaves open what is to be done.
            return sink in _HANDLED and self._has(table.groups["work"]) and self.speaks_of(said)
        return sink != "delete" or self.speaks_of(said)

    def speaks_of(self, nouns: Iterable[str]) -> bool:
        """Whether the request has one of these nouns, or another word for the same kind of object."""
        wanted = {word.removesuffix("s") for word in nouns if len(word) > 2}
        for group in request_words().nouns:
            if not wanted.isdisjoint(group):
                wanted |= group
        return not wanted.isdisjoint(self._stems)

    def refers_to(self, field: str) -> bool:
        """Whether the request has a word for this field of an object, `attendees` for participants."""
        wanted = set(words(field))
        for group in request_words().fields:
            if not wanted.isdisjoint(group):
                return not self._words.isdisjoint(group)
        return not wanted.isdisjoint(self._stems)

    def names(self, title: str) -> bool:
        """Whether all words that tell this title from others stand in the request."""
        said = [word for word in _NAME.findall(title.lower()) if word not in _WEAK]
        long = any(len(word) >= FEWEST_LETTERS and not word.isdigit() for word in said)
        return long and len(said) <= 20 and self._names.issuperset(said)

    def mentions(self, name: str) -> bool:
        """Whether a part of a person's name that is long enough to tell stands in the request."""
        return any(len(word) > 2 and word in self._names for word in _NAME.findall(name.lower()) if word not in _WEAK)

    def has(self, some: frozenset[str]) -> bool:
        """Whether one of these words stands in the request."""
        return not self._words.isdisjoint(some)

    def superlative(self) -> tuple[bool, bool]:
        """Whether the request has a word for the most, and one for the least, of something."""
        return self.has(_MOST), self.has(_LEAST)

    def designates(self, number: str, nouns: Collection[str]) -> bool:
        """Whether a short number stands behind a word for what it numbers: `file 13`, `id: 13`, `#13`.

        Without `nouns` it may be any object that has a word.
        """
        before = {word.removesuffix("s") for word in nouns} | {"id", "number", "no", "nr", "num"}
        for group in request_words().nouns:
            if not nouns or not before.isdisjoint(group):
                before |= group
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
