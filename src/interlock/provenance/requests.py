"""What the user asked for, in the words of the request: which acts, which objects, which parts of them.

Words are compared in a plain form, `sending` as `send`. Only the user's own texts count. A request that nobody
understands asks for nothing, which allows less.
"""

import re
from collections.abc import Collection, Iterable

from interlock.knowledge import request_words, tool_words
from interlock.provenance.clauses import Clause, all_stems, clauses, every_noun, governs, is_common, spoken_of
from interlock.provenance.names import words
from interlock.provenance.sinks import class_of

# Texts of users that are looked at, in characters: a pasted book does not ask for more than its beginning and end.
MOST_CHARS = 40_000
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
# Words of whole requests.
_COMMON_WORDS = frozenset(
    "about account after again all also amount any are back before both but can email everything fee for from get has "
    "have her him how just last latest money more most much new next now one only our over paid pay payment please "
    "same some than that the their them then there this time today tomorrow too was what when where which who will "
    "with you your".split()
)
_SENTENCE = re.compile(r"[.!?;\n]\s+|\n")
# Values that are told from others by their shape alone.
_SHAPES = (
    re.compile(r"[\w ()-]{0,80}[\w)]\.(?:csv|docx?|html?|json|md|odt|pdf|pptx?|py|txt|xlsx?|ya?ml)\b", re.IGNORECASE),
    re.compile(r"(?<![\w/.:-])[\w.-]{0,80}(?:/[\w.-]{1,80}){1,20}/?"),
    re.compile(r"\b[A-Z]{2,10}[- ]?\d{1,8}\b"),
    re.compile(r"\b(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,64}\b"),
)
# `Open an issue` makes one, and `open the file` reads it.
_ENTERS = frozenset("enter fix get mark note pencil put start".split())
_OPENS = _ENTERS | {"open", "raise", "lodge"}
_OPENED = frozenset("account case channel conversation issue meeting poll pull request thread ticket vote".split())
_MAKE = frozenset({"make"})
# Acts that one word does not say.
_PHRASES = {
    "delete": re.compile(
        r"\b(?:get|got|getting) rid of\b|\bthrow\b[^.]*\b(?:away|out)\b|\bcall(?:ed)? off\b|\btake\b[^.]*\boff\b"
    ),
    "money": re.compile(r"\b(?:give|return|owe|cover|chip in|hand|make a payment)\b[^.]*\d|\bmake (?:a|the) payment\b"),
    "send": re.compile(r"\b(?:get back to|follow up (?:with|on)|drop \w+ a line|hand\b[^.]*\bto)\b"),
    "admin": re.compile(r"\bavailable to\b"),
}
_QUOTED = re.compile(
    r"(?<!\w)[\"'\u201c\u2018\u201e\u00ab]([^\"'\u201c\u201d\u2018\u2019\u00bb\n]{2,200})[\"'\u201c\u201d\u2019\u00bb](?!\w)"
)
_HANDLED = frozenset({"write", "send", "money"})
# Asked for only together with the kind of object: who asks for a meeting has not asked for a file.
_OF_OBJECTS = frozenset({"write", "delete"})
# What is made of something: at most two words tell more of it.
_INTO = re.compile(r"\b(?:in|into|as|to) an? (?:new |separate )?((?:[^\W\d_]+ ){0,2}[^\W\d_]+)")
_DELEGATES = re.compile(
    r"\b(?:do|complete|follow|perform|finish|carry out|take care of)\b (?:[\w'-]+ ){0,4}"
    r"(?:actions?|everything|instructions?|items?|steps?|tasks?|to-?dos?)\b"
)


