"""The gateway: listens, finds out who asks and for what, and starts an exchange. Nothing is decided here."""

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Coroutine, Mapping, MutableMapping
from dataclasses import dataclass, field, replace

from interlock.gateway.callers import challenge, form, metadata, presented, prove
from interlock.gateway.desk import Desk
from interlock.gateway.encodings import COVERED
from interlock.gateway.http import ClientConnection, HttpRequest
from interlock.gateway.mcp import FOLDER, McpDoor
from interlock.gateway.perform import ModelPerformer, Performer
from interlock.gateway.pool import Pool
from interlock.gateway.proxy import Proxy
from interlock.gateway.routes import Route, Routes, split
from interlock.gateway.settings import GatewaySettings
from interlock.guard import Call, Rules, exchange
from interlock.identity.issuers import METADATA, Issuers
from interlock.identity.keys import Keyring
from interlock.knowledge import redact
from interlock.model.decision import Principal
from interlock.model.errors import AuditError, ConfigError, IdentityError
from interlock.model.record import Record, RecordKind, Verdict
from interlock.protocols import Adapter
from interlock.protocols import encode as _encode
from interlock.store.log import AuditLog

# Headers of a request that a model's server needs; nothing else of them is passed on. Not the content type: the
# body was read as JSON in UTF-8, so that is what it is sent as.
FORWARDED = (b"accept", b"user-agent", b"traceparent", b"tracestate")
# What the log calls a request that could not be served as such; any other is `malformed_request`.
CODES = {
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_encoding",
    431: "headers_too_large",
    501: "not_implemented",
    503: "too_many_connections",
}
MAX_PORT = 65_535
# Connections that may come at once; the kernel caps it at its own limit.
BACKLOG = 4_096
SWEEP_S = 1.0
# For answers that were ended because the gateway stops: until they are out.
FLUSH_S = 1.0
FAULT = "a fault in interlock itself; nothing was let through"
_REFUSED = "the credential was refused. Use a key made by `interlock identity add`."
# What a client is told that signs with credentials of AWS (Signature Version 4): those are interlock's alone.
_SIGV4 = b"AWS4-HMAC-SHA256"
_SIGNED = " For an AWS SDK: in AWS_SESSION_TOKEN, beside any AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
UNRECORDED = "interlock: the audit log cannot be written, so nothing is let through"
HEALTH = b'{"status":"ok"}'


