"""Templates to pages: autoescape always, and the few filters that they share."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from interlock.console.text import FOLD, brief, pieces, plain, spoken

# What stands in an address as it is. Anything else goes as hex: a session named `..` has a page like every other.
_PLAIN_ID = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


class Page(HTMLResponse):
    """An HTML answer. A lone surrogate, as of a folder's name that is not UTF-8, is replaced and never a fault."""

    def render(self, content: Any) -> bytes:
        """The bytes of the page."""
        return str(content).encode("utf-8", "replace")


class Templates:
    """The console's pages. `static` is where this build's static files stand."""

    def __init__(self, static: str) -> None:
        self._environment = Environment(
            loader=PackageLoader("interlock.console", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters = {
            "pieces": pieces,
            "plain": plain,
            "brief": brief,
            "spoken": spoken,
            "iso": iso,
            "utc": utc,
            "seconds": seconds,
            "size": size,
            "link": link,
            "session_link": session_link,
            "tool_link": tool_link,
        }
        self._environment.filters.update(filters)
        self._environment.globals.update(fold_at=FOLD, static=static)

    def page(self, name: str, context: Mapping[str, Any], *, status: int = 200) -> Page:
        """The answer that shows this template. A name that the context lacks is an error, never an empty place."""
        return Page(self._environment.get_template(name).render(context), status)


def link(path: str, **query: object) -> str:
    """An address with its query; what is empty is left out.

    >>> link("/sessions", view="all", workload="a&b", before="")
    '/sessions?view=all&workload=a%26b'
    """
    filled = {name: str(value) for name, value in query.items() if value not in ("", None)}
    return f"{path}?{urlencode(filled, errors='replace')}" if filled else path


def session_link(session_id: str) -> str:
    """Where a session's page is, whatever its id holds.

    >>> session_link("7f3a"), session_link("..")
    ('/sessions/7f3a', '/sessions/~2e2e')
    """
    return f"/sessions/{_address(session_id)}"


def tool_link(server: str, tool: str) -> str:
    """Where the page of an MCP server's tool is, whatever it is called.

    >>> tool_link("github", "get_me"), tool_link("github", "(instructions)")
    ('/tools/github/get_me', '/tools/github/~28696e737472756374696f6e7329')
    """
    return f"/tools/{quote(server, safe='')}/{_address(tool)}"


def tool_named(address: str) -> str | None:
    """The name that `tool_link` put into an address; None if it put none there."""
    return session_id(address)


def _address(id_: str) -> str:
    """An id as a part of an address."""
    if id_ and _PLAIN_ID.issuperset(id_):
        return quote(id_)
    return f"~{id_.encode('utf-8', 'replace').hex()}"


def session_id(address: str) -> str | None:
    """The id that `session_link` put into an address; None if it put none there.

    >>> session_id("~2e2e"), session_id("7f3a"), session_id("~zz"), session_id("~ff")
    ('..', '7f3a', None, None)
    """
    if not address.startswith("~"):
        return address
    try:
        return bytes.fromhex(address[1:]).decode("utf-8")
    except ValueError:
        return None


def iso(us: int) -> str:
    """A moment for a machine, to the second; "" for one that no calendar has.

    >>> iso(1764000067000000)
    '2025-11-24T16:01:07Z'
    """
    moment = _moment(us)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def utc(us: int) -> str:
    """A moment for a reader.

    >>> utc(1764000067000000)
    '24 Nov 2025 16:01:07 UTC'
    """
    moment = _moment(us)
    return f"{moment.day} {moment:%b %Y %H:%M:%S} UTC" if moment else "time not known"


def seconds(us: int) -> str:
    """A length of time.

    >>> seconds(3200), seconds(1310000), seconds(75_000_000), seconds(7_300_000_000)
    ('3.2 ms', '1.31 s', '1 min 15 s', '2 h 1 min')
    """
    if 0 < us < 100_000:
        return f"{us / 1000:.1f} ms"
    if us < 60_000_000:
        return f"{us / 1_000_000:.2f} s"
    whole = us // 1_000_000
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: int) -> str:
    """A number of bytes.

    >>> size(0), size(999), size(2150), size(3_400_000), size(12_000_000_000)
    ('0 B', '999 B', '2.1 kB', '3.4 MB', '12.0 GB')
    """
    if count < 1000:
        return f"{count} B"
    for unit, scale in (("GB", 10**9), ("MB", 10**6)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1000:.1f} kB"


def _moment(us: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(us / 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
