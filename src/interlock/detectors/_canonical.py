"""The canonical text: what models read where people see noise. Folded by character, then decoded, then as words.

`folded` is by character and so holds for streams; `views` is for whole texts. Bounded: at most `MOST_ROUNDS`
encodings within each other are undone, each pass is linear, and what is decoded is shorter than what it was. A
typical text has no view but itself: `TRIGGERS` say so, together with the marks of all detectors, in one pass.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import re2

from interlock.detectors import _letters
from interlock.detectors._views import Form, View, spliced

MOST_ROUNDS = 3
# Shorter ones are words and numbers.
LEAST_BASE64, LEAST_HEX_PAIRS = 16, 8
# Characters of text that are letters, digits or white space, in hundredths: even text of entities has more.
LEAST_WORDY = 35

# One of these has to match for a form to be looked for: RE2 expressions of small automata.
TRIGGERS: tuple[tuple[Form, str], ...] = (
    (Form.BASE64, r"[A-Za-z0-9+/_-]{16}"),
    (Form.HEX, r"(?:[0-9A-Fa-f]{2}[ :,]?){8}|(?:\\x[0-9A-Fa-f]{2}){3}"),
    (Form.PERCENT, r"%[2-7][0-9A-Fa-f]"),
    (Form.QUOTED_PRINTABLE, r"=[2-7][0-9A-F]"),
    (Form.ENTITIES, r"&#[xX0-9]"),
    (Form.ESCAPES, r"\\u00[2-7]"),
    (Form.MARKUP, r"[A-Za-z](?:<[^<>]{0,32}>|\*\*|__|~~|`|\*)[A-Za-z]"),
    (Form.SPACED, r"(?:\b[A-Za-z][ .\-_*|/,]{1,3}){5}[A-Za-z]\b"),
    (Form.LEETSPEAK, r"[A-Za-z][013457@$!][A-Za-z]|\b[013457@$][a-z]{2}"),
    (Form.ROT13, r"(?i)vtaber|vafgehpgvba|cerivbhf|flfgrz cebzcg|erirny|cnffjbeq|qvfertneq|sbetrg"),
    (Form.REVERSED, r"(?i)erongi|noitcurtsni|suoiverp|tpmorp metsys|laever|drowssap|dragersid|tegrof"),
)

_BASE64 = re.compile(
    rf"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{{{LEAST_BASE64},}}+(?:\r?\n[A-Za-z0-9+/_-]{{{LEAST_BASE64},}}+)*+={{0,2}}"
)
_HEX = re.compile(
    rf"(?<![0-9A-Za-z])(?:0[xX])?(?:[0-9A-Fa-f]{{2}}[ :,]?){{{LEAST_HEX_PAIRS},}}+|(?:\\x[0-9A-Fa-f]{{2}})++"
)
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})++")
_QUOTED = re.compile(r"(?:=[0-9A-F]{2})++|=\r?\n")
_ENTITIES = re.compile(r"&#(?:[xX][0-9A-Fa-f]{1,6}|[0-9]{1,7});?")
_ESCAPES = re.compile(r"(?:\\u[0-9A-Fa-f]{4})++")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}+")
_MARKUP = re.compile(
    r"(?<=[A-Za-z])(?:<[^<>]{0,32}>|\*\*|__|~~|`|\*)(?=[A-Za-z<*_~`])|(?<=[>*_~`])(?:\*\*|__|~~|`|\*)(?=[A-Za-z])"
)
_SPACED = re.compile(r"\b[A-Za-z](?:([ .\-_*|/,]{1,3})[A-Za-z]\b){5,}+")
_LEET_WORD = re.compile(r"[\w@$!]{3,}+", re.ASCII)
LONGEST_LEET_WORD = 24
_LEET = str.maketrans("013457@$!", "oieastasi")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_ROT13 = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM"
)
# Letters that were spaced out have no spaces between words: those that orders consist of are put apart again.
_RUN_TOGETHER = re.compile(
    r"(?i)(ignore|disregard|forget|previous|prior|above|all|instructions?|rules|system|prompt|reveal|print|repeat|your|"
    r"the|password|secret|override|bypass|safety|developer|mode|everything|do not|tell|user|send|this|to)"
)


def folded(text: str, parent: View | None = None) -> tuple[View, ...]:
    """The views of `text` by character: without what is not seen and with plain letters, then with look-alikes read.

    Each is there only if it differs. What the text goes on with changes nothing in them but at their end. `parent` is
    the view that `text` is of.
    """
    if text.isascii():
        return ()
    found = []
    view = _fold(text, parent)
    if view:
        found.append(view)
    plain, last = (view.text, view) if view else (text, parent)
    if _letters.lookalike().search(plain):
        forms = (*(last.forms if last else ()), Form.LOOKALIKES)
        found.append(View(plain.translate(_letters.LOOKALIKES), forms, last))
    return tuple(found)


def _fold(text: str, parent: View | None) -> View | None:
    if not _letters.foldable().search(text):
        return None
    forms = (*(parent.forms if parent else ()), Form.FOLDED)
    even = text.translate(_even())
    if not _letters.uneven().search(even):
        return View(even, forms, parent)
    several = {chr(code): new for code, new in _letters.folds().items() if len(new) > 1}
    parts = ((*m.span(), several.get(m.group(), "")) for m in _letters.uneven().finditer(even))
    return spliced(even, parts, forms, parent)


_EVEN: dict[int, str] = {}


def _even() -> dict[int, str]:
    """What stands for just one character."""
    if not _EVEN:
        _EVEN.update({code: new for code, new in _letters.folds().items() if len(new) == 1})
    return _EVEN


def undecided(view: View, text: str, index: int) -> int:
    """The place of `text` up to which all is decided if it is decided up to `index` in one of its `folded` views.

    One character that is seen stays before it: whoever reads on from there reads the same.
    """
    at = view.before(index)
    while at > 0 and _letters.uneven().match(text, at - 1):
        at -= 1
    return at


def views(text: str, triggered: frozenset[Form]) -> tuple[View, ...]:
    """Every view of a whole text but itself. `triggered` are the forms of `TRIGGERS` that match it."""
    found = list(folded(text))
    if not found and not triggered:
        return ()
    if selectors := _decoded(text, (), None, frozenset({Form.SELECTORS})) if not text.isascii() else None:
        found.append(selectors)
    top = found[-1] if found else None
    current = top.text if top else text
    if top:
        triggered = triggered | triggers(current)
    for _ in range(MOST_ROUNDS):
        decoded = _decoded(current, top.forms if top else (), top, triggered)
        if decoded is None:
            break
        again = (decoded, *folded(decoded.text, decoded))
        found += again
        top, current = again[-1], again[-1].text
        triggered = triggered | triggers(current)
    found += _as_words(current, top, triggered)
    return tuple(found)


def triggers(text: str) -> frozenset[Form]:
    """The forms of which `text` may have something."""
    return frozenset(TRIGGERS[number][0] for number in _set().Match(text) or ())


_SETS: list[Any] = []


def _set() -> Any:
    if not _SETS:
        made = re2.Set.SearchSet()
        for _, expression in TRIGGERS:
            made.Add(expression)
        made.Compile()
        _SETS.append(made)
    return _SETS[0]


def _decoded(text: str, forms: tuple[Form, ...], parent: View | None, triggered: frozenset[Form]) -> View | None:
    """The view with every piece decoded that is in one of these forms; None if there is none."""
    parts: list[tuple[int, int, str]] = []
    undone: list[Form] = []
    for form, expression, decode in _DECODERS:
        if form not in triggered:
            continue
        pieces = [(*m.span(), new) for m in expression.finditer(text) if (new := decode(m.group())) is not None]
        if pieces:
            undone.append(form)
            parts += pieces
    if not parts:
        return None
    return spliced(text, _apart(sorted(parts)), (*forms, *undone), parent)


def _apart(parts: list[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """Those parts that do not overlap an earlier one."""
    done = 0
    for start, end, new in parts:
        if start >= done:
            yield start, end, new
            done = end


def _as_words(text: str, parent: View | None, triggered: frozenset[Form]) -> Iterator[View]:
    forms = parent.forms if parent else ()
    if Form.SPACED in triggered:
        parts = [(*m.span(), _joined(m.group(), m[1])) for m in _SPACED.finditer(text)]
        if parts:
            yield spliced(text, parts, (*forms, Form.SPACED), parent)
    if Form.LEETSPEAK in triggered:
        leet = _LEET_WORD.sub(_from_leet, text)
        if leet != text:
            yield View(leet, (*forms, Form.LEETSPEAK), parent)
    if Form.ROT13 in triggered:
        yield View(text.translate(_ROT13), (*forms, Form.ROT13), parent)
    if Form.REVERSED in triggered:
        yield View(text[::-1], (*forms, Form.REVERSED), parent, backwards=True)


def _from_leet(match: re.Match[str]) -> str:
    word = match.group()
    if len(word) > LONGEST_LEET_WORD or word.isalpha() or not any(c.isalpha() for c in word):
        return word
    return word.translate(_LEET)


def _joined(text: str, between: str) -> str:
    """Spaced letters put together; where more than the usual stands between two, a word ends."""
    least = min((len(gap) for gap in re.findall(r"[^A-Za-z]+", text)), default=len(between))
    words = "".join(
        " " if len(gap) > least else "" if not gap.isalpha() else gap
        for gap in re.findall(r"[A-Za-z]|[^A-Za-z]+", text)
    )
    return words if " " in words else " ".join(_RUN_TOGETHER.sub(r" \1 ", words).split())


def _from_base64(text: str) -> str | None:
    body = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    if len(body) % 4 == 1 or (body.isalpha() and (body.islower() or body.isupper())):
        return None
    try:
        return _read(base64.b64decode(body + "=" * (-len(body) % 4)))
    except binascii.Error:
        return None


def _from_hex(text: str) -> str | None:
    body = re.sub(r"0[xX](?=[0-9A-Fa-f]{2})|\\x|[ :,]", "", text)
    return _read(bytes.fromhex(body)) if len(body) % 2 == 0 else None


def _from_percent(text: str) -> str | None:
    return _printable(bytes.fromhex(text.replace("%", "")))


def _from_quoted(text: str) -> str | None:
    return _printable(bytes.fromhex(text.replace("=", ""))) if text[1:2].isalnum() else ""


def _from_entities(text: str) -> str | None:
    new = unescape(text if text.endswith(";") else f"{text};")
    return new if new != text and new.isprintable() else None


def _from_escapes(text: str) -> str | None:
    units = bytes.fromhex(text.replace("\\u", ""))
    try:
        return units.decode("utf-16-be")
    except UnicodeDecodeError:
        return None


def _from_selectors(text: str) -> str | None:
    codes = (ord(c) for c in text)
    return _read(bytes(code - 0xFE00 if code < 0xFF00 else code - 0xE0100 + 16 for code in codes))


def _printable(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text


def _read(data: bytes) -> str | None:
    """The text that bytes are, if they are one: printable, and made of words rather than signs."""
    text = _printable(data)
    if not text:
        return None
    wordy = sum(c.isalnum() or c.isspace() for c in text)
    return text if wordy * 100 >= len(text) * LEAST_WORDY else None


_DECODERS: tuple[tuple[Form, re.Pattern[str], Callable[[str], str | None]], ...] = (
    (Form.BASE64, _BASE64, _from_base64),
    (Form.HEX, _HEX, _from_hex),
    (Form.PERCENT, _PERCENT, _from_percent),
    (Form.QUOTED_PRINTABLE, _QUOTED, _from_quoted),
    (Form.ENTITIES, _ENTITIES, _from_entities),
    (Form.ESCAPES, _ESCAPES, _from_escapes),
    (Form.SELECTORS, _SELECTORS, _from_selectors),
    (Form.MARKUP, _MARKUP, lambda _: ""),
)
