"""Which objects a request's verbs are about: `read the file and create an event` creates no file.

A shallow reading of English, in which a verb stands before its objects: a clause goes from a verb up to the next one,
`it` stands for the objects named before, and `is to be deleted` is about what stands before it. Of other languages a
sentence is taken as a whole.
"""

import re
from collections.abc import Collection, Iterator
from functools import cache

from interlock.knowledge import request_words

_TOKEN = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*|[,.;:!?()]")
_WORD = re.compile(r"[^\W\d_]+")
# Behind one of these stands a noun.
_DETERMINERS = frozenset(
    "a all an any each every her his its last latest my new next no our recent some that the their these this those "
    "unread your".split()
)
# Behind one of these a verb begins something new.
_LEADS = frozenset(
    "also and but can could either first just kindly must next not now or please should then to will".split()
)
_LEADS_ON = frozenset(",.;:!?(")
# Behind one of these a verb says what is to be done.
_SUBJECTS = frozenset("and help i it me please they to us we who you".split())
_PRONOUNS = frozenset("it them that this these those one ones both all everything him her".split())
_BEING = frozenset("are be been being get gets is needs was were".split())
# Clauses of one sentence; more is no request of a person.
MOST_CLAUSES = 200


class Clause:
    """A verb with what stands behind it up to the next verb, and whether it is about what stands before it."""

    def __init__(self, verb: frozenset[str], *, passive: bool = False) -> None:
        self.verb = verb
        self.passive = passive
        self.objects: list[str] = []

    @property
    def words(self) -> frozenset[str]:
        """All that stands behind the verb, in plain form."""
        return all_stems(" ".join(self.objects))

    @property
    def nouns(self) -> frozenset[str]:
        """The words for kinds of objects among them."""
        return self.words & every_noun()

    @property
    def points_back(self) -> bool:
        """Whether it names no object, and speaks of one by `it`."""
        return not self.nouns and not _PRONOUNS.isdisjoint(self.objects)

    @property
    def says_something(self) -> bool:
        """Whether anything stands behind the verb but words that lead on."""
        return any(word.isalpha() and word not in _LEADS and word not in _DETERMINERS for word in self.objects)


def clauses(sentence: str) -> list[Clause]:
    """The clauses of a text in lower case, in order; what stands before the first verb is one without a verb."""
    out = [Clause(frozenset())]
    before = ","
    for token in _TOKEN.findall(sentence):
        passive = before in _BEING and token.endswith("ed")
        begins = before in _LEADS or before in _LEADS_ON or passive
        verb = frozenset(stems(token)) & _verbs() if begins else frozenset[str]()
        if verb and not (token.endswith("s") and token.removesuffix("s") in every_noun()) and len(out) < MOST_CLAUSES:
            out.append(Clause(verb, passive=passive))
        else:
            out[-1].objects.append(token)
        before = token
    return out


def governs(read: list[Clause], verbs: frozenset[str], kinds: Collection[str]) -> bool:
    """Whether a clause with one of these verbs is about one of these kinds of objects."""
    kinds = frozenset(kinds)
    if any(not kinds.isdisjoint(about) for about in spoken_of(read, verbs)):
        return True
    # `Request two days off` says in the verb what is made.
    return any(not clause.passive and clause.verb & verbs & kinds for clause in read)


def spoken_of(read: list[Clause], verbs: frozenset[str]) -> Iterator[frozenset[str]]:
    """The words, in plain form, that each clause with one of these verbs is about."""
    everything = [word for clause in read for word in clause.objects]
    if not (verbs - request_words().english).isdisjoint(everything):
        yield all_stems(" ".join(everything))
    named = frozenset[str]()
    for clause in read:
        about = frozenset[str]() if clause.passive else clause.words
        if clause.passive or clause.points_back:
            about |= named
        if clause.verb & verbs or _verbs_inside(clause, verbs):
            yield about
        named = named if clause.points_back or not clause.says_something else clause.words


def _verbs_inside(clause: Clause, verbs: frozenset[str]) -> bool:
    """Whether such a verb stands where a verb was not looked for, as in `help me delete`; not in `the plan`."""
    order = clause.objects
    return any(
        not verbs.isdisjoint(stems(word)) and before in _SUBJECTS and word not in every_noun()
        for before, word in zip(["", *order], order, strict=False)
        if not (word.endswith("s") and word.removesuffix("s") in every_noun())
    )


@cache
def every_noun() -> frozenset[str]:
    """Every word for a kind of object."""
    return frozenset().union(*request_words().nouns)


def is_common(word: str) -> bool:
    """Whether a word is a verb of requests, or a word for a kind of object."""
    said = frozenset(stems(word))
    return not said.isdisjoint(_verbs()) or not said.isdisjoint(every_noun())


@cache
def _verbs() -> frozenset[str]:
    return frozenset().union(*request_words().groups.values()) | _READING


# What a request begins with that only asks to look at something.
_READING = frozenset(
    "analyse analyze browse check compare count display extract fetch find get give identify inspect list locate look "
    "lodge open pencil raise start read retrieve review scan search see show summarise summarize translate use verify "
    "view what when where which who".split()
)


def all_stems(text: str) -> frozenset[str]:
    """Every word of a text, and what may be its plain form."""
    return frozenset(stem for word in _WORD.findall(text) for stem in stems(word))


def stems(word: str) -> tuple[str, ...]:
    """A word, and what may be its plain form.

    >>> stems("sending")
    ('sending', 'send', 'sende')
    """
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
