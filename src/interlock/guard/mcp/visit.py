"""One exchange under way: who asks, of which server, with what memory, and the steps that its records will hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from interlock.guard.answer import watched
from interlock.guard.inspect import logged, noted
from interlock.guard.mcp.state import Memory, Parked, Server, Session
from interlock.guard.records import Log
from interlock.guard.rules import Call, Rules
from interlock.mcp.eras import Era
from interlock.mcp.messages import Id
from interlock.model.approval import Approval
from interlock.model.decision import Allow, Decision, Deny, Task
from interlock.model.event import Channel, Media, Signal, Text, ToolCall
from interlock.model.record import Origin, Step, Verdict
from interlock.policy import CallTool, PassMedia, ReadText, ReleaseText
from interlock.provenance import ToolLabels

OUT_OF_TASK = "The task does not reach so far."


@dataclass(slots=True)
class Visit:
    """The facts of one exchange, and what it has come to so far.

    `token` is the client's mark for progress, `level` from which on it wants what the server logs, `capabilities`
    what it says that it can do. `session` is there for a client of the older era, `waiting` what it was asked;
    `by_stream` says that the server answers by a stream, `parks` which call may wait for the client to ask again,
    `approved` what people have permitted in it.
    """

    server: Server
    call: Call
    rules: Rules
    task: Task | None
    memory: Memory
    log: Log
    era: Era = Era.LEGACY
    token: Id | None = None
    streaming: bool = False
    may_stream: bool = False
    by_stream: bool = False
    session: Session | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    level: str = ""
    id: Id = 0
    parks: bytes = b""
    parked: Parked | None = None
    waiting: list[str] = field(default_factory=list)
    approved: dict[str, Approval] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    @property
    def workload(self) -> str:
        """Who asks."""
        return self.call.principal.workload

    @property
    def now_us(self) -> int:
        """The clock."""
        return self.rules.now_us()

    def allows(self, tool: str, sink: str) -> Decision:
        """Whether this workload, and this task, may use a tool at all: at best, whatever it is given."""
        if self.task and self.task.tools is not None and tool not in self.task.tools:
            return Deny(OUT_OF_TASK)
        facts = CallTool(
            self.workload, tool, sink, frozenset(), tainted=False, offered=True, understood=True, asked=True
        )
        return self.rules.policies.at_best(facts)

    def holds_secret(self, texts: list[str]) -> bool:
        """Whether a text that is to go to the server holds what may not go out."""
        found = (signal for text in texts for signal in self.rules.engine.scan(text, Channel.OUTPUT))
        decide = self.rules.policies.decide
        return any(not isinstance(decide(ReleaseText(self.workload, one.detector)), Allow) for one in found)

    def receive(self, event: Text | Media, output: Origin, labels: ToolLabels | None = None) -> Deny | None:
        """Take in what a server has said: scan it, note it, remember it. Why, if it may not go on."""
        found: tuple[Signal, ...] = ()
        facts: tuple[str, ...] = ()
        if isinstance(event, Text):
            found = self.rules.engine.scan(event.text, event.channel)
            asked = [
                self.rules.policies.decide(ReadText(self.workload, one.detector, event.channel.value)) for one in found
            ]
        else:
            facts = f"channel:{event.channel.value}", f"source:{event.source}"
            asked = [
                self.rules.policies.decide(PassMedia(self.workload, event.kind, event.channel.value, event.source))
            ]
        denied = next((one for one in asked if isinstance(one, Deny)), None)
        text = event.text if isinstance(event, Text) else event.data
        step = Step(
            kind=event.channel.value if isinstance(event, Text) else event.kind,
            size=len(text),
            digest=self.rules.digest(text),
            tool=logged(event.tool),
            call_id=logged(event.call_id),
            origin=output if isinstance(event, Text) else Origin.UNTRUSTED,
            reason=watched(asked),
            signals=noted(found),
            facts=facts,
        )
        if isinstance(denied, Deny):
            step = step._replace(verdict=Verdict.BLOCKED, reason=denied.reason, policies=denied.policies)
        else:
            self.memory.now_us = self.now_us
            self.memory.add(event, output, labels)
        self.steps.append(step)
        return denied

    def asked(self, event: ToolCall) -> None:
        """Remember what a tool was asked: an internal one that only gives it back has not said it."""
        self.memory.now_us = self.now_us
        self.memory.add(event, Origin.UNTRUSTED)

    def block(self, kind: str, name: str, reason: str) -> None:
        """Note something that a server wanted and did not get."""
        self.steps.append(Step(kind=kind, tool=logged(name), verdict=Verdict.BLOCKED, reason=reason))
