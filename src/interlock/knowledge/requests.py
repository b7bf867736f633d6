"""The words in which people ask for something, and the words that name the same thing."""

from functools import cache
from importlib.resources import files

import msgspec


class RequestWords(msgspec.Struct, frozen=True):
    """`groups` are verbs that mean the same act, in several languages; `sinks` says which acts ask for a sink class.

    Words with spaces between them are compared as words; those of languages that write none are looked for as parts.
    `nouns` are sets of words for the same kind of object, `fields` sets of words for the same part of one.
    `english` are the verbs of that language, which stand before what they are about.
    """

    groups: dict[str, frozenset[str]]
    sinks: dict[str, tuple[str, ...]]
    nouns: tuple[frozenset[str], ...]
    fields: tuple[frozenset[str], ...]
    english: frozenset[str]


@cache
def request_words() -> RequestWords:
    """The words, read once."""
    raw = msgspec.json.decode((files("interlock.knowledge") / "data" / "request_words.json").read_bytes())
    return RequestWords(
        groups={name: frozenset(text.replace("|", " ").split()) for name, text in raw["groups"].items()},
        sinks={name: tuple(text.split()) for name, text in raw["sinks"].items()},
        nouns=tuple(frozenset(text.split()) for text in raw["nouns"]),
        fields=tuple(frozenset(text.split()) for text in raw["fields"]),
        english=frozenset(word for text in raw["groups"].values() for word in text.partition("|")[0].split()),
    )
