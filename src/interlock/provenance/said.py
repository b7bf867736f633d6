"""What a call has said, in a form in which no spelling hides a value: what is read back later is compared with it.

White space, punctuation and case are gone, escapes are resolved, and what services decode when they store it is
decoded: percent and quoted-printable, HTML's entities and tags, base64 and hex, several of them over one another.
"""

import binascii
import html
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

# How many encodings lie over one another.
ROUNDS = 3
# Characters that are decoded of one call. Of one with more nobody knows what it has said.
MOST_DECODED = 8_000_000
# So many letters stand in what is no base64 by accident.
_FEWEST = 6
_NONE = re.compile(r"[\W_]+")
_SPACE = re.compile(r"\s+")
_BACKSLASH = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|\r?\n|(.))")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_SOFT = re.compile(r"=[ \t]*\r?\n")
_QUOTED = re.compile(r"(?:=[0-9a-fA-F]{2})+")
_TAG = re.compile(r"<[^<>]{0,300}>")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){6,}")
_TEXT = re.compile(rb"[\t\r\n\x20-\x7e]{%d,}" % _FEWEST)
_URL_SAFE = str.maketrans("-_", "+/")


def bare(text: str) -> str:
    """Letters and digits only, in lower case.

    >>> bare("Eve@evil.\\nexample")
    'eveevilexample'
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return _NONE.sub("", plain.lower())


def said_in(arguments: str) -> str | None:
    """All that the arguments of a call say (one or more JSON documents), bare; None if that is too much to decode.

    >>> "eveevilexample" in said_in('{"card": "EMAIL:eve=40evil\\\\n .example"}')
    True
    """
    leaves = [*_leaves(arguments)]
    texts = [text for text, is_key in leaves if not is_key]
    # All of it in a row, with and without the names of the fields: a value may be cut over several.
    found = {bare("".join(text for text, _ in leaves)): None, bare("".join(texts)): None, bare(arguments): None}
    left = MOST_DECODED
    for text in (text for text, _ in leaves):
        for one in _decoded(text):
            left -= len(one)
            if left < 0:
                return None
            found[bare(one)] = None
    return "\0".join(found)


def _leaves(arguments: str) -> Iterator[tuple[str, bool]]:
    """(text, whether it is a key) of all that some JSON holds, in order; what is no JSON as one text."""
    decoder = json.JSONDecoder(object_pairs_hook=_Pairs)
    at = 0
    while at < len(arguments):
        try:
            document, at = decoder.raw_decode(arguments, at)
        except (ValueError, RecursionError):
            yield arguments[at:], False
            return
        left: list[tuple[Any, bool]] = [(document, False)]
        while left:
            value, is_key = left.pop()
            if isinstance(value, _Pairs):
                left += [one for key, inner in reversed(value) for one in ((inner, False), (key, True))]
            elif isinstance(value, list):
                left += [(inner, False) for inner in reversed(value)]
            elif isinstance(value, str | int | float) and not isinstance(value, bool):
                yield str(value), is_key
        while arguments[at : at + 1].isspace():
            at += 1


class _Pairs(list[tuple[str, Any]]):
    """An object with every value of each key."""


def _decoded(text: str) -> Iterator[str]:
    """What a text says once it is decoded: each encoding by itself, and one after the other."""
    known, looked_into, left = {text}, {text}, [text]
    for _ in range(ROUNDS):
        further = []
        for one in left:
            together = one
            for decode in (_unescaped, _unquoted, _unpercent, html.unescape, _untagged):
                together = decode(together)
                if (single := decode(one)) not in known:
                    known.add(single)
                    yield single
            for whole in (together, "\n".join(_hidden(one))):
                if whole and whole not in looked_into:
                    looked_into.add(whole)
                    further.append(whole)
                    if whole not in known:
                        known.add(whole)
                        yield whole
        left = further


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _BACKSLASH.sub(
        lambda match: chr(int(match[1] or match[2], 16)) if match[1] or match[2] else _sign(match), text
    )


def _sign(match: re.Match[str]) -> str:
    sign = match[3] or ""
    return " " if sign in "bfnrtv" else sign


def _unquoted(text: str) -> str:
    return _QUOTED.sub(_bytes, _SOFT.sub("", text)) if "=" in text else text


def _unpercent(text: str) -> str:
    return _PERCENT.sub(_bytes, text) if "%" in text else text


def _untagged(text: str) -> str:
    return _TAG.sub("", text) if "<" in text else text


def _bytes(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace(match[0][0], "")).decode("utf-8", "replace")


def _hidden(text: str) -> Iterator[str]:
    """The texts in a text's base64 and hex, where it is folded too."""
    joined = _SPACE.sub("", text)
    whole = joined.rstrip("=").translate(_URL_SAFE)
    if len(whole) < 8 and (data := _from_base64(whole)) is not None:
        yield data.decode("ascii", "ignore") if data.isascii() else ""
    for one, starts in ((text, (0,)), (joined, (0, 1, 2, 3))) if joined != text else ((text, (0,)),):
        for match in _BASE64.finditer(one):
            run = match[0].translate(_URL_SAFE)
            for start in starts:
                if data := _from_base64(run[start:]):
                    yield _readable(data)
        for match in _HEX.finditer(one):
            yield _readable(bytes.fromhex(match[0]))


def _from_base64(run: str) -> bytes | None:
    run = run[: len(run) - 1] if len(run) % 4 == 1 else run
    try:
        return binascii.a2b_base64(run + "=" * (-len(run) % 4))
    except (ValueError, binascii.Error):
        return None


def _readable(data: bytes) -> str:
    """What of some bytes is text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and text:
        return text
    return "\n".join(found[0].decode("ascii") for found in _TEXT.finditer(data))
