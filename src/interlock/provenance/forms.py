"""The ways in which people and programs write one value: dates, numbers, keys, addresses, parts of paths.

Two writings are the same value only if nobody could mean another one by either; in doubt they are two.
"""

import re
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, NamedTuple

import re2

from interlock.provenance.dates import date_forms, is_of_another_year

# Account and phone numbers are regrouped by whoever writes them down; IBANs have at most 34 characters.
SEPARATORS = " ()/-"  # the hyphen last, where it is one in a character class too
_NUMBER = re.compile(r"\+?[\d /()-]{4,40}")
# An amount as JSON writes it.
_AMOUNT = re.compile(r"(\d{1,12})(?:\.(\d{1,6}))?")
_CURRENCY = "(?:eur|usd|gbp|chf|jpy|cad|aud|sek|nok|dkk|pln)?"
_IBAN = re.compile(r"[a-z]{2}\d{2}(?:[ -]?[a-z\d]){11,30}")
FEWEST_DIGITS = 4
# So many digits stand in groups with dots between them in no amount.
_LONG = 8
# Characters that go on with an address, an account number, a host name or a path.
_GLUE = frozenset("@%+-_\\")
# A model writes out the scheme of an address that the user left out; the host and the path stay the same.
_WEB = re.compile(r"https?://([^/\s]+(?:/.*)?)", re.IGNORECASE)
_LINK = re.compile(r"(?:mailto|tel|sms):(?://)?(?=[^/\s])", re.IGNORECASE)
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_HOST = re.compile(r"https?://[^/%\s?#]+/", re.IGNORECASE)
# The number of a flight, a ticket, a room: letters, then digits, with or without something between them.
_CODE = re.compile(r"([a-z]{2,6})[ -]?(\d{1,8})", re.IGNORECASE)
_FILE = re.compile(r"[^/\\:@]{1,120}\.[A-Za-z]\w{0,7}")
_SEGMENT = re.compile(r"\w[\w.-]{0,100}")
_PATH_CHARS = re.compile("[^\\s\"'<>()`\u201e\u201c\u201d\u2018\u2019]*")  # and typographic quotation marks
# A shorter value stands in encoded text by accident.
_FEWEST_ENCODED = 6


class Form(NamedTuple):
    """One way to write a value: where it may stand, and whether what was found there is whole.

    `own`: only in the words of the user or the system can it mean this value. `cased`: in the text as it is.
    """

    expression: Any
    is_whole: Callable[[str, int, int], bool]
    own: bool = False
    cased: bool = False


def plainly(value: str) -> str:
    """A value without what a program writes around it: a scheme that the user left out, `mailto:`, percent-encoding.

    >>> plainly("mailto:bob@corp.example"), plainly("https://corp.example/a%20b/")
    ('bob@corp.example', 'corp.example/a b')
    """
    value = " ".join(value.split())
    value = _LINK.sub("", value, count=1) if _LINK.match(value) else value
    if _HOST.match(value):
        decoded = _ESCAPED.sub(_decoded, value)
        value = decoded if decoded.isprintable() else value
    if web := _WEB.fullmatch(value):
        value = web[1].removesuffix("/")
    return value


def _decoded(match: re.Match[str]) -> str:
    try:
        return bytes.fromhex(match[0].replace("%", "")).decode()
    except UnicodeDecodeError:
        return match[0]


def forms(value: str, kind: str, today: date | None) -> tuple[Form, ...]:
    """The other ways to write a value, which is in the form of `plainly`. `kind` is that of its argument."""
    return tuple(_forms(value, value.lower(), kind, today))


def _forms(value: str, folded: str, kind: str, today: date | None) -> Iterator[Form]:
    if number := _regrouped(folded):
        yield Form(number, is_whole_number)
    if amount := _rewritten(folded):
        yield Form(amount, is_whole_number)
    if code := _CODE.fullmatch(value):
        yield Form(re2.compile(f"{code[1].upper()}[ -]?{code[2]}"), is_whole, cased=True)
        yield Form(re2.compile(f"{code[1].lower()}-?{code[2]}"), is_whole)
    if kind == "path" and _FILE.fullmatch(value):
        yield Form(re2.compile(re.escape(folded)), _is_base_name, own=True)
    if kind == "account" and _SEGMENT.fullmatch(value):
        yield Form(re2.compile(re.escape(folded)), _is_segment, own=True)
    if written := date_forms(folded, today):
        yield Form(re2.compile(written), _is_that_day)