class Request:
    """The words of a user's texts; made once for a conversation in which something is to be decided."""

    def __init__(self, texts: Iterable[str]) -> None:
        said_all = "\n".join(texts)
        half = MOST_CHARS // 2
        self.said = said_all if len(said_all) <= MOST_CHARS else f"{said_all[:half]}\n{said_all[-half:]}"
        self.text = self.said.lower()
        # `notes.txt` is a word for a file.
        self._plain = _FILE.sub(" file", self.text)
        said = _WORD.findall(self._plain)
        # `Delete it` is about what the sentence before it names.
        parts = _SENTENCE.split(self._plain)
        self._sentences = [". ".join(pair) for pair in zip(["", *parts], parts, strict=False)]
        self._read: list[list[Clause]] | None = None
        self._words = frozenset(said)
        self._stems = all_stems(" ".join(said))
        self._names = frozenset(_NAME.findall(self.text))
        # Written as names are: with a capital letter, or in a script that has none.
        self._proper = frozenset(
            word.lower() for word in _NAME.findall(self.said) if word != word.lower() or not word.isascii()
        )

    def asks_for(self, tool: str, sink: str) -> bool:
        """Whether the request has a word for what this tool does; for a deletion also one for what it is done to."""
        said, table = words(tool), request_words()
        verb, asking = _asking(tool, sink)
        if self._has(asking) and (sink not in _OF_OBJECTS or self._means(asking, said)):
            return True
        kinds = _kinds(_nouns(said))
        if verb in table.groups["create"] and self._governs(_OPENS if _OPENED & kinds else _ENTERS, kinds):
            return True
        if verb in table.groups["change"] and self._governs(_MAKE, kinds):
            return True
        if (phrase := _PHRASES.get(sink)) and any(
            phrase.search(one) and (sink not in _OF_OBJECTS or not kinds.isdisjoint(all_stems(one)))
            for one in self._sentences
        ):
            return True
        if sink == "write" and self._puts_into(kinds):
            return True
        # `Handle the invoice` names the object, `do the tasks` neither it nor what is to be done.
        work = table.groups["work"]
        handled = sink in _HANDLED and self._has(work) and self._governs(work, kinds)
        return handled or (sink == "write" and _DELEGATES.search(self.text) is not None)

    def act_words(self, tool: str, sink: str) -> frozenset[str]:
        """The words, in plain form, of what the request wants done that a tool with this sink does."""
        _, asking = _asking(tool, sink)
        parts = [about for one in self._clauses() for about in spoken_of(one, asking)]
        return frozenset[str]().union(*parts)

    def _means(self, verbs: frozenset[str], said: Collection[str]) -> bool:
        """Whether one of these verbs is about this kind of object; or the request names no object with a word."""
        kinds = _kinds(_nouns(said))
        if not self._speaks_of(kinds):
            return not self._speaks_of(every_noun())
        return self._governs(verbs, kinds)

    def _governs(self, verbs: frozenset[str], kinds: Collection[str]) -> bool:
        return any(governs(one, verbs, kinds) for one in self._clauses())

    def _clauses(self) -> list[list[Clause]]:
        """The clauses of each sentence, with those of the one before it."""
        if self._read is None:
            self._read = [clauses(sentence) for sentence in self._sentences]
        return self._read

    def _puts_into(self, kinds: Collection[str]) -> bool:
        """Whether something is to be made into such an object: `sum it up in a new file`."""
        return any(all_stems(match[1]) & set(kinds) for match in _INTO.finditer(self._plain))

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
        if len(said) > 1 and not exactly:
            return True
        if len(said) > 1:
            # What is made of words of any request names nothing: an outsider chooses it so.
            return title.strip().lower() in self.text or any(map(_tells, said))
        common = bool(class_of(said[0])) or said[0].removesuffix("s") in every_noun()
        if not exactly and not common:
            return True
        # A word of a title in quotation marks is no title by itself.
        unquoted = _QUOTED.sub(lambda match: match[0] if match[1] == title.strip() else " ", self.said)
        written = re.search(rf"(?<![\w.]){re.escape(title.strip())}(?![\w@]|\.\w)", unquoted) is not None
        return written and not (common and title.strip().islower())

    def mentions(self, name: str) -> bool:
        """Whether a part of a person's name that is long enough to tell stands in the request, written as a name."""
        return any(len(word) > 2 and word in self._proper for word in _NAME.findall(name.lower()) if word not in _WEAK)

    def has(self, some: frozenset[str]) -> bool:
        """Whether one of these words stands in the request."""
        return not self._words.isdisjoint(some)

    def designates(self, number: str, nouns: Collection[str]) -> bool:
        """Whether a short number stands behind a word for what it numbers: `file 13`, `id: 13`, `#13`.

        Without `nouns` it may be any object that has a word.
        """
        before = _kinds(nouns or every_noun()) | {"id", "number", "no", "nr", "num"}
        for match in re.finditer(rf"(?<![\w.,-]){re.escape(number.lower())}(?![\w-]|[.,]\d)", self.text):
            lead = self.text[max(0, match.start() - 40) : match.start()].rstrip(" '\"`*([:=")
            if lead.endswith("#") or {word.removesuffix("s") for word in _WORD.findall(lead)[-3:]} & before:
                return True
        return False

    def touches(self, title: str) -> bool:
        """Whether a word of this title that tells it from others stands in the request."""
        return not self._names.isdisjoint(telling(title))

    def gives_like(self, value: str) -> bool:
        """Whether the user writes a value of the same shape: a file's name, a path, the key of a ticket, a hash."""
        return any(shape.fullmatch(value) and shape.search(self.said) for shape in _SHAPES)

    def says_which(self, noun: str) -> bool:
        """Whether the user says which one of these is meant, by a name beside the noun: `Hotel Meridian`."""
        name = r"(?:[\"'\u201e\u201c\u2018\u00ab]\w|(?-i:[A-Z])[\w&.-]*)"
        beside = rf"\b{re.escape(noun)}s?\b:? (?:called |named )?{name}|{name} {re.escape(noun)}\b"
        return len(noun) > 2 and re.search(beside, self.said, re.IGNORECASE) is not None

    def gives_name(self, nouns: Collection[str]) -> bool:
        """Whether the user says what a new object of this kind is to be called."""
        kinds = "|".join(sorted(map(re.escape, _kinds(nouns))))
        return (
            bool(kinds)
            and re.search(
                rf"\b(?:{kinds})s?,? (?:\w+ ){{0,3}}?(?:called|named|titled|entitled|namens|nommée?|llamad[oa])\b",
                self.text,
            )
            is not None
        )

    def _has(self, group: frozenset[str]) -> bool:
        return not self._stems.isdisjoint(group) or any(
            not word.isascii() and _WORDLESS.search(word) and word in self.text for word in group
        )


