"""What a value looks like to somebody who decides about it: what cannot be seen is written out, look-alikes are told.

A value that a person approves was chosen by somebody who may want it to be taken for another one (Unicode TR 36 and
39, Trojan Source CVE-2021-42574). Nothing is taken away, and nothing is corrected.
"""

import re
import unicodedata
from itertools import groupby

# Characters that Unicode calls printable and a screen shows as nothing: Hangul fillers and the empty Braille cell.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_WORD = re.compile(r"[^\W_]+")
_ADDRESS = re.compile(r"@|://|\w\.\w")
# They stand beside each other in one word of Japanese, Korean and Chinese.
_TOGETHER = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "KATAKANA-HIRAGANA"})
HIDDEN = "holds characters that cannot be seen"
BLANKS = "begins or ends with white space"
FORMS = "holds letters in other forms, which some programs read as plain ones"
MIXED = "mixes letters of several scripts in one word"
OTHER = "is an address with letters that are not those of a keyboard"


def visible(text: str) -> str:
    r"""`text` with each character that cannot be seen, line ends too, written out as `[U+200B]`.

    >>> visible("pay\u202eyap\u200b\u200b")
    'pay[U+202E]yap[U+200B x2]'
    """
    if text.isascii() and text.isprintable():
        return text
    out = []
    for character, run in groupby(text):
        count = len(list(run))
        marked = f"[U+{ord(character):04X}" + (f" x{count}]" if count > 1 else "]")
        out.append(marked if _is_hidden(character) else character * count)
    return "".join(out)


def warnings(value: str) -> tuple[str, ...]:
    r"""The ways in which a value may look like another one; none for what is plain.

    >>> warnings("bob@corp.example"), warnings("b\u043eb")
    ((), ('mixes letters of several scripts in one word',))
    """
    if value.isascii() and value.isprintable() and value == value.strip():
        return ()
    found = []
    # A text may have lines; nothing else that cannot be seen belongs into one.
    if any(_is_hidden(character) and character not in "\n\r\t" for character in value):
        found.append(HIDDEN)
    if value != value.strip():
        found.append(BLANKS)
    if unicodedata.normalize("NFKC", value) != unicodedata.normalize("NFC", value):
        found.append(FORMS)
    if any(_is_mixed(word) for word in _WORD.findall(value)):
        found.append(MIXED)
    if not value.isascii() and any(
        not part.isascii() and _ADDRESS.search(part) for part in re.split(r"[\s,;<>()\"']+", value)
    ):
        found.append(OTHER)
    return tuple(found)


def _is_hidden(character: str) -> bool:
    selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return not character.isprintable() or character in _BLANK or selector


def _is_mixed(word: str) -> bool:
    if word.isascii():
        return False
    scripts = {_script(character) for character in word if character.isalpha()}
    return len(scripts) > 1 and not scripts <= _TOGETHER


def _script(letter: str) -> str:
    """The script of a letter, by the first word of its name: LATIN, CYRILLIC, CJK."""
    first = unicodedata.name(letter, "?").partition(" ")[0]
    return "LATIN" if first in ("FEMININE", "MASCULINE", "MICRO", "KELVIN", "ANGSTROM") else first
