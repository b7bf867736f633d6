"""The words that people name tools and their arguments with: verbs by what they do, nouns by what they are about."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec


class ToolWords(msgspec.Struct, frozen=True):
    """Each field is a set of words in lower case, singular and plural as they are used.

    The verbs are by the worst that a tool of that name does; `strong` are verbs that are seldom nouns, the `quiet`
    ones tell nobody. The nouns are what a tool works on: to write one of `money_nouns` moves money, one of
    `power_nouns` changes who may do what, and so on. What is taken off something, as `detached` says, is not lost;
    who asks for `local_nouns` asks the server about itself. The last five are about results: what a service itself
    asserts, what outsiders write, what is confidential (alone, and with outsiders' text), and what is public.
    """

    read: frozenset[str]
    none: frozenset[str]
    write: frozenset[str]
    delete: frozenset[str]
    execute: frozenset[str]
    money: frozenset[str]
    credential: frozenset[str]
    admin: frozenset[str]
    publish: frozenset[str]
    send: frozenset[str]
    fetch: frozenset[str]
    strong: frozenset[str]
    money_nouns: frozenset[str]
    credential_nouns: frozenset[str]
    power_nouns: frozenset[str]
    publish_nouns: frozenset[str]
    send_nouns: frozenset[str]
    execute_nouns: frozenset[str]
    detached: frozenset[str]
    quiet: frozenset[str]
    local_nouns: frozenset[str]
    trusted_nouns: frozenset[str]
    outside_nouns: frozenset[str]
    private_nouns: frozenset[str]
    private_text: frozenset[str]
    open_nouns: frozenset[str]


@cache
def tool_words() -> ToolWords:
    """The words, read once."""
    raw = msgspec.json.decode(
        (files("interlock.knowledge") / "data" / "tool_words.json").read_bytes(), type=dict[str, str]
    )
    return msgspec.convert({name: frozenset(text.split()) for name, text in raw.items()}, ToolWords)


@cache
def tool_translations() -> Mapping[str, str]:
    """English words for words of other languages, read once: one that ends in `*` stands for all that begin so.

    Words of Latin letters are in lower case and without accents.
    """
    raw = msgspec.json.decode(
        (files("interlock.knowledge") / "data" / "tool_translations.json").read_bytes(), type=dict[str, str]
    )
    return {foreign: english for english, text in raw.items() for foreign in text.split()}


class ToolModel(msgspec.Struct, frozen=True):
    """Weights, in hundredths, that a mark of a definition gives to each answer; how it was made is in its card.

    `sink` has one for each of `sinks`; `traits` for: outsiders write the result, it is confidential, it reaches
    outside, it can be taken back; `arguments` one for each of `kinds`, of which the first, empty one decides nothing.
    """

    sinks: tuple[str, ...]
    kinds: tuple[str, ...]
    sink: dict[str, tuple[int, ...]]
    traits: dict[str, tuple[int, ...]]
    arguments: dict[str, tuple[int, ...]]


@cache
def tool_model() -> ToolModel:
    """The model, read once."""
    return msgspec.json.decode((files("interlock.knowledge") / "data" / "tool_model.json").read_bytes(), type=ToolModel)
