"""Words of names and descriptions in other languages, put into the English words that tools are named with.

Known are about a hundred verbs and nouns in fifteen languages. What is not known stays as it is, or is left out if it
is of letters other than Latin ones: such a word may only look like one of ours, so nothing is read out of its letters.
"""

import re
import unicodedata
from functools import cache, lru_cache

from interlock.knowledge import tool_translations

_LATIN = re.compile(r"[a-z0-9]", re.IGNORECASE)
# Letters that have no accent to take off.
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "\u0131": "i", "æ": "ae", "đ": "d"})
_SHORTEST_STEM = 4
_LONGEST = 24
_KEPT = 4_096


@cache
def _tables() -> tuple[dict[str, str], dict[str, str]]:
    """(whole words, beginnings of words)."""
    whole = {foreign: english for foreign, english in tool_translations().items() if not foreign.endswith("*")}
    stems = {foreign[:-1]: english for foreign, english in tool_translations().items() if foreign.endswith("*")}
    return whole, stems


def plain(word: str) -> str:
    """A word of Latin letters in lower case without accents.

    >>> plain("Empfänger"), plain("Straße")
    ('empfanger', 'strasse')
    """
    parts = unicodedata.normalize("NFKD", word.lower().translate(_LETTERS))
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def english(word: str) -> tuple[str, ...]:
    """The English words for a word of another language; none if it is not known.

    >>> english("envoie"), english("löscht"), english("发送邮件"), english("frobnicate"), english("p\u0430y")
    (('send',), ('delete',), ('send', 'email'), (), ())
    """
    return _english(word[:_LONGEST])


@lru_cache(_KEPT)
def _english(word: str) -> tuple[str, ...]:
    whole, stems = _tables()
    if _LATIN.search(word):
        said = plain(word)
        found = whole.get(said) or next(
            (stems[said[:end]] for end in range(len(said), _SHORTEST_STEM - 1, -1) if said[:end] in stems), None
        )
        return (found,) if found and said.isascii() else ()
    return _parts(unicodedata.normalize("NFC", word.lower()), whole, stems)


def _parts(word: str, whole: dict[str, str], stems: dict[str, str]) -> tuple[str, ...]:
    """The words known in one that is written together, the longest first at each place."""
    found, at = [], 0
    while at < len(word):
        for end in range(min(len(word), at + 8), at, -1):
            said = whole.get(word[at:end]) or stems.get(word[at:end])
            if said:
                found.append(said)
                at = end
                break
        else:
            at += 1
    return tuple(found)
