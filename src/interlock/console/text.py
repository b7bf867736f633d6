"""Text that somebody else wrote, made fit to look at: what cannot be seen becomes a visible mark.

A tool's name or a masked value can hold zero-width, bidirectional, control and tag characters that make a
page say something else than what is there (Trojan Source, CVE-2021-42574). Nothing is taken away; escaping
is the template's work.
"""

import unicodedata
from dataclasses import dataclass
from itertools import groupby

# Characters that Unicode calls printable and a screen shows as nothing: Hangul fillers and the empty Braille cell.
BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# More combining marks than this on one letter climb over the lines above; no living script needs them.
MAX_COMBINING = 3
# Longer texts are folded behind a line that says how long they are.
FOLD = 2_000
# Where a name stands in a heading, it is shortened to this many characters; its step has all of it.
BRIEF = 64


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text as it stands, or, if `hidden`, the name of a character that could not be seen."""

    text: str
    hidden: bool = False


def pieces(text: str) -> tuple[Piece, ...]:
    """The whole text as runs; a repeated hidden character is one mark with its count.

    >>> [piece.text for piece in pieces("pay\\u202eyap\\u200b\\u200b")]
    ['pay', 'U+202E', 'yap', 'U+200B x2']
    """
    if text.isascii() and text.isprintable():
        return (Piece(text),) if text else ()
    found: list[Piece] = []
    for hidden, run in groupby(zip(text, _hidden(text), strict=True), key=lambda pair: pair[1]):
        characters = "".join(character for character, _ in run)
        if hidden:
            found.extend(_marks(characters))
        else:
            found.append(Piece(characters))
    return tuple(found)


def plain(text: str) -> str:
    """The same for places that hold no markup, such as a title: marks stand in brackets.

    >>> plain("a\\u200bb")
    'a[U+200B]b'
    """
    return "".join(f"[{piece.text}]" if piece.hidden else piece.text for piece in pieces(text))


def brief(text: str) -> str:
    """Its beginning and its length if it is too long for a heading, else all of it.

    >>> brief("a" * 70)[60:]
    'aaaa… (70 characters)'
    """
    return text if len(text) <= BRIEF else f"{text[:BRIEF]}… ({len(text):,} characters)"


def spoken(id_: str) -> str:
    """An id of ours as words; whatever is no id stays as it is.

    >>> spoken("personal-data"), spoken("tool_result"), spoken("<b>-x")
    ('Personal data', 'Tool result', '<b>-x')
    """
    words = id_.replace("-", " ").replace("_", " ")
    return words[:1].upper() + words[1:] if id_.isascii() and words.replace(" ", "").isalnum() else id_


def _hidden(text: str) -> list[bool]:
    """For each character, whether a reader would not see it where it stands."""
    hidden: list[bool] = []
    combining = 0
    for character in text:
        # Mn and Me are drawn over the character before; variation selectors among them are not drawn at all.
        over = unicodedata.category(character) in ("Mn", "Me")
        combining = combining + 1 if over else 0
        selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
        hidden.append(not character.isprintable() or character in BLANK or selector or combining > MAX_COMBINING)
    return hidden


def _marks(characters: str) -> list[Piece]:
    found = []
    for character, run in groupby(characters):
        count = len(list(run))
        found.append(Piece(f"U+{ord(character):04X}" + (f" x{count:,}" if count > 1 else ""), hidden=True))
    return found
