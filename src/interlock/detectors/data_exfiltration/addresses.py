"""What an address would tell the server it names: `tells` reads it as a browser does, and judges its parts.

Two measures. What is fetched without a click (an image) may say nothing but how large it is to be drawn. What
somebody has to click may say what honest links say: an anchor, a page, words to search for, a campaign, an id.
"""

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

# Encoded text of this many bytes is data. Shorter words look like base64 by chance: a click needs more than a fetch.
LEAST_FETCHED, LEAST_CLICKED = 6, 12
# A search of two lines, and what ad and mail systems add to links, is shorter than this.
MOST_CLICKED = 256
# Random characters in one piece: ids of documents and videos have up to 44, digests in hexadecimal 64.
LONG_ID, LONG_DIGEST = 44, 64
# A file name in words is shorter. RFC 1035 allows labels of 63; names of machines that people or clouds give have less.
LONG_NAME, LONG_LABEL = 100, 40
MOST_PATH = 400

_ABSOLUTE = re.compile(
    r"(?:(?:https?|ftp|wss?):/*|[a-z][a-z0-9+.-]*://|//)/*([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?",
    re.DOTALL | re.IGNORECASE,
)
_IGNORED = re.compile("[\t\n\r]")
_PERCENT = re.compile(b"%([0-9A-Fa-f]{2})")
# Percent signs before letters and digits, which need none.
_NEEDLESS = re.compile(r"%(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])")
_SIZE = re.compile(r"\d{1,4}(?:px|w|x)?|\d\.\d|auto")
_SMALL_VERSION = re.compile(r"v?\d{1,3}(?:\.\d{1,3}){0,2}")
_PLAIN = re.compile(r"[A-Za-z0-9 .,:@|_+-]{0,64}")
_WAYS = frozenset(
    "png jpg jpeg webp gif avif svg auto compress crop fill fit cover contain max min scale clip pad inside outside "
    "center top bottom left right faces entropy true false main master develop flat flat-square plastic for-the-badge "
    "social light dark".split()
)
# What parameters of images may say. Anything else is data.
_DRAWING: dict[str, Callable[[str], object]] = {
    **dict.fromkeys("w h width height size s dpr q quality scale zoom rect-w rect-h".split(), _SIZE.fullmatch),
    **dict.fromkeys("format fm ext fit crop auto mode style raw branch theme".split(), _WAYS.__contains__),
    **dict.fromkeys("v ver version".split(), _SMALL_VERSION.fullmatch),
}
# Fonts, badges, players and placeholders that pages are built with. Whoever planted an address cannot read their logs.
# What they fetch in turn is told, so an address within the address is data.
_TELLS_NOBODY = frozenset(
    "img.shields.io badgen.net badge.fury.io codecov.io github.com fonts.googleapis.com maps.googleapis.com "
    "www.googletagmanager.com www.youtube.com www.youtube-nocookie.com player.vimeo.com images.unsplash.com "
    "via.placeholder.com placehold.co picsum.photos ui-avatars.com".split()
)
# Long and random by nature, in links that are handed out: campaigns, clicks, and signed addresses of storage.
_HANDED_OUT = re.compile(
    r"(?i)utm_\w+|gclid|fbclid|msclkid|dclid|mc_[ce]id|igshid|_gl|_hs\w+|x-(?:amz|goog)-[\w-]+"
    r"|signature|key-pair-id|policy|sig"
)
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_DIGEST = re.compile(r"[0-9A-Fa-f-]+")
_RUN = re.compile(r"[A-Za-z0-9_-]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_BASE32 = re.compile(r"[A-Za-z2-7]+={0,6}")
_CODES = re.compile(r"\d{2,3}(?:[-_.,+ ]\d{2,3}){5,}")
_TEXTLIKE = re.compile(r"[\w\s.,:;@'\"!?/{}\[\]()=&-]")


class _Parts(NamedTuple):
    user: str
    host: str
    path: str
    query: str
    fragment: str


def tells(address: str, *, fetched: bool) -> bool:
    """Whether an address carries more to its server than what it asks for. Relative ones carry nothing away."""
    parts = _parts(address)
    if parts is None:
        return False
    least = LEAST_FETCHED if fetched else LEAST_CLICKED
    if parts.user or any(_is_data(piece, least) for piece in _pieces(parts, fetched=fetched)):
        return True
    labels = parts.host.split(".")[:-2]
    if any(len(label) > LONG_LABEL for label in labels) or _encodes("".join(labels), least):
        return True
    return _fetch_tells(parts) if fetched else _click_tells(parts)


def is_absolute(address: str) -> bool:
    """Whether an address names a server."""
    return _parts(address) is not None


def _parts(address: str) -> _Parts | None:
    """An address as browsers take it (WHATWG URL): backslashes are slashes, line breaks nothing. None if relative."""
    plain = _IGNORED.sub("", html.unescape(address)).strip("\x00 ").replace("\\", "/")
    match = _ABSOLUTE.match(plain)
    if match is None:
        return None
    authority, path, query, fragment = match.groups(default="")
    user, _, host = authority.rpartition("@")
    return _Parts(user, _decoded(host).lower().partition(":")[0], path, query, fragment)


def _decoded(text: str) -> str:
    """Without percent signs; at most twice, as two servers in a row would."""
    for _ in range(2):
        if "%" not in text:
            break
        data = _PERCENT.sub(lambda match: bytes([int(match[1], 16)]), text.encode("utf-8", "replace"))
        text = data.decode("utf-8", "replace")
    return text


def _parameters(query: str) -> Iterator[tuple[str, str]]:
    for parameter in re.split("[&;]", query):
        if parameter:
            name, _, value = parameter.partition("=")
            yield name, value


def _pieces(parts: _Parts, *, fetched: bool) -> Iterator[str]:
    """Each piece that can hold data, undecoded. Servers never see a fragment, but the page that is opened does."""
    yield from parts.host.split(".")[:-2]
    for segment in parts.path.split("/"):
        yield segment
        if "." in segment:
            yield segment.rpartition(".")[0]
    for name, value in _parameters(parts.query):
        yield name
        yield value
    if not fetched:
        yield from re.split("[&=/]", parts.fragment)


def _is_data(piece: str, least: int) -> bool:
    """Whether a piece holds text in a form that is not for reading."""
    if len(piece) < least:
        return False
    needless = len(_NEEDLESS.findall(piece))
    return (needless >= 4 and needless * 6 >= len(piece)) or _encodes(_decoded(piece), least)


def _encodes(text: str, least: int) -> bool:
    """Whether `text` decodes to at least `least` bytes of readable text: hexadecimal, base64, base32 or numbers."""
    if len(text) < least:
        return False
    if len(text) >= 2 * least and _HEX.fullmatch(text) and _readable(bytes.fromhex(text)):
        return True
    if _CODES.fullmatch(text) and _readable(bytes(int(n) & 255 for n in re.findall(r"\d+", text))):
        return True
    bare = text.rstrip("=")
    if _BASE64.fullmatch(text) and len(bare) * 3 // 4 >= least and len(bare) % 4 != 1:
        standard = bare.replace("-", "+").replace("_", "/") + "=" * (-len(bare) % 4)
        if _readable(binascii.a2b_base64(standard)):
            return True
    if _BASE32.fullmatch(text) and len(bare) * 5 // 8 >= least and len(bare) % 8 in (0, 2, 4, 5, 7):
        return _readable(base64.b32decode(bare.upper() + "=" * (-len(bare) % 8)))
    return False


def _readable(data: bytes) -> bool:
    """Whether bytes are text that people or programs read; random ones hardly ever are."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return len(_TEXTLIKE.findall(text)) * 10 >= len(text) * 9 and len(set(text)) > 2


def _random(text: str, longest: int) -> bool:
    """Whether a piece of `text` is longer than ids and digests are, and no words: its kinds of characters alternate."""
    for run in _RUN.findall(text):
        if len(run) <= longest:
            continue
        kinds = [c.isupper() + 2 * c.isdigit() for c in run if c not in "-_"]
        changes = sum(one != next_ for one, next_ in pairwise(kinds))
        if changes * 5 >= len(kinds) * 2:
            return not _DIGEST.fullmatch(run) or len(run) > LONG_DIGEST
    return False


def _fetch_tells(parts: _Parts) -> bool:
    """An image's own measure: parameters say how to draw, names are names."""
    quiet = parts.host in _TELLS_NOBODY
    for name, value in _parameters(parts.query):
        plain = _decoded(value)
        known = _DRAWING.get(name.lower())
        if not (known and known(plain)) and not (quiet and _PLAIN.fullmatch(plain)):
            return True
    names = [_decoded(segment) for segment in parts.path.split("/")]
    return len(parts.path) > MOST_PATH or any(len(name) > LONG_NAME or _random(name, LONG_ID) for name in names)


def _click_tells(parts: _Parts) -> bool:
    """A link's own measure: as much as honest links say, and no long random pieces where a path has its ids."""
    said = [value for name, value in _parameters(parts.query) if not _HANDED_OUT.fullmatch(name)]
    said += [parts.fragment] if not parts.fragment.startswith(":~:text=") else []
    if sum(len(_decoded(value)) for value in said) > MOST_CLICKED:
        return True
    names = [_decoded(segment) for segment in parts.path.split("/")]
    return any(_random(_decoded(value), LONG_ID) for value in said) or any(len(name) > MOST_CLICKED for name in names)