@dataclass(slots=True)
class Gateway:
    """The data plane of one process.

    Rules: an unknown path, caller or method is refused and recorded; without a working audit log nothing is
    served. It does NOT decide: the guard does.
    """

    settings: GatewaySettings
    log: AuditLog
    keyring: Keyring
    rules: Rules
    adapters: Mapping[str, Adapter]
    pools: MutableMapping[str, Pool]
    request_id: Callable[[], str]
    proxy: Proxy | None = None
    mcp: McpDoor | None = None
    issuers: Issuers | None = None
    desk: Desk | None = None
    clients: set[ClientConnection] = field(default_factory=set)
    performing: set[Performer] = field(default_factory=set)
    routes: Routes = field(init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _drained: asyncio.Event | None = None

    def __post_init__(self) -> None:
        self.routes = Routes(self.pools, self.adapters.values())

    async def start(self) -> int:
        """Listen; the port. Raises: ConfigError if the address cannot be had."""
        loop = asyncio.get_running_loop()
        host, port = self.settings.host, self.settings.port
        if port > MAX_PORT:  # the system would take its lower 16 bits
            raise ConfigError(f"there is no port {port}", where=f"gateway {host}:{port}", hint="set [gateway] port")
        try:
            self._server = await loop.create_server(
                lambda: ClientConnection(self, self.settings, loop.time), host, port, backlog=BACKLOG
            )
        except OSError as error:
            where = f"gateway {host}:{port}"
            hint = "is another interlock running? set [gateway] port"
            raise ConfigError(f"cannot listen: {error}", where=where, hint=hint) from error
        if self.mcp:
            self.mcp.attach(self)
        self.note(RecordKind.GATEWAY, reason="started", policy_hash=self.rules.policies.hash)
        self.task(self._sweep())
        listening: int = self._server.sockets[0].getsockname()[1]
        return listening

    async def stop(self, grace_s: float = 5.0) -> None:
        """Accept nothing more, let running exchanges end for `grace_s` seconds, and close."""
        assert self._server
        self._server.close()
        self._drained = asyncio.Event()
        for client in list(self.clients):
            client.finish()
        await self._drain(grace_s)
        for performer in list(self.performing):
            performer.stop()
        await self._drain(FLUSH_S)
        for client in list(self.clients):
            client.abort()
        await self._drain(FLUSH_S)
        for pool in self.pools.values():
            pool.close()
        if self.mcp:
            await self.mcp.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.note(RecordKind.GATEWAY, reason="stopped")

    async def _drain(self, limit_s: float) -> None:
        """Wait until nobody is connected any more."""
        assert self._drained
        if self.clients:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), limit_s)

    # --- clients -----------------------------------------------------------------------------------------

    def connected(self, client: ClientConnection) -> bool:
        """A connection has come; whether there is room for it."""
        self.clients.add(client)
        return len(self.clients) <= self.settings.max_connections

    def disconnected(self, client: ClientConnection) -> None:
        """A connection is gone."""
        self.clients.discard(client)
        if self._drained and not self.clients:
            self._drained.set()

    def malformed(self, client: ClientConnection, status: int, what: str) -> None:
        """What is no request that can be served."""
        # RFC 9110, section 15.5.16: which encodings are accepted.
        headers = b"accept-encoding: %b\r\n" % ", ".join(COVERED).encode() if status == 415 else b""
        code = CODES.get(status, "malformed_request")
        self.refuse(client, status, code, what, what, headers=headers, close=True)

    def serve(self, client: ClientConnection, request: HttpRequest) -> None:
        """Start the exchange that a request asks for; an issuer is asked first for a key that only it can know."""
        wait = self.issuers.missing(presented(request.headers)) if self.issuers else None
        if wait is None:
            self._guarded(client, request)
            return

        async def later() -> None:
            await wait
            client.on_gone = None
            self._guarded(client, request)

        client.on_gone = self.task(later()).cancel  # type: ignore[assignment]  # what it returns is of no interest

    def _guarded(self, client: ClientConnection, request: HttpRequest) -> None:
        try:
            self._serve(client, request)
        except Exception as error:  # noqa: BLE001 - the process's edge: a fault ends this request and no other
            self.fault(error)
            self.refuse(client, 500, "internal_error", FAULT, _where(error), close=True)

    def _serve(self, client: ClientConnection, request: HttpRequest) -> None:
        if self.proxy and (client.origin or not request.target.startswith("/")):
            self.proxy.serve(self, client, request)
            return
        if request.method == "CONNECT":
            what = "CONNECT is not covered here: this is no forward proxy"
            self.refuse(client, 501, "not_implemented", what, what, close=True)
            return
        path, question, query = request.target.partition("?")
        if path == "/healthz":
            self._health(client, presented(request.headers))
            return
        if self.issuers and path.startswith(METADATA) and request.method == "GET":
            client.reply(*metadata(self.issuers, path))
            return
        if self.mcp and f"{path}/".startswith(FOLDER):
            self.mcp.serve(self, client, request, presented(request.headers))
            return
        route = self.routes.find(path)
        if route is None:
            told = f"this address is not covered, so nothing was sent on. Covered: {self.routes.covered}"
            self.refuse(client, 404, "not_covered", told, f"not covered: {request.method} {path}", path)
            return
        if self.is_other_method(client, request, route, path):
            return
        try:
            principal = self.prove(presented(request.headers), path)
        except IdentityError as error:
            told = _REFUSED + (_SIGNED if request.headers.get(b"authorization", b"").startswith(_SIGV4) else "")
            status, challenge = self.challenge(error, path)
            code, adapter = "invalid_credential" if status == 401 else "insufficient_scope", route.adapter
            self.refuse(client, status, code, told, error.brief, path, adapter=adapter, headers=challenge)
            return
        below = split(path)[1] + question + query
        self.begin(client, request, route, principal, below, below)

    def begin(
        self,
        client: ClientConnection,
        request: HttpRequest,
        route: Route,
        principal: Principal,
        below: str,
        sent: str,
        credential: bytes = b"",
    ) -> None:
        """Start the exchange. `below` is the path as the protocol knows it, `sent` as its pool sends it.

        `credential` is header lines for the upstream, beside those that the adapter names.
        """
        if route.adapter.credential is None:
            shown = replace(route.adapter, credential=form(request.headers))
            route = replace(route, adapter=shown)
        adapter = route.adapter
        call = Call(principal, self.request_id(), adapter.meta.id, route.name, route.upstream, self.rules.now_us())
        headers = b"".join(
            b"%b: %b\r\n" % (name, request.headers[name])
            for name in (*FORWARDED, *adapter.headers)
            if name in request.headers
        )
        steps = exchange(adapter, below, request.body, call, self.rules)
        self.perform(ModelPerformer(self, client, steps, route, sent, headers, credential))

    def perform(self, performer: Performer) -> None:
        """Begin an exchange."""
        self.performing.add(performer)
        performer.start()

    def prove(self, shown: str, path: str, at_us: int | None = None) -> Principal:
        """Who shows this credential at `path`, now or at `at_us`. Raises: IdentityError."""
        return prove(self.keyring, self.issuers, shown, self.rules.now_us() if at_us is None else at_us, path)

    def challenge(self, error: IdentityError, path: str) -> tuple[int, bytes]:
        """Status and header of the refusal of a credential."""
        return challenge(self.issuers, error, path)

    def is_other_method(self, client: ClientConnection, request: HttpRequest, route: Route, path: str) -> bool:
        """Whether a request was refused because its method is not that of its protocol."""
        adapter, method = route.adapter, route.adapter.method
        if request.method == method.decode():
            return False
        told, reason, allow = f"use {method.decode()}", f"{request.method} {path}", b"allow: %b\r\n" % method
        self.refuse(client, 405, "method_not_allowed", told, reason, path, adapter=adapter, headers=allow)
        return True

    def _health(self, client: ClientConnection, shown: str) -> None:
        """Whether requests can be served, and to who shows a credential, whether that one's. Nothing is recorded."""
        try:
            if shown:
                self.prove(shown, "")
            self.log.check()
        except IdentityError:
            client.reply(401, _error(401, "invalid_credential", "interlock: this credential is not in force"))
        except AuditError as error:
            client.reply(503, self.unrecorded(error))
        else:
            client.reply(200, HEALTH)

    # --- what a performer needs --------------------------------------------------------------------------

    def pool(self, upstream: str) -> Pool:
        """The connections to an upstream."""
        return self.pools[upstream]

    def finished(self, performer: Performer) -> None:
        """An exchange is over."""
        self.performing.discard(performer)

    def when_durable(self, number: int, performer: Performer) -> None:
        """Tell `performer` once record `number` is on the disk."""

        async def wait() -> None:
            try:
                await self.log.durable(number)
            except Exception as error:  # noqa: BLE001 - the process's edge: somebody waits for this
                performer.durable(error)
            else:
                performer.durable(None)

        self.task(wait())

    def unrecorded(self, error: AuditError) -> bytes:
        """What a client is told when nothing can be recorded. The operator sees the error itself on stderr."""
        asyncio.get_running_loop().call_exception_handler({"message": f"audit log: {error}"})
        return _error(503, "audit_unavailable", UNRECORDED)

    def fault(self, error: Exception) -> bytes:
        """What a client is told of a fault of interlock's own. The operator sees its kind and place on stderr.

        Not its text: that may hold what a client or a model said.
        """
        asyncio.get_running_loop().call_exception_handler({"message": f"a fault in interlock: {_where(error)}"})
        return _error(500, "internal_error", f"interlock: {FAULT}")

    def note_fault(self, noted: Record | None, error: Exception) -> None:
        """Record that an exchange, of which `noted` is the last record, was ended by a fault."""
        with contextlib.suppress(AuditError):  # then the next request is refused for it
            if noted is None:
                self.note(RecordKind.REFUSAL, status=500, verdict=Verdict.FAILED, reason=_where(error))
                return
            ended = noted._replace(kind=RecordKind.ANSWER, at_us=self.rules.now_us(), steps=(), status=500)
            self.log.append(ended._replace(verdict=Verdict.FAILED, reason=_where(error)))

    def sweep(self, now: float) -> None:
        """End what is past its deadline at `now`, in the loop's time, and whose credential does not hold any more."""
        for performer in list(self.performing):
            performer.prove()
        for client in [c for c in self.clients if c.deadline is not None and c.deadline <= now]:
            client.expire()
        for pool in self.pools.values():
            pool.sweep(now)
        if self.mcp:
            self.mcp.sweep(now)

    # --- the rest ----------------------------------------------------------------------------------------

    def refuse(
        self,
        client: ClientConnection,
        status: int,
        code: str,
        told: str,
        reason: str,
        path: str = "",
        *,
        adapter: Adapter | None = None,
        headers: bytes = b"",
        close: bool = False,
        phrase: bytes = b"",
        principal: Principal | None = None,
    ) -> None:
        """Refuse a request: record `reason`, tell `told`; `close` takes no further one."""
        try:
            self.note(
                RecordKind.REFUSAL,
                status=status,
                verdict=Verdict.BLOCKED,
                reason=redact(reason)[:500],
                route=redact(path)[:200],
                workload=principal.workload if principal else "",
                credential=principal.credential if principal else "",
            )
        except AuditError as error:
            client.reply(503, self.unrecorded(error), close=True)
            return
        shaped = adapter.error if adapter else _error
        client.reply(status, shaped(status, code, f"interlock: {told}"), headers, close=close, phrase=phrase)

    def note(self, kind: RecordKind, request: str = "", **fields: object) -> int:
        """Record what is no exchange; the record's number. Raises: AuditError."""
        request = request or self.request_id()
        return self.log.append(Record(kind=kind, at_us=self.rules.now_us(), request=request, **fields))  # type: ignore[arg-type]

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                self.sweep(loop.time())
            except Exception as error:  # noqa: BLE001 - the process's edge: without it no deadline would hold any more
                self.fault(error)

    def task(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Do some work beside the traffic, until the gateway stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _error(status: int, code: str, message: str) -> bytes:
    """An error where no adapter knows the protocol, in the form that most SDKs read."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return _encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def _where(error: Exception) -> str:
    """What kind of error, and where in the code; not what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
