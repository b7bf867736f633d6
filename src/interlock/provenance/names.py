"""The names of tools and arguments, taken apart into words, and the names in a schema."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

# A schema with more parts than this is not read to its end; a real one has a few hundred.
MOST_PARTS = 20_000
# A longer name says nothing; protocols end them at 128 characters.
LONGEST = 1_000
# Names that are remembered: most arguments are called what others are.
KEPT = 4_096
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def words(name: str) -> tuple[str, ...]:
    """The words of an identifier, in lower case; none if it has letters of other scripts, which may look like ours.

    >>> words("sendEmail_to-ALLUsers2")
    ('send', 'email', 'to', 'all', 'users', '2')
    """
    return _taken_apart(name) if len(name) <= LONGEST and name.isascii() else ()


@lru_cache(KEPT)
def _taken_apart(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(name))


def known(word: str, among: frozenset[str]) -> bool:
    """Whether a word is among those, in the singular or the plural."""
    return not among.isdisjoint((word, word.removesuffix("s"), word.removesuffix("es")))


def property_names(schema: Mapping[str, object]) -> frozenset[str]:
    """Every name that a JSON schema gives to a property, however deep."""
    return frozenset(name for name, _ in properties(schema))


def properties(schema: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Every property of a JSON schema with its own schema (empty if that is none), however deep."""
    left: list[object] = [schema]
    for _ in range(MOST_PARTS):
        if not left:
            return
        value = left.pop()
        if isinstance(value, dict):
            inner = value.get("properties")
            for name, said in inner.items() if isinstance(inner, dict) else ():
                yield name, said if isinstance(said, dict) else {}
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)


def choices(said: Mapping[str, object]) -> tuple[str, ...]:
    """The texts that a property's schema limits it to; none if it does not."""
    for one in (said, *_alternatives(said)):
        values = one.get("enum")
        if isinstance(values, list):
            return tuple(value for value in values if isinstance(value, str))
    return ()


def _alternatives(said: Mapping[str, object]) -> list[Mapping[str, object]]:
    inner = said.get("anyOf")
    return [one for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []
