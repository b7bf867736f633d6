"""The forward proxy, for programs whose endpoints are fixed: CONNECT, and addresses with a host.

What is read ends here: interlock is the server that the client wants, and what is inside goes the way of any other
request. What is not read is joined to its server and counted.
"""

import asyncio
import ssl
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interlock.gateway.http import ClientConnection, HttpRequest
from interlock.gateway.pool import Pool
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.gateway.tunnel import Dialer, Tunnel
from interlock.gateway.ways import HTTP, HTTPS, Origin, Place, Read, Refused, Ways, address_of, place_of, presented
from interlock.identity.authority import Authority
from interlock.model.decision import Principal
from interlock.model.errors import AuditError, IdentityError, UpstreamError
from interlock.model.record import RecordKind, Verdict

if TYPE_CHECKING:
    from interlock.gateway.server import Gateway

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
CHALLENGE = b'proxy-authenticate: Basic realm="interlock", charset="UTF-8"\r\n'
# Between two looks at whether the key of a tunnel still holds.
PROVEN_S = 1.0
# Model hosts without an upstream to which connections are kept; about a megabyte each, for the authorities.
MAX_DIRECT = 64
# Headers that are about one connection (RFC 9110, section 7.6.1), or that are written anew.
_HOP = frozenset(
    b"connection content-length expect host keep-alive proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade".split()
)
# Where the SDKs put a provider's key.
_KEYS = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")
INTERLOCK_KEY = b"ilk_"


@dataclass(frozen=True, slots=True)
class Visit:
    """A client that was let through: who it is, by which key, where it goes, and what ties its records."""

    client: ClientConnection
    principal: Principal
    key: str
    place: Place
    request: str
    began_us: int


