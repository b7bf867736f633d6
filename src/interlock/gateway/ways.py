"""What becomes of a place that a program asks the forward proxy for, and what stands behind a path there.

A model's host is read. An AI service that cannot be read is refused. Everything else passes unread, or is refused, as
the settings say. All of it is decided here, from names alone; which addresses a name may lead to, `tunnel.py` decides.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias
from urllib.parse import urlsplit

from interlock.gateway.routes import Route, Routes, joined
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.identity.authority import is_domain
from interlock.knowledge import service_at, services
from interlock.model.errors import ConfigError
from interlock.protocols import Adapter

HTTPS, HTTP = 443, 80
MAX_PORT = 65_535
_DIRECT = "direct"
# A path before the protocol's own, such as `/openai/v1`: plain segments, and few of them.
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+){0,8}")
MAX_SEGMENTS = 8
_PLACE = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Place:
    """A host, in lower case and without the brackets and the last dot that it may be written with, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Origin:
    """The server that a client of the forward proxy believes it speaks to, and the key by which it was let through."""

    place: Place
    key: str


@dataclass(frozen=True, slots=True)
class Read:
    """What goes there is read; over TLS or plain."""

    tls: bool


@dataclass(frozen=True, slots=True)
class Unread:
    """What goes there passes unread; if `private`, also to an address that is not on the public Internet."""

    private: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing goes there. `told` says why and what to set."""

    told: str


Way: TypeAlias = Read | Unread | Refused


def place_of(text: str, port: int | None = None) -> Place | None:
    """The place that `host:port` is, `port` if it names none; None if it is none.

    >>> place_of("API.OpenAI.com.:443"), place_of("[::1]", 80), place_of("a b:1")
    (Place(host='api.openai.com', port=443), Place(host='::1', port=80), None)
    """
    found = _PLACE.fullmatch(text) or (_PLACE.fullmatch(f"{text}:{port}") if port else None)
    if not found or not 0 < int(found[2]) <= MAX_PORT:
        return None
    host = found[1].strip("[]").lower().removesuffix(".")
    return Place(host, int(found[2])) if host else None


def address_of(target: str) -> tuple[Place, str] | None:
    """The place and the path of an address as a proxy is asked for it (RFC 9112, section 3.2.2), http only.

    >>> address_of("http://localhost:11434/api/chat?x=1"), address_of("https://a.example/"), address_of("*")
    ((Place(host='localhost', port=11434), '/api/chat?x=1'), None, None)
    """
    if not target.lower().startswith("http://"):
        return None
    authority, slash, path = target[len("http://") :].partition("/")
    place = place_of(authority, HTTP)
    return (place, f"/{path}") if place and slash else None


def presented(headers: Mapping[bytes, bytes]) -> str:
    """The key in `Proxy-Authorization`: the password of Basic, its user if there is no password, or what Bearer has.

    >>> presented({b"proxy-authorization": b"Basic aW50ZXJsb2NrOmlsa18x"})
    'ilk_1'
    """
    value = headers.get(b"proxy-authorization", b"").decode("latin-1")
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "basic":
        return value
    try:
        user, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return value
    return password or user


def intercepted(settings: GatewaySettings, upstreams: Iterable[Upstream], adapters: Iterable[str]) -> frozenset[str]:
    """The domains for which the local authority has to speak.

    They are the hosts of all known services that speak a protocol of these adapters, of the upstreams, and the
    settings' own.
    """
    readable = {adapter.replace("-", "_") for adapter in adapters}  # as the facts write them
    known = {host for service in services().values() if readable & {*service.protocols} for host in service.api_hosts}
    configured = {place.host for upstream in upstreams if (place := _place(upstream)) and _is_secure(upstream)}
    return frozenset(known | {*filter(is_domain, configured)} | {_plain(host) for host in settings.intercept_hosts})


@dataclass(frozen=True, slots=True)
class Found:
    """What stands behind a path: `below` is the path as the protocol knows it. `direct`: no upstream is configured."""

    route: Route
    below: str
    direct: bool


class Ways:
    """The ways of one gateway's settings, its upstreams (by name) and its adapters (by id)."""

    def __init__(
        self, settings: GatewaySettings, upstreams: Mapping[str, Upstream], adapters: Mapping[str, Adapter]
    ) -> None:
        self._tunnel = settings.tunnel == "allow"
        self._domains = intercepted(settings, (), adapters)
        self._unread = frozenset(_named(host) for host in settings.tunnel_hosts)
        self._secure = frozenset(place for u in upstreams.values() if (place := _place(u)) and _is_secure(u))
        self._upstreams: dict[Place, list[tuple[str, str]]] = {}
        for name, upstream in upstreams.items():
            if place := _place(upstream):
                self._upstreams.setdefault(place, []).append((name, urlsplit(upstream.url).path.rstrip("/")))
        self._bases = ("", *{adapter.base for adapter in adapters.values() if adapter.base})
        self._routes = Routes(upstreams, adapters.values())
        self._direct = Routes((_DIRECT,), adapters.values())

    def way(self, place: Place) -> Way:
        """What becomes of what goes to a place."""
        host = place.host
        if _is_within(host, self._unread):
            return Unread(private=True)
        if self.is_secure(place):
            if not is_domain(host):
                return Refused(f"{host} is read by its name only: the local authority speaks for no address")
            return Read(tls=True)
        if place in self._upstreams:
            return Read(tls=False)
        if _is_within(host, self._domains) or service_at(host):
            return Refused(f"{host} is an AI service that cannot be read at this port, or not at all")
        if self._tunnel and is_domain(host):
            return Unread(private=False)
        return Refused(f"{host} is no AI service that interlock reads, and [gateway] tunnel_hosts does not name it")

    def is_secure(self, place: Place) -> bool:
        """Whether a place is read, and over TLS."""
        return place in self._secure or (place.port == HTTPS and _is_within(place.host, self._domains))

    def find(self, place: Place, path: str) -> Found | None:
        """What stands behind a path, without its query, at a place that is read: an upstream, or the place itself."""
        configured = self._upstreams.get(place, ())
        for rest, base in self._ends(path):
            for name, address in configured:
                route = self._routes.find(f"/{name}{base}{rest}")
                if route and joined(address, route.adapter.base, base + rest) == path:
                    return Found(route, base + rest, direct=False)
            route = None if configured else self._direct.find(f"/{_DIRECT}{base}{rest}")
            if route and route.adapter.base.startswith(base) and _PREFIX.fullmatch(path.removesuffix(rest)):
                name = route.name.replace(f"/{_DIRECT}", f"/{place.host}", 1)
                return Found(Route(place.host, route.adapter, name), base + rest, direct=True)
        return None

    def _ends(self, path: str) -> Iterator[tuple[str, str]]:
        """What of a path may be a protocol's own: each end of it, whole first, and the base that goes before it."""
        at = 0
        for _ in range(MAX_SEGMENTS):
            for base in self._bases:
                yield path[at:], base
            at = path.find("/", at + 1)
            if at < 0:
                return


def _named(host: str) -> str:
    """A host of the settings. Raises: ConfigError if no host can be called so, since it would never match."""
    name = _plain(host)
    if not is_domain(name):
        try:
            ip_address(name)
        except ValueError:
            hint = "a domain, for itself and all below it, or an address: no *, no scheme, no port"
            raise ConfigError(f"there is no host {host!r}", where="[gateway] tunnel_hosts", hint=hint) from None
    return name


def _plain(host: str) -> str:
    return host.strip("[]").lower().rstrip(".")


def _is_within(host: str, domains: frozenset[str]) -> bool:
    """Whether a host is one of these, or below one of them."""
    labels = host.split(".")
    return host in domains or any(".".join(labels[start:]) in domains for start in range(1, len(labels)))


def _is_secure(upstream: Upstream) -> bool:
    return upstream.url.lower().startswith("https:")


def _place(upstream: Upstream) -> Place | None:
    """Where an upstream is; None if its address is none, which its pool says."""
    try:
        return place_of(urlsplit(upstream.url).netloc, HTTPS if _is_secure(upstream) else HTTP)
    except ValueError:
        return None
