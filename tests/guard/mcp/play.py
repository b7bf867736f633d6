"""Plays an MCP exchange: performs its commands, with a scripted server on the other side, and writes all of it down."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from interlock.guard.commands import Begin, Claim, ClientGoneError, Emit, Note, Petition, Read
from interlock.guard.mcp import (
    Answered,
    Await,
    Decide,
    Heed,
    Inbound,
    Keep,
    Memories,
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
from interlock.guard.mcp.settings import McpServer
from interlock.guard.mcp.state import Catalogue
from interlock.guard.rules import Call, Rules
from interlock.mcp import messages
from interlock.mcp.eras import CAPABILITIES_META, LEGACY, MODERN, VERSION_META
from interlock.mcp.framing import Framing, event
from interlock.mcp.pins import Pin
from interlock.model.approval import Approval
from interlock.model.decision import Principal, Task
from interlock.model.errors import UpstreamError
from interlock.model.record import Record, Step, Verdict
from tests.guard.play import make_rules

OURS = Principal("w", "k1")
HOUR = 3_600_000_000
OBJECT = {"type": "object"}


def tool(name: str, description: str = "", *arguments: str) -> dict[str, Any]:
    properties = {argument: {"type": "string"} for argument in arguments}
    return {"name": name, "description": description, "inputSchema": {**OBJECT, "properties": properties}}


TOOLS = [
    tool("read_mail", "Read the mail."),
    tool("send_email", "Send an e-mail.", "to", "body"),
    tool("send_money", "Send money.", "iban", "amount"),
]


@dataclass
class Fake:
    """A server: its tools, what its calls give, and the era in which it speaks. `asked` is what it was sent."""

    tools: list[dict[str, Any]] = field(default_factory=lambda: list(TOOLS))
    results: Mapping[str, object] = field(default_factory=dict)
    modern: bool = True
    session: str = "s-1"
    instructions: str = ""
    aside: Callable[[Any], list[bytes]] = lambda _: []
    fails: Mapping[str, Exception | int] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    sent: list[Send] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    stream: list[bytes] | None = None
    capabilities: dict[str, Any] = field(default_factory=lambda: {"tools": {}, "resources": {}})
    says: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, command: Send) -> tuple[Answered, list[bytes | None]] | Exception:
        """What it answers, and the pieces of that."""
        self.sent.append(command)
        headers = dict(command.headers)
        if command.method == "DELETE":
            return Answered(200, Framing.BODY, ""), [b""]
        if command.method == "GET":
            return self._streamed()
        said = json.loads(command.body)
        self.asked.append(said)
        if headers.get(b"mcp-session-id", b"").decode() in self.lost:
            return Answered(404, Framing.BODY, ""), [b""]
        if "id" not in said:
            return Answered(202, Framing.BODY, ""), [b""]
        if said["method"] == "subscriptions/listen" and self.modern:
            return self._streamed(messages.notification("notifications/subscriptions/acknowledged", {}))
        fault = self.fails.get(said["method"])
        if isinstance(fault, Exception):
            return fault
        if isinstance(fault, int):
            return Answered(fault, Framing.BODY, ""), [b"<html>"]
        result = self._result(said)
        body = (
            messages.error(said["id"], result, "no") if isinstance(result, int) else messages.result(said["id"], result)
        )
        aside = self.aside(said)
        if aside:
            return Answered(200, Framing.EVENTS, ""), [*map(event, aside), event(body), None]
        given = self.session if said["method"] == "initialize" else ""
        return Answered(200, Framing.BODY, given), [body]

    def _streamed(self, *first: bytes) -> tuple[Answered, list[bytes | None]]:
        if self.stream is None:
            return Answered(405, Framing.BODY, ""), [b""]
        return Answered(200, Framing.EVENTS, ""), [*map(event, (*first, *self.stream)), None]

    def _result(self, said: Mapping[str, Any]) -> Any:
        about = {"capabilities": self.capabilities, "instructions": self.instructions}
        match said["method"]:
            case "server/discover":
                return {**about, "supportedVersions": [MODERN]} if self.modern else messages.METHOD_NOT_FOUND
            case "initialize" if not self.modern:
                return {**about, "protocolVersion": LEGACY[0], "serverInfo": {"name": "f", "version": "1"}}
            case "tools/list":
                return {"tools": self.tools}
            case "tools/call":
                name = said["params"]["name"]
                if self.says:  # what it answers one after the other
                    return self.says.pop(0)
                return self.results.get(name, {"content": [{"type": "text", "text": f"{name} done"}]})
            case method:
                return self.results.get(method, messages.METHOD_NOT_FOUND)


@dataclass
class Gate:
    """A gateway's memory of one server: what is played against it goes on where the last exchange ended."""

    fake: Fake = field(default_factory=Fake)
    settings: McpServer = field(default_factory=lambda: McpServer(url="http://server/mcp"))
    rules: Rules = field(default_factory=make_rules)
    memories: Memories = field(default_factory=lambda: Memories(0))
    kept: dict[str, Pin] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    session: str = ""
    union: Union | None = None
    fakes: dict[str, Fake] = field(default_factory=dict)
    user: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda _: None
    desk: dict[str, Approval] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = count()
        self.server = Server("s", self.settings, Catalogue("s", self.settings.pin), lambda: f"client-{next(ids)}")

    def play(
        self, method: str, params: Mapping[str, object] | None = None, *, task: Task | None = None, modern: bool = True,
        headers: Mapping[bytes, bytes] | None = None, body: bytes | None = None, http: str = "POST",
        principal: Principal = OURS, gone_at: str = "", can: Mapping[str, object] | None = None, id_: int = 1,
    ) -> "Played":  # fmt: skip
        """One request of a client in either era, and what it gets."""
        given: dict[bytes, bytes] = {b"accept": b"application/json, text/event-stream"}
        sent = dict(params or {})
        if modern:
            sent["_meta"] = {VERSION_META: MODERN, CAPABILITIES_META: can or {}} | dict(sent.get("_meta", {}))  # type: ignore[call-overload]
            given |= {b"mcp-protocol-version": MODERN.encode(), b"mcp-method": method.encode()}
            name = sent.get("name", sent.get("uri"))
            given |= {b"mcp-name": str(name).encode()} if name else {}
        elif self.session:
            given[b"mcp-session-id"] = self.session.encode()
        data = messages.request(id_, method, sent) if body is None else body
        call = Call(principal, f"r{len(self.records)}", "mcp", "/mcp/s", "s", 0)
        inbound = Inbound(http, {**given, **(headers or {})}, data)
        played = Played()
        if self.union:
            steps = union_exchange(inbound, self.union, call, self.rules, task, self.memories)
        else:
            steps = mcp_exchange(inbound, self.server, call, self.rules, task, self.memories)
        self._perform(steps, played, gone_at)
        self.session = played.session or self.session
        return played

    def _perform(self, steps: Any, played: "Played", gone_at: str) -> None:  # noqa: C901 - one case for each command
        pieces: list[bytes | None] = []
        told: object = None
        try:
            while True:
                command = steps.throw(told) if isinstance(told, Exception) else steps.send(told)
                told = None
                name = type(command).__name__.lower()
                self.order.append(name)
                if name == gone_at:
                    gone_at, told = "", ClientGoneError()
                    continue
                match command:
                    case Note(record=record, durable=durable):
                        self.records.append(record)
                        self.order[-1] = f"note {record.kind.value}{' durable' * durable}"
                    case Send():
                        answer = self.fake.answer(command)
                        if isinstance(answer, Exception):
                            told = answer
                        else:
                            told, pieces = answer
                    case Read():
                        told = pieces.pop(0)
                    case Tell(body=body):
                        self.told.append(json.loads(body))
                    case Keep(pins=pins):
                        self.kept |= {pin.tool: pin for pin in pins}
                    case Begin():
                        played.streamed = True
                    case Emit(data=data):
                        played.events.append(json.loads(data.partition(b"data: ")[2]))
                        played.answer = played.events[-1]
                        if "method" in played.answer and "id" in played.answer:
                            self._answered(played.answer)
                    case Turn(server=server):
                        self.fake = self.fakes[server]
                    case Ring(bell=bell):
                        bell.rung = True
                    case Petition(approval=approval):
                        self.desk[approval.id] = approval
                        self.rules.approvals.saved([approval], [approval.id])
                    case Claim(id=approved):
                        told = self.desk[approved].standing(self.rules.now_us()).value == "granted"
                        self.desk[approved] = replace(self.desk[approved], used_us=1)
                    case Decide(decision=decision):
                        told = self.desk[decision.id].granted is None and bool(decision.granted)
                        self.desk[decision.id] = replace(decision, used_us=int(told))
                    case Await() | Heed():
                        pass
                    case Respond(status=status, body=body, session=session):
                        played.status, played.session = status, session
                        played.answer = json.loads(body) if body else {}
        except StopIteration:
            pass
        except ClientGoneError:
            played.gone = True

    def _answered(self, asked: dict[str, Any]) -> None:
        """The client answers what it was asked, in an exchange of its own."""
        if (result := self.user(asked)) is not None:
            body = messages.result(asked["id"], result)
            assert self.play("", body=body, modern=False, headers={}).status == 202

    def steps(self, kind: str) -> list[Step]:
        return [step for record in self.records for step in record.steps if step.kind == kind]

    def blocked(self) -> list[str]:
        return [f"{s.kind} {s.tool}" for r in self.records for s in r.steps if s.verdict is Verdict.BLOCKED]

    def asked(self) -> list[str]:
        return [said["method"] for said in self.fake.asked]


@dataclass
class Played:
    status: int = 0
    answer: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    session: str = ""
    streamed: bool = False
    gone: bool = False

    @property
    def text(self) -> str:
        """The text of a tool's result."""
        return str(self.answer["result"]["content"][0]["text"])

    @property
    def names(self) -> list[str]:
        return [one["name"] for one in self.answer["result"]["tools"]]

    @property
    def code(self) -> int:
        return int(self.answer["error"]["code"])


def a_task(request: str = "Send Bob (bob@corp.example) the minutes.", **more: Any) -> Task:
    return Task(**{"id": "t1", "workload": "w", "request": request, "issued_us": 1, "expires_us": HOUR, **more})


DOWN = UpstreamError("cannot be reached", where="s")
