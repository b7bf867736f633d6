"""Text in a definition that a person who looks at it does not read, and a model does."""

import base64
import binascii
from collections.abc import Iterator

import re2

# Where somebody reads a definition, what stands behind so much white space is out of sight.
_BLANK = r"[ \t\x{a0}\x{2000}-\x{200a}\x{3000}]"
_AWAY = re2.compile(rf"(?:{_BLANK}{{60}}{_BLANK}*|(?:{_BLANK}*\r?\n){{15}}\s*)\S")
_COMMENT = re2.compile(r"(?s)<!--(.*?)(?:-->|\z)")
# ECMA-48: what a terminal does not show but carry out. Others of C0 but tab and line ends are not text at all.
_CONTROL = re2.compile(r"\x1b\[[0-9;?]*[A-Za-z]?|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{84}\x{86}-\x{9f}]")
_BASE64 = re2.compile(r"[A-Za-z0-9+/_-]{16}[A-Za-z0-9+/_-]*={0,2}")
_HEX = re2.compile(r"(?:[0-9A-Fa-f]{2}){16}(?:[0-9A-Fa-f]{2})*")
_STYLE = re2.compile(r"(?i)(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0\b)")
_WORDS = re2.compile(r"\pL{2,}")


def hidden(text: str) -> Iterator[tuple[str, str]]:
    """(what hides it, what it says) of each piece that is hidden."""
    for match in _COMMENT.finditer(text):
        yield "it stands in a comment of HTML, which is not shown", match.group(1).strip()
    for match in _CONTROL.finditer(text):
        yield "it holds a control character, which can hide or repaint what a terminal shows", repr(match.group())
        break
    for match in _AWAY.finditer(text):
        yield "it stands behind so much white space that it is out of sight", text[match.end() - 1 : match.end() + 200]
    if match := _STYLE.search(text):
        yield "it is styled so that it is not shown", match.group()
    yield from (
        ("it is written in Base64", said) for match in _BASE64.finditer(text) if (said := _base64(match.group()))
    )
    yield from (("it is written in hexadecimal digits", said) for m in _HEX.finditer(text) if (said := _hex(m.group())))


def _base64(word: str) -> str:
    """The text that a word is in Base64; empty if it is none."""
    bare = word.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _text(base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True))
    except binascii.Error:
        return ""


def _hex(digits: str) -> str:
    return _text(bytes.fromhex(digits))


def _text(data: bytes) -> str:
    """The text that bytes are; empty if they are no words with blanks between them."""
    try:
        said = data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    spoken = said.replace("\n", " ").isprintable() and (len(_WORDS.findall(said)) > 1 or not said.isascii())
    return said if spoken else ""
