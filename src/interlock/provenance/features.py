"""What a tool's definition says, as short marks that the model of labels has weights for.

A mark is a place and a word: `n=pay` a word of the name, `v=pay` the verb that says what is done, `d=pay` a word of
the description's first sentence, `a=iban` a word of an argument's name. Beside the words stand their classes of the
lexicon, so that a word which the training never saw speaks through others of its class; words of other languages are
put into English first. Of a description the first sentence counts, and no assurance in it: who says that a tool only
reads has said nothing.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice, pairwise
from typing import NamedTuple

from interlock.knowledge import tool_words
from interlock.model.event import ToolDefinition
from interlock.provenance.kinds import kind_of
from interlock.provenance.languages import english, plain
from interlock.provenance.names import LONGEST, choices, known, properties, words
from interlock.provenance.sinks import KEPT, LONGEST_VERB, SWITCHES, class_of, plain_verb, sink_of, verb_at

MOST_ARGUMENTS = 40
MOST_WORDS = 20
FIRST_CHARS = 600
DESCRIBED_CHARS = 200
MOST_DESCRIBED = 14
_NOUNS = (
    "money_nouns", "credential_nouns", "power_nouns", "publish_nouns", "send_nouns", "execute_nouns", "detached",
    "local_nouns", "trusted_nouns", "outside_nouns", "private_nouns", "private_text", "open_nouns",
)  # fmt: skip
_STOP = frozenset(
    "a an the of to for in on at by with from and or as is are be this that it its their your you tool tools use used "
    "using which will can may into all any each one given specified specific existing when where if not only s".split()
)
# Words of names that say nothing of what a tool does.
_EMPTY = frozenset({"mcp", "tool", "tools"})
# What a description says of its own harmlessness, its version or its place is left out.
_ASSURES = re.compile(
    r"read[- ]?only|\bonly reads?\b|\bsafe(?:ly)?\b|harmless|\bdoes(?: not|n't)\b|\bno side effects?|\bnever\b"
    r"|\bwithout\b|non-?destructive|deprecated",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?](?=\s|$)|[\u3002\uff01\uff1f\u0964\n]|<[^>]*>|\[[^\]]{0,120}\]")
_TOKEN = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_PIECE = re.compile(r"[^\W_]+")


class Said(NamedTuple):
    """A definition, read once: words of its `name` and `first` sentence in English, its `arguments` with theirs.

    `top` are the arguments that the schema names itself; the others stand inside of those.
    """

    name: list[str]
    first: list[str]
    arguments: list[tuple[str, tuple[str, ...], Mapping[str, object]]]
    top: frozenset[str]


def read(name: str, definition: ToolDefinition) -> Said:
    """What a definition says, in words."""
    given = list(islice(properties(definition.schema), MOST_ARGUMENTS))
    first, top = sentence(definition.description), definition.schema.get("properties")
    return Said(
        name=[word for word in translated(name) if word not in _EMPTY],
        first=[word for token in _TOKEN.findall(first)[:MOST_WORDS] for word in _word(token)],
        arguments=[(argument, tuple(translated(argument)), schema) for argument, schema in given],
        top=frozenset(top) if isinstance(top, dict) else frozenset(),
    )


def sentence(description: str) -> str:
    """The first sentence that says what a tool does, without assurances."""
    for part in _SENTENCE.split(description[:FIRST_CHARS]):
        if len(part.strip()) > 3 and not part.strip().endswith(":"):
            return _ASSURES.split(part)[0] if _ASSURES.search(part) else part
    return ""


def translated(name: str) -> list[str]:
    """The words of an identifier, in English where they are known."""
    if name.isascii():
        return [one for word in words(name) for one in (english(word) if not _is_known(word) else ()) or (word,)]
    return [one for piece in _PIECE.findall(name[:LONGEST]) for one in english(piece)]


def _word(token: str) -> tuple[str, ...]:
    said = token.lower()
    if said.isascii() and _is_known(said):
        return (said,)
    return english(token) or ((plain(token),) if plain(token).isascii() else ())


def _is_known(word: str) -> bool:
    return bool(plain_verb(word) or _noun_classes(word))


def stem(word: str) -> str:
    """A noun in the singular, roughly."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def marks(name: str, definition: ToolDefinition, said: Said) -> list[str]:
    """The marks of a tool, each once, in order."""
    found = dict.fromkeys(_of_name(said.name))
    found |= dict.fromkeys(_of_description(said.first))
    found |= dict.fromkeys(_of_arguments(said))
    found["r=" + sink_of(name, definition)] = None
    return list(found)