@dataclass(slots=True)
class Proxy:
    """What a gateway does as a forward proxy. `own_ports` are interlock's, to which no tunnel leads.

    Rules: who does not show an interlock key gets 407 and nothing else; what is let through is recorded before it
    begins, host and port only; a key that no longer holds ends what it opened. It does NOT read: the gateway does.
    """

    settings: GatewaySettings
    ways: Ways
    authority: Authority
    own_ports: set[int] = field(default_factory=set)
    _dialer: Dialer = field(init=False)

    def __post_init__(self) -> None:
        self._dialer = Dialer(self.own_ports, self.settings.connect_timeout_s)

    def serve(self, gateway: "Gateway", client: ClientConnection, request: HttpRequest) -> None:
        """Answer a request that came inside an intercepted connection, or as to a proxy."""
        if client.origin:
            self._inside(gateway, client, request, client.origin)
            return
        key, now = presented(request.headers), gateway.rules.now_us()
        asked = f"{request.method} to the forward proxy"
        try:
            principal = gateway.keyring.prove(key, now)
        except IdentityError as error:
            told = "the forward proxy wants an interlock key, as in HTTPS_PROXY=http://interlock:ilk_...@host:port"
            gateway.refuse(client, 407, "invalid_credential", told, error.brief, asked, headers=CHALLENGE, close=True)
            return
        if request.method == "CONNECT":
            place, path = place_of(request.target), ""
        else:
            place, path = address_of(request.target) or (None, "")
        if place is None:
            told = "a proxy is asked with CONNECT host:port, or for an http address"
            gateway.refuse(client, 400, "malformed_request", told, told, asked, close=True, principal=principal)
            return
        self._visit(gateway, Visit(client, principal, key, place, gateway.request_id(), now), request, path)

    def _visit(self, gateway: "Gateway", visit: Visit, request: HttpRequest, path: str) -> None:
        """Go the way of the place. `path` is that of an address, empty for CONNECT."""
        way = self.ways.way(visit.place)
        if isinstance(way, Refused):
            self._refuse(gateway, visit, 403, way.told)
        elif isinstance(way, Read) and way.tls and path:
            self._refuse(gateway, visit, 403, f"{visit.place.host} is read over https only")
        elif isinstance(way, Read) and path:
            self._exchange(gateway, visit.client, request, visit.place, visit.principal, path)
        elif isinstance(way, Read):
            self._start(gateway, visit, self._intercept(gateway, visit, tls=way.tls))
        else:
            first = _rewritten(request, visit.place, path) if path else b""
            self._start(gateway, visit, self._join(gateway, visit, first, private=way.private))

    def _start(self, gateway: "Gateway", visit: Visit, work: Coroutine[None, None, None]) -> None:
        async def guarded() -> None:
            try:
                await work
            except AuditError as error:
                visit.client.reply(503, gateway.unrecorded(error), close=True)
            except Exception as error:  # noqa: BLE001 - the process's edge: a fault ends this connection and no other
                gateway.fault(error)
                visit.client.abort()

        task = gateway.task(guarded())
        visit.client.on_gone = task.cancel  # type: ignore[assignment]  # what it returns is of no interest

    def _refuse(self, gateway: "Gateway", visit: Visit, status: int, told: str) -> None:
        gateway.refuse(
            visit.client,
            status,
            "not_permitted" if status == 403 else "upstream_error",
            told,
            told,
            f"CONNECT {visit.place}",
            close=True,
            phrase=f"interlock: {told}".encode("ascii", "replace"),
            principal=visit.principal,
        )

    # --- what is read ------------------------------------------------------------------------------------

    async def _intercept(self, gateway: "Gateway", visit: Visit, *, tls: bool) -> None:
        """Be the server that the client wants."""
        place, client = visit.place, visit.client
        context = self.authority.context(place.host) if tls else None
        _note(gateway, visit, "read")
        transport = client.hand_over(ESTABLISHED)
        if transport is None:
            return
        early = _Early()
        try:
            if context:
                transport = await self._shake(transport, early, context)
        except OSError as error:
            _note(gateway, visit, _why(error), verdict=Verdict.FAILED, status=400)
            return
        finally:
            client.connection_lost(None)
        now = asyncio.get_running_loop().time
        inner = ClientConnection(gateway, self.settings, now, Origin(place, visit.key))
        early.hand_over(transport, inner)

    async def _shake(self, transport: asyncio.Transport, early: "_Early", context: ssl.SSLContext) -> asyncio.Transport:
        made = await asyncio.get_running_loop().start_tls(
            transport, early, context, server_side=True, ssl_handshake_timeout=self.settings.header_timeout_s
        )
        if made is None or made.is_closing():
            raise ConnectionResetError
        return made

    def _inside(self, gateway: "Gateway", client: ClientConnection, request: HttpRequest, origin: Origin) -> None:
        """A request of an intercepted connection. It may name no other host than the one that was connected to."""
        place, target = origin.place, request.target
        route = f"CONNECT {place}"
        try:
            principal = gateway.keyring.prove(origin.key, gateway.rules.now_us())
        except IdentityError as error:
            told = "the credential that the forward proxy was shown no longer holds"
            gateway.refuse(client, 401, "invalid_credential", told, error.brief, route, close=True)
            return
        named = [request.headers[b"host"].decode("latin-1")] if b"host" in request.headers else []
        if not target.startswith("/"):
            authority, slash, path = target.partition("://")[2].partition("/")
            named.append(authority)
            target = slash + path
        standard = HTTPS if self.ways.is_secure(place) else HTTP
        if any(place_of(name, standard) != place for name in named) or not target or request.method == "CONNECT":
            told = f"this connection leads to {place} and nowhere else"
            gateway.refuse(client, 421, "misdirected_request", told, told, route, close=True, principal=principal)
            return
        self._exchange(gateway, client, request, place, principal, target)

    def _exchange(
        self, gateway: "Gateway", client: ClientConnection, request: HttpRequest, place: Place, principal: Principal,
        target: str,
    ) -> None:  # fmt: skip
        path, question, query = target.partition("?")
        found = self.ways.find(place, path)
        if found is None:
            told = f"this address of {place.host} is not covered, so nothing was sent on"
            reason = f"not covered: {request.method} {place}{path}"
            gateway.refuse(client, 404, "not_covered", told, reason, f"/{place.host}{path}", principal=principal)
            return
        if gateway.is_other_method(client, request, found.route, found.route.name):
            return
        below = found.below + question + query
        if not found.direct:
            own = b"" if gateway.pool(found.route.upstream).holds_key else self._own_key(request)
            gateway.begin(client, request, found.route, principal, below, below, own)
        elif not (own := self._own_key(request)):
            told = f"interlock holds no key for {place.host}: set [llm.upstreams.NAME], or unsafe_pass_credentials"
            if self.settings.unsafe_pass_credentials:
                told = f"no key for {place.host} was sent (an interlock key belongs into the address of the proxy)"
            adapter, name = found.route.adapter, found.route.name
            gateway.refuse(client, 403, "no_credential", told, told, name, adapter=adapter, principal=principal)
        elif not self._reach(gateway, place.host):
            told = "there are too many hosts without an upstream"
            gateway.refuse(client, 503, "too_many_hosts", told, told, found.route.name, principal=principal)
        else:
            gateway.begin(client, request, found.route, principal, below, target, own)

    def _own_key(self, request: HttpRequest) -> bytes:
        """Header lines with the provider's key of the client itself, if the settings let it through."""
        if not self.settings.unsafe_pass_credentials:
            return b""
        return b"".join(
            b"%b: %b\r\n" % (name, request.headers[name])
            for name in _KEYS
            # INVARIANT: an interlock key goes to nobody.
            if name in request.headers and INTERLOCK_KEY not in request.headers[name]
        )

    def _reach(self, gateway: "Gateway", host: str) -> bool:
        """Have a pool for a host without an upstream; whether there is room for it."""
        if host in gateway.pools:
            return True
        direct = [name for name in gateway.pools if "." in name]
        if len(direct) >= MAX_DIRECT:
            idle = next((name for name in direct if gateway.pools[name].is_idle), None)
            if idle is None:
                return False
            gateway.pools.pop(idle).close()
        upstream = Upstream(url=f"https://{host}")
        gateway.pools[host] = Pool(host, upstream, "", self.settings, asyncio.get_running_loop())
        return True

    # --- what is not -------------------------------------------------------------------------------------

    async def _join(self, gateway: "Gateway", visit: Visit, first: bytes, *, private: bool) -> None:
        """Join the client to its server; `first` is the one request that a plain address asks for."""
        place, client = visit.place, visit.client
        loop = asyncio.get_running_loop()
        await gateway.log.durable(_note(gateway, visit, "passes unread"))
        checked = loop.time()

        def may_go_on() -> bool:
            nonlocal checked
            now = loop.time()
            client.deadline = now + self.settings.idle_timeout_s
            if now - checked >= PROVEN_S:
                checked = now
                try:
                    gateway.keyring.prove(visit.key, gateway.rules.now_us())
                except IdentityError:
                    client.abort()
                    return False
            return True

        def over(tunnel: Tunnel) -> None:
            client.connection_lost(None)
            heard = tunnel.client.heard + len(first), tunnel.server.heard
            try:
                _note(gateway, visit, "ended", bytes_in=heard[0], bytes_out=heard[1])
            except AuditError as error:
                gateway.unrecorded(error)

        tunnel = Tunnel(may_go_on, over)
        try:
            server = await self._dialer.connect(lambda: tunnel.server, place.host, place.port, private=private)
        except UpstreamError as error:
            self._refuse(gateway, visit, error.status, error.brief)
            return
        transport = client.hand_over(b"" if first else ESTABLISHED)
        if transport is None or server.is_closing():
            server.abort()
            client.abort()
            return
        may_go_on()
        tunnel.join(transport, server, first)


