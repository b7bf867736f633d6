"""Where the address of a resource leads: read as lenient programs read it, so that no way of writing hides a host."""

import re
import unicodedata
from typing import NamedTuple

# Of an address that a server lists; a longer one is nobody's.
LONGEST = 2_048
# Schemes that programs follow over the network, even where the slashes are missing (WHATWG URL, "special").
_WEB = frozenset({"http", "https", "ws", "wss", "ftp", "ftps"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HOST = re.compile(r"[^/?#]*")
# What a chain such as view-source:jar:https://... may have.
_MOST_SCHEMES = 16


class Place(NamedTuple):
    """A host, and the scheme by which it is reached. `host` has no user's name, and is in small letters."""

    scheme: str
    host: str

    @property
    def is_web(self) -> bool:
        """Whether whoever reads it goes to the network, whatever server he is."""
        return not self.scheme or self.scheme in _WEB or self.scheme in ("data", "file")

    @property
    def key(self) -> str:
        """By what a host is remembered; no address that is not odd is written so."""
        return f"host {self.scheme}://{self.host}"

    @property
    def any_host(self) -> str:
        """By what it is remembered that all hosts of this scheme are the server's."""
        return f"host {self.scheme}://"


def is_odd(uri: str) -> bool:
    """Whether an address holds what no address may, and what some programs pass over: white space, controls.

    >>> is_odd("ht\\ntps://x.example"), is_odd("note://1")
    (True, False)
    """
    return any(one.isspace() or unicodedata.category(one)[0] == "C" for one in uri)


def place(uri: str) -> Place | None:
    """The host that an address leads to; None if it names none.

    >>> place("HTTPS:\\\\\\\\Eve@Evil.example/x"), place("view-source:https:evil.example"), place("note:1")
    (Place(scheme='https', host='evil.example'), Place(scheme='https', host='evil.example'), None)
    """
    rest, scheme = uri.replace("\\", "/"), ""
    for _ in range(_MOST_SCHEMES):
        found = _SCHEME.match(rest)
        if not found:
            break
        scheme, rest = found[1].lower(), rest[found.end() :]
        if scheme == "data":
            return Place(scheme, "")
    else:
        return Place("", "")
    if scheme in _WEB:
        return Place(scheme, _host(rest.lstrip("/")))
    if not rest.startswith("//"):
        return None
    # file:///path is this machine's; with more slashes it is a share.
    after = rest[2:]
    if scheme == "file" and after.startswith("/") and not after.startswith("//"):
        return None
    host = _host(after.lstrip("/") if scheme == "file" else after)
    is_here = scheme == "file" and host == "localhost"
    return Place(scheme, host) if not is_here and (host or not scheme) else None


def _host(rest: str) -> str:
    found = _HOST.match(rest)
    return found[0].rpartition("@")[2].lower() if found else ""