def _classes(nouns: list[str]) -> list[str]:
    found = {kind for word in nouns for kind in _noun_classes(word)}
    return [kind for kind in _NOUNS if kind in found]


def _noun_classes(word: str) -> tuple[str, ...]:
    return _classes_of(word) if len(word) <= LONGEST_VERB else ()


@lru_cache(KEPT)
def _classes_of(word: str) -> tuple[str, ...]:
    table = tool_words()
    return tuple(kind for kind in _NOUNS if known(word, getattr(table, kind)))


def _of_name(name: list[str]) -> Iterator[str]:
    if not name:
        yield "n0"
        return
    for word in name:
        yield "n=" + stem(word)
    yield "first=" + stem(name[0])
    yield "last=" + stem(name[-1])
    for one, two in pairwise(name):
        yield f"n={stem(one)}_{stem(two)}"
    at = verb_at(name)
    verb = "" if at is None else name[at]
    kind = class_of(verb) if verb else "no"
    nouns = [word for place, word in enumerate(name) if place != at]
    yield "v=" + verb
    yield "vc=" + kind
    others = {class_of(word) for word in nouns} - {""}
    for other in sorted(others):
        yield "xc=" + other
    classes = _classes(nouns)
    for one in classes:
        yield "o=" + one
        yield f"vc={kind}&o={one}"
    if not nouns:
        yield f"vc={kind}&alone"


def _of_description(first: list[str]) -> Iterator[str]:
    meant = [word for word in first if word not in _STOP]
    verbs = [verb for word in meant[:4] if (verb := plain_verb(word))]
    verb = verbs[0] if verbs else ""
    kind = class_of(verb) if verb else "no"
    yield "dv=" + verb
    yield "dvc=" + kind
    for word in meant:
        yield "d=" + stem(word)
    for other in sorted({class_of(one) for one in verbs[1:]}):
        yield "dxc=" + other
    for one in _classes(meant):
        yield "do=" + one
        yield f"dvc={kind}&do={one}"


def _of_arguments(said: Said) -> Iterator[str]:
    if not said.arguments:
        yield "no-arguments"
    at = verb_at(said.name)
    kind = class_of(said.name[at]) if at is not None else "no"
    for argument, named, schema in said.arguments:
        for word in named:
            yield "a=" + stem(word)
        if decides := kind_of(argument, schema):
            yield "ak=" + decides
            yield f"vc={kind}&ak={decides}"
        if argument.lower() in SWITCHES:
            for choice in choices(schema)[:MOST_ARGUMENTS]:
                if (verb := words(choice)[:1]) and (does := class_of(verb[0])):
                    yield "s=" + does


def argument_marks(said: Said, sink: str) -> Iterator[tuple[str, list[str]]]:
    """Each argument of the schema with what is known of it, for a tool of this class."""
    tool = {stem(word) for word in said.name}
    for argument, named, schema in said.arguments:
        if argument not in said.top:
            continue
        stems = [stem(word) for word in named]
        kind, last = kind_of(argument, schema), stems[-1] if stems else "strange"
        given = schema.get("type")
        given = given if isinstance(given, str) else "any"
        found = ["rk=" + kind, "k=" + sink, f"k={sink}&rk={kind}", f"k={sink}&last={last}", "last=" + last]
        found += ["name=" + "_".join(stems), f"k={sink}&name={'_'.join(stems)}", "t=" + given, f"t={given}&rk={kind}"]
        found += ["w=" + word for word in stems]
        if choices(schema):
            found += ["choices", "choices&last=" + last]
        if "default" in schema:
            found.append("default")
        if last in ("id", "name", "key", "slug") and len(stems) > 1:
            found.append("of=" + stems[-2])
        if tool.intersection(stems):
            found += ["in-tool", f"in-tool&k={sink}"]
        described = schema.get("description")
        if isinstance(described, str):
            words_said = re.findall(r"[a-z]+", described.lower()[:DESCRIBED_CHARS])[:MOST_DESCRIBED]
            found += ["d=" + stem(word) for word in words_said]
        yield argument, list(dict.fromkeys(found))
