"""The MCP servers behind the gateway: who may come in, and the performance of what `guard/mcp` asks for."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from interlock.gateway.http import ClientConnection, HttpRequest
from interlock.gateway.mcp_programs import Programs
from interlock.gateway.mcp_upstream import McpPool
from interlock.gateway.perform import WAIT, Performer, Wait
from interlock.gateway.waiting import Answering, Replying, Waiter
from interlock.guard import Call, Head
from interlock.guard.inspect import logged
from interlock.guard.mcp import (
    ASKED_BACK,
    Answered,
    Await,
    Bell,
    CancelledError,
    Decide,
    Heed,
    Inbound,
    Keep,
    McpExchange,
    Memories,
    Part,
    Respond,
    Ring,
    Send,
    Server,
    Tell,
    Turn,
    Union,
    mcp_exchange,
    union_exchange,
)
from interlock.identity.tasks import PREFIX, Taskmaster
from interlock.identity.tokens import bare
from interlock.mcp.eras import METHOD_HEADER, SESSION_HEADER
from interlock.mcp.framing import Framing
from interlock.mcp.pins import Pin
from interlock.model.decision import Principal, Task
from interlock.model.errors import AuditError, IdentityError, UpstreamError
from interlock.model.record import RecordKind, Step, Verdict

if TYPE_CHECKING:
    from interlock.gateway.server import Gateway

UNION, FOLDER = "/mcp", "/mcp/"
LISTEN = b"subscriptions/listen"
TASK_HEADER = b"interlock-task"
METHODS = ("POST", "GET", "DELETE")
# A page in a browser can send requests to this machine: its Origin, and the Host that it was made to believe, tell.
_LOOPBACK = re.compile(r"(?:https?://)?(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
_BEARER = re.compile(r"bearer +", re.IGNORECASE)
_SESSION = re.compile(r"[\x21-\x7e]{1,512}")


@dataclass(slots=True)
class McpDoor:
    """All MCP servers of one gateway. `keep` takes what is known of tools; it may take its time.

    Rules: who comes from a page of elsewhere, or cannot prove who it is, is refused and recorded; a task token proves
    the workload that it names, and one beside a key has to name the key's. Whoever listens proves it again with each
    sweep, and whoever waits for an answer that it was good when it asked. It does NOT decide: the guard does.
    """

    servers: Mapping[str, Server]
    pools: Mapping[str, McpPool]
    programs: Mapping[str, Programs]
    taskmaster: Taskmaster
    memories: Memories
    keep: Callable[[str, tuple[Pin, ...]], None]
    origins: frozenset[str] = frozenset()
    loopback: bool = True
    union: Union | None = None
    _telling: set["_Told"] = field(default_factory=set)

    def attach(self, gateway: "Gateway") -> None:
        """Let what programs say by themselves be recorded, and taken in."""
        for name, programs in self.programs.items():
            programs.on_changed = self.servers[name].catalogue.expire
            programs.on_refused = partial(self._refused_request, gateway, name)

    @staticmethod
    def _refused_request(gateway: "Gateway", server: str, workload: str, method: str) -> None:
        step = Step("server_request", tool=logged(method), verdict=Verdict.BLOCKED, reason=ASKED_BACK)
        with contextlib.suppress(AuditError):  # then the next request is refused for it
            gateway.note(
                RecordKind.REFUSAL, workload=workload, upstream=server, protocol="mcp", verdict=Verdict.BLOCKED,
                reason=ASKED_BACK, steps=(step,), route=FOLDER + server,
            )  # fmt: skip

    def serve(self, gateway: "Gateway", client: ClientConnection, request: HttpRequest, presented: str) -> None:
        """Start the exchange that a request asks for."""
        path = request.target.partition("?")[0]
        if reason := self._foreign(request.headers):
            self._refuse(gateway, client, 403, reason, path)
            return
        try:
            principal, task = self._proven(gateway, request.headers, presented, path, gateway.rules.now_us())
        except IdentityError as refused:
            status, challenge = gateway.challenge(refused, path)
            self._refuse(gateway, client, status, refused.brief, path, challenge)
            return
        joined = self.union if path.rstrip("/") == UNION else None
        server = joined or self.servers.get(path.removeprefix(FOLDER))
        if server is None:
            self._refuse(gateway, client, 404, f"no such MCP server: {path}", path, principal=principal)
            return
        if request.method not in METHODS:
            reason = f"{request.method} {path}"
            self._refuse(gateway, client, 405, reason, path, b"allow: POST, GET, DELETE\r\n", principal=principal)
            return
        # What was believed, and is an issuer's: perhaps to be exchanged, never to be sent on.
        subject = bare(presented) if gateway.issuers else ""
        inbound = Inbound(request.method, request.headers, request.body)
        began_us = None if _listens(request) else gateway.rules.now_us()

        def proof() -> object:
            at_us = gateway.rules.now_us() if began_us is None else began_us
            return self._proven(gateway, request.headers, presented, path, at_us)

        self.begin(gateway, client, inbound, server, principal, task, subject, proof)

    def begin(
        self, gateway: "Gateway", client: Replying, inbound: Inbound, server: Server | Union, principal: Principal,
        task: Task | None, subject: str = "", proof: Callable[[], object] | None = None,
    ) -> None:  # fmt: skip
        """Start the exchange of a caller who has proven who it is, perhaps by the token `subject`.

        `proof` proves it again; it raises IdentityError if that is not so any more.
        """
        rules, now_us = gateway.rules, gateway.rules.now_us()
        if isinstance(server, Union):
            call = Call(principal, gateway.request_id(), "mcp", UNION, "", now_us)
            steps = union_exchange(inbound, server, call, rules, task, self.memories)
        else:
            call = Call(principal, gateway.request_id(), "mcp", FOLDER + server.name, server.name, now_us)
            steps = mcp_exchange(inbound, server, call, rules, task, self.memories)
        gateway.perform(McpPerformer(gateway, client, steps, call, self, subject, proof))

    def _foreign(self, headers: Mapping[bytes, bytes]) -> str:
        """Why a request comes from where none may come from; empty if it does not."""
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and origin not in self.origins and not (self.loopback and _LOOPBACK.fullmatch(origin)):
            return "the Origin is another one"
        host = headers.get(b"host", b"").decode("latin-1")
        if self.loopback and not _LOOPBACK.fullmatch(host):
            return "the Host is none of this machine"
        return ""

    def _proven(
        self, gateway: "Gateway", headers: Mapping[bytes, bytes], presented: str, path: str, at_us: int
    ) -> tuple[Principal, Task | None]:
        """Who asks, and for which task, as it is at `at_us`. Raises: IdentityError."""
        scheme = _BEARER.match(presented)
        bare = presented[scheme.end() :] if scheme else presented
        if bare.startswith(PREFIX):
            task = self.taskmaster.prove(bare, at_us)
            return Principal(task.workload, f"task:{task.id}"), task
        principal = gateway.prove(presented, path, at_us)
        shown = headers.get(TASK_HEADER, b"").decode("latin-1")
        if not shown:
            return principal, None
        task = self.taskmaster.prove(shown, at_us)
        if task.workload != principal.workload:
            raise IdentityError(f"the task is one of {task.workload}, the credential one of {principal.workload}")
        return principal, task

    @staticmethod
    def _refuse(
        gateway: "Gateway", client: ClientConnection, status: int, reason: str, path: str, headers: bytes = b"",
        principal: Principal | None = None,
    ) -> None:  # fmt: skip
        told = {401: "the credential was refused", 403: "not permitted", 404: "no such server"}.get(status, "use POST")
        gateway.refuse(client, status, "refused", told, reason, path, headers=headers, principal=principal)

    def send(self, server: str, workload: str, command: Send, waiter: Waiter, subject: str) -> None:
        """Send a message to a server."""
        if server in self.programs:
            self.programs[server].ask(workload, command, waiter)
        else:
            self.pools[server].ask(command.method, command.headers, command.body, waiter, subject)

    def tell(self, server: str, workload: str, command: Tell, subject: str) -> None:
        """Send a message, and drop its answer."""
        if server in self.programs:
            self.programs[server].tell(workload, command.body)
            return
        told = _Told(self._telling.discard)
        self._telling.add(told)
        self.pools[server].ask("POST", command.headers, command.body, told, subject)

    def replace_pins(self, pins: Iterable[Pin]) -> None:
        """What is kept of tools has changed."""
        by_server: dict[str, list[Pin]] = {name: [] for name in self.servers}
        for pin in pins:
            by_server.setdefault(pin.server, []).append(pin)
        for name, server in self.servers.items():
            server.catalogue.replace(by_server[name])

    def sweep(self, now: float) -> None:
        """End what is past its deadline."""
        for pool in self.pools.values():
            pool.sweep(now)
        for programs in self.programs.values():
            programs.sweep(now)

    async def close(self) -> None:
        """Close every connection, and end every program."""
        for pool in self.pools.values():
            pool.close()
        await asyncio.gather(*(programs.close() for programs in self.programs.values()))


def _listens(request: HttpRequest) -> bool:
    """Whether a request opens a stream that ends when somebody ends it; the guard compares the header with the body."""
    return request.method == "GET" or request.headers.get(METHOD_HEADER) == LISTEN


class _Told:
    """Takes the answer that nobody waits for."""

    def __init__(self, over: Callable[["_Told"], None]) -> None:
        self._over = over
        self._connection: Answering | None = None

    def connected(self, connection: Answering) -> bool:
        """There is a connection."""
        self._connection = connection
        return True

    def on_head(self, head: Head, headers: list[tuple[bytes, bytes]]) -> None:
        """The answer has begun."""

    def on_data(self) -> None:
        """More of it has come; it is dropped."""
        assert self._connection
        while self._connection.take():
            pass
        if self._connection.is_complete:
            self._connection.release()
            self._over(self)

    def on_error(self, error: UpstreamError) -> None:  # noqa: ARG002 - nobody waits for it
        """It did not arrive. Who asked for it has its own answer to wait for."""
        self._over(self)


class McpPerformer(Performer):
    """An exchange with an MCP server: one after the other, as many requests to it as the guard asks for."""

    def __init__(
        self, gateway: "Gateway", client: Replying, exchange: McpExchange, call: Call, door: McpDoor, subject: str,
        proof: Callable[[], object] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(gateway, client, exchange, call.upstream)
        self._subject = subject
        self._proof = proof
        self._workload = call.principal.workload
        self._door = door

    def prove(self) -> None:
        """End it if its caller's credential does not hold any more; what waits for the client ends after that."""
        try:
            if self._proof:
                self._proof()
        except IdentityError as error:
            self._failed = UpstreamError(f"was left: {error.brief}", where=self._upstream, status=401)
            self.stop(self._failed)

    def begun(self, head: Head, headers: list[tuple[bytes, bytes]]) -> object:
        """What the guard is told of an answer; no header of it goes to the client."""
        self._answer_headers = b""
        session = dict(headers).get(SESSION_HEADER, b"").decode("latin-1")
        framing = Framing.EVENTS if head.streamed else Framing.BODY
        if self._upstream in self._door.programs:
            framing = Framing.LINES
        return Answered(head.status, framing, session if _SESSION.fullmatch(session) else "")

    def perform(self, command: object) -> object:
        """Do it; see `Performer`."""
        match command:
            case Send():
                if self._connection:
                    self._connection.release()
                    self._connection = None
                self._wait = Wait.HEAD
                self._door.send(self._upstream, self._workload, command, self, self._subject)
                return WAIT
            case Tell():
                self._door.tell(self._upstream, self._workload, command, self._subject)
                return None
            case Keep(pins=pins):
                self._door.keep(self._upstream, pins)
                return None
            case Part():
                self.part()
                return None
            case Turn(server=server):
                self._upstream = server
                return None
            case Ring() | Heed() | Await() | Decide():
                return self._rung(command)
            case Respond(status=status, body=body, session=session):
                headers = b"%b: %b\r\n" % (SESSION_HEADER, session.encode()) if session else b""
                if status == 405:
                    headers += b"allow: POST, DELETE\r\n"
                self.reply(status, body, headers)
                return None
            case _:
                return super().perform(command)

    def _rung(self, command: Ring | Heed | Await | Decide) -> object:
        """What one exchange says to another, or a user to it."""
        match command:
            case Ring(bell=bell):
                bell.rung = True
                if bell.hear:
                    bell.hear()
                return None
            case Heed(bell=bell):
                bell.hear = self._cancelled
                return None
            case Decide(decision=decision):
                assert self._gateway.desk
                self._wait = Wait.DESK
                self._gateway.desk.answer(decision, self.claimed)
                return WAIT
            case Await(bell=bell, limit_s=limit_s):
                return self._await(bell, limit_s)

    def _await(self, bell: Bell, limit_s: float) -> object:
        if bell.rung:
            return None
        self._wait = Wait.OTHER
        timer = asyncio.get_running_loop().call_later(limit_s, lambda: bell.hear and bell.hear())

        def heard() -> None:
            bell.hear = None
            timer.cancel()
            if self._wait is Wait.OTHER:
                self._go(None)

        bell.hear = heard
        return WAIT

    def _cancelled(self) -> None:
        self._throw(CancelledError())