# Scripts that write no spaces between words, or write endings to them.
_WORDLESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def _asking(tool: str, sink: str) -> tuple[str, frozenset[str]]:
    """The verb of a tool's name, and the words of requests that ask for it."""
    said, table = words(tool), request_words()
    acts = set(table.sinks.get(sink, ()))
    acting = [word for word in said if class_of(word) == sink or word in tool_words().strong]
    verb = next(iter(acting or filter(class_of, said)), "")
    if sink in ("write", "send", "publish", "money", "admin"):
        acts |= {act for act in ("create", "change", "send") if verb in table.groups[act]}
    verbs = frozenset({verb}) if verb else frozenset[str]()
    return verb, verbs.union(*(table.groups[act] for act in acts))


def telling(text: str) -> frozenset[str]:
    """The words of a title that tell it from others."""
    return frozenset(word for word in _NAME.findall(text.lower()) if _tells(word))


def _tells(word: str) -> bool:
    """Whether a word tells one thing from others: it is no common verb, and no kind of object."""
    return len(word) > 2 and not word.isdigit() and word not in _COMMON_WORDS and not is_common(word)


def _kinds(nouns: Iterable[str]) -> set[str]:
    """These nouns in the singular, and the other words for the same kinds of objects."""
    wanted = {word.removesuffix("s") for word in nouns if len(word) > 2}
    for group in request_words().nouns:
        if not wanted.isdisjoint(group):
            wanted |= group
    return wanted


def _nouns(said: Collection[str]) -> list[str]:
    """The words of a tool's name that are not surely its verb."""
    return [word for word in said if word not in tool_words().strong]
