"""What single characters stand for: other forms of Latin letters and of digits, look-alikes, and what nobody sees.

Sources: Unicode 17, NFKC (UAX 15), confusables (UTS 39) as far as they look like ASCII letters, chapter 23 (tags,
selectors, format characters). Characters are taken one by one, so that a text that goes on changes nothing.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

# Compatibility forms of Latin letters, digits and ASCII signs stand in these ranges, and letters in small capitals.
_RANGES = (
    (0x00A0, 0x0100), (0x02B0, 0x0300), (0x1D00, 0x1DC0), (0x2000, 0x2010), (0x2070, 0x20A0), (0x2100, 0x2190),
    (0x2460, 0x2500), (0x3000, 0x3001), (0xA7F0, 0xA800), (0xFB00, 0xFB07), (0xFF01, 0xFF5F), (0x1D400, 0x1D800),
    (0x1F100, 0x1F14A),
)  # fmt: skip
# The digits zero of the scripts of UAX 44 that people type.
_ZEROS = (
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0E50, 0x0ED0,
    0x0F20, 0x1040, 0x17E0, 0x1810,
)  # fmt: skip
_SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True))
# Typesetting's signs for what patterns write with a typewriter's.
_SIGNS = {0x2018: "'", 0x2019: "'", 0x02BC: "'", 0x201C: '"', 0x201D: '"', 0x2010: "-", 0x2011: "-"}
# Nothing to see: zero width, fillers, selectors, controls of direction, marks put over letters.
UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e001f\U000e007f\U000e0100-\U000e01ef"
)
MARKS = "\u0300-\u034e\u0350-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
# Look-alikes of UTS 39 in Cyrillic, Greek, Armenian, Cherokee, Lisu and Latin, with the letter each is taken for.
_PAIRS = (
    "аa еe оo рp сc уy хx іi јj ѕs ԁd ԛq ԝw һh ӏl ɡg ѵv ɩi ꙇi ҽe ԍg ոn սu օo քp ցg յj ղn հh զq ԼL աw гr пn кk мm тt вb "
    "АA ВB ЕE КK МM НH ОO РP СC ТT УY ХX ІI ЈJ ЅS ԚQ ԜW ЗE ҮY ѴV "
    "αa εe ιi κk νv οo ρp τt υu χx γy ηn σo ωw ϲc ϳj ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX ϹC "
    "ᎪA ᏴB ᏟC ᎠD ᎬE ᏀG ᎻH ᎥI ᎫJ ᏦK ᏞL ᎷM ᎡR ᏚS ᎢT ᏙV ᎳW ᏃZ ꓮA ꓐB ꓚC ꓓD ꓰE ꓝF ꓖG ꓧH ꓲI ꓙJ ꓗK ꓡL ꓟM ꓠN ꓳO ꓑP ꓣR ꓢS ꓔT "
    "ꓴU ꓦV ꓪW ꓫX ꓬY ꓜZ ıi ȷj ʋv ƨs ƽs ǀl ɑa ʀr ɴn ʟl ɪi"
)
LOOKALIKES = {ord(pair[0]): pair[1] for pair in _PAIRS.split()}


@cache
def folds() -> dict[int, str]:
    """What each other form of ASCII text stands for, by code point; empty for what is not seen."""
    found: dict[int, str] = {}
    for first, last in _RANGES:
        for code in range(first, last):
            plain = unicodedata.normalize("NFKC", chr(code))
            if plain != chr(code) and plain.isascii() and plain.isprintable() and "/" not in plain.strip("/"):
                found[code] = plain
    found |= {ord(c): plain for c, plain in _SMALL_CAPITALS.items()} | _SIGNS
    found |= {zero + digit: str(digit) for zero in _ZEROS for digit in range(10)}
    # Letters in boxes, in black circles, and those that make flags.
    for base in (0x1F150, 0x1F170, 0x1F1E6):
        found |= {base + n: chr(ord("A") + n) for n in range(26)}
    found |= {0xE0000 + code: chr(code) for code in range(0x20, 0x7F)}
    return found


@cache
def foldable() -> re.Pattern[str]:
    """Matches each character that `folds` has, or that is not seen."""
    return re.compile(f"[{UNSEEN}{MARKS}{_class(folds())}]")


@cache
def uneven() -> re.Pattern[str]:
    """Matches what does not stand for just one character: a run of what is not seen, or what stands for several."""
    return re.compile(f"[{UNSEEN}{MARKS}]++|[{_class(code for code, new in folds().items() if len(new) > 1)}]")


@cache
def lookalike() -> re.Pattern[str]:
    """Matches each look-alike."""
    return re.compile(f"[{_class(LOOKALIKES)}]")


_TYPESET = {**_SIGNS, 0x00A0: " ", 0x202F: " ", 0x2009: " ", 0x3000: " "}


def typeset(text: str) -> str:
    """`text` with a typewriter's signs and spaces for those that typesetting puts in their place: no disguise."""
    return text.translate(_TYPESET)


def _class(codes: Iterable[int]) -> str:
    """The characters of `codes` as ranges of a character class."""
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{re.escape(chr(a))}-{re.escape(chr(b))}" for a, b in ranges)