class _Early(asyncio.Protocol):
    """Keeps what a client says right after its handshake, until somebody listens."""

    def __init__(self) -> None:
        self._data = b""
        self._lost = False

    def data_received(self, data: bytes) -> None:
        self._data += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is the protocol's
        self._lost = True

    def hand_over(self, transport: asyncio.Transport, inner: asyncio.Protocol) -> None:
        """Let `inner` go on with the connection."""
        if self._lost:
            return
        transport.set_protocol(inner)
        inner.connection_made(transport)
        if self._data:
            inner.data_received(self._data)
        transport.resume_reading()


def _rewritten(request: HttpRequest, place: Place, path: str) -> bytes:
    """A request to a proxy as its server wants it: the last one on its connection."""
    dropped = _HOP | {name.strip().lower() for name in request.headers.get(b"connection", b"").split(b",")}
    kept = b"".join(b"%b: %b\r\n" % item for item in request.headers.items() if item[0] not in dropped)
    host = str(place).removesuffix(f":{HTTP}")
    length = b"content-length: %d\r\n" % len(request.body) if request.body or request.method != "GET" else b""
    head = f"{request.method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n".encode("latin-1")
    return head + kept + length + b"\r\n" + request.body


def _note(
    gateway: "Gateway", visit: Visit, reason: str, *, verdict: Verdict = Verdict.ALLOWED, status: int = 200,
    bytes_in: int = 0, bytes_out: int = 0,
) -> int:  # fmt: skip
    """Record what became of a visit; the record's number. Raises: AuditError."""
    return gateway.note(
        RecordKind.CONNECT,
        visit.request,
        status=status,
        verdict=verdict,
        reason=reason,
        route="CONNECT",
        upstream=str(visit.place),
        workload=visit.principal.workload,
        credential=visit.principal.credential,
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        latency_us=max(0, gateway.rules.now_us() - visit.began_us),
    )


def _why(error: OSError) -> str:
    """Why there was no handshake, for the log."""
    reason = getattr(error, "reason", None) or ""
    if "UNKNOWN_CA" in reason or "CERTIFICATE" in reason:
        return f"the client does not trust the local authority, ca.pem ({reason})"
    if "CALLBACK" in reason:
        return "the client named another host in its handshake than to the proxy"
    if isinstance(error, ssl.SSLError):
        return f"no TLS handshake: {reason}"
    return "the client did not complete its TLS handshake; it may not trust the local authority, ca.pem"