def encoded(value: str) -> tuple[str, ...]:
    """What a value looks like to whoever hides it in a text: base64, hex, percent and HTML's numbers."""
    if len(value) < _FEWEST_ENCODED:
        return ()
    data = value.encode("utf-8", "surrogatepass")
    return (
        b64encode(data).decode().rstrip("="),
        data.hex(),
        "".join(f"%{byte:02X}" for byte in data),
        "".join(f"&#{ord(character)};" for character in value),
        "".join(f"\\u{ord(character):04x}" for character in value),
    )


def _regrouped(value: str) -> Any:
    """The expression for an account or phone number in any grouping, or None if the value is no such number."""
    letters = "".join(character for character in value if character not in SEPARATORS)
    if not value.isascii() or not (_IBAN.fullmatch(value) or _NUMBER.fullmatch(value)):
        return None
    digits = sum(character.isdigit() for character in letters)
    if digits < FEWEST_DIGITS:
        return None
    between = f"[.{SEPARATORS}]{{0,3}}" if digits >= _LONG else f"[{SEPARATORS}]{{0,3}}"
    prefix = ""
    if digits >= _LONG and letters[:1] == "+":
        # Abroad is dialled with either.
        prefix, letters = r"(?:\+|00)" + between, letters[1:]
    elif digits >= _LONG and letters[:2] == "00":
        prefix, letters = r"(?:\+|00)" + between, letters[2:]
    return re2.compile(prefix + between.join(map(re.escape, letters)))


def _rewritten(value: str) -> Any:
    """The expression for an amount in any way of writing it, `1,200.00` for `1200.0`, or None if it is none."""
    match = _AMOUNT.fullmatch(value)
    if not match:
        return None
    whole, part = match[1], (match[2] or "").rstrip("0")
    groups = "[,.' ]?".join([whole[: len(whole) % 3] or whole[:3], *_threes(whole)])
    return re2.compile(_CURRENCY + groups + (f"[.,]{part}0*" if part else "(?:[.,]00?)?") + _CURRENCY)


def _threes(digits: str) -> list[str]:
    """The groups of three digits after the first group."""
    begin = len(digits) % 3 or 3
    return [digits[at : at + 3] for at in range(begin, len(digits), 3)]


def is_whole(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] is not a part of something longer: of a host name, say, or of a path."""
    before, after = text[max(0, start - 3) : start], text[end : end + 2]
    if before and (_goes_on(before[-1]) or before[-1] == "." or (before[-1] == "/" and before != "://")):
        return False
    if after[:1] in ("/", "."):
        return not _goes_on(after[1:])
    return not _goes_on(after[:1])


def _goes_on(character: str) -> bool:
    # Scripts that write no spaces between words (category Lo) do not go on with a Latin address.
    return character in _GLUE or (character.isalnum() and unicodedata.category(character) != "Lo")


def is_whole_number(text: str, start: int, end: int) -> bool:
    """Whether the number at text[start:end] does not go on with more groups of digits."""
    before, after = text[max(0, start - 4) : start].rstrip(SEPARATORS), text[end : end + 4].lstrip(SEPARATORS)
    return is_whole(text, start, end) and not before[-1:].isdigit() and not after[:1].isdigit()


def _is_that_day(text: str, start: int, end: int) -> bool:
    return is_whole(text, start, end) and not is_of_another_year(text, end)


def _token(text: str, start: int, end: int) -> tuple[str, int]:
    """The run of characters without a space around text[start:end], and where it begins."""
    begin = start
    while begin and start - begin < 500 and _PATH_CHARS.fullmatch(text[begin - 1]) and not text[begin - 1].isspace():
        begin -= 1
    found = _PATH_CHARS.match(text, end)
    return text[begin : found.end() if found else end].rstrip(".,;:!?"), begin


def _is_base_name(text: str, start: int, end: int) -> bool:
    """Whether it is the last part of a path of the user's: of a file, and of no web address."""
    token, begin = _token(text, start, end)
    return "://" not in token and begin + len(token) == end and text[start - 1 : start] in ("/", "\\")


def _is_segment(text: str, start: int, end: int) -> bool:
    """Whether it is a whole part of `owner/name`, or of the path of a web address, but not its host."""
    token, begin = _token(text, start, end)
    _, _, rest = token.rpartition("://")
    at = start - begin - (len(token) - len(rest))
    parts = rest.split("/")
    has_host = rest != token or "." in parts[0]
    offset = 0
    for number, part in enumerate(parts):
        if offset == at and part.removesuffix(".git") == text[start:end]:
            return len(parts) > 1 and not (has_host and number == 0)
        offset += len(part) + 1
    return False
