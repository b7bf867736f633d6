"""What becomes of an answer: which pieces of text are replaced, which tool calls are taken out, and why."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from interlock.guard.approvals import Asker, Asking, Asks, settled
from interlock.guard.asked import ByModel
from interlock.guard.edits import marker, replaced
from interlock.guard.inspect import Inspected, logged, noted, place_name
from interlock.guard.own_prompt import CANARY, PROMPT_LEAK
from interlock.guard.pseudonyms import Pseudonyms
from interlock.guard.rules import Call, Rules
from interlock.model.approval import Approval, Reach
from interlock.model.decision import Allow, Ask, Decision, Deny
from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Media, Opaque, Signal, Span, ToolCall
from interlock.model.record import Origin, Step, Verdict
from interlock.policy import CallTool, Mode, PassMedia, PassOpaque, ReleaseText
from interlock.protocols import decode, texts
from interlock.provenance import Judged, judge
from interlock.provenance.labels import HARMLESS, property_names

# The APIs allow 128 tools in a request; nobody calls more of them at once, and each call is searched for.
MOST_CALLS = 256
# The protocol of calls that reach a server, and are in no answer.
MCP = "mcp"
# What is looked for in answers to one request.
OWN = frozenset({PROMPT_LEAK, CANARY})
HOLDS = "It holds what may not go out"
# Where answers have their texts and calls. Some readers, such as Go's, take a name in any case for the field.
FIELDS = frozenset(
    "tool_calls function_call function name arguments choices message delta content output item response call_id type "
    "content_block tool_use input partial_json candidates parts functionCall args toolUse toolUseId text".split()
)
_FIELDS = frozenset(name.lower() for name in FIELDS)
OTHER_LETTERS = "The name of a field is written in other letters, and some readers would take it for the field."
# Longer ones are cut by browsers and servers.
LONGEST_ADDRESS = 2_048
OBSERVED = "A piece would have been replaced, and was let through: this workload's answers are only observed."
MAY_NOT_LEAVE = "An argument holds what may not go out"


@dataclass(frozen=True, slots=True)
class CallVerdict:
    """What was decided of one tool call.

    `risky`: it is allowed and can cause something. `told` is how the workload is told of it. `arguments` are those
    that were judged; `restored`, whether something was put back in them. `asking`: a person may permit it; `by`: one
    has.
    """

    step: Step
    allowed: bool
    risky: bool
    told: str
    arguments: str
    restored: bool
    asking: Asking | None = None
    by: Approval | None = None

    def approved(self, by: Approval) -> "CallVerdict":
        """The same, permitted by this approval."""
        reach = "for the task" if by.reach is Reach.TASK else "once"
        step = self.step._replace(verdict=Verdict.ALLOWED, reason=f"Approved {reach}, by {by.decided_by}: {by.id}.")
        risky = step.sink not in HARMLESS
        return replace(self, step=step, allowed=True, risky=risky, asking=None, by=by)

    def turned_down(self, by: Approval) -> "CallVerdict":
        """The same, refused by whoever was asked, or by somebody who was quicker."""
        step = self.step._replace(reason=f"{self.step.reason} Turned down: {by.id}.")
        return replace(self, step=step)

    def waiting(self, on: Approval | None) -> "CallVerdict":
        """The same, refused; a person may still permit it, if somebody was asked."""
        if on is None:
            return self
        step = self.step._replace(reason=f"{self.step.reason} Waits for approval: {on.id}.")
        return replace(self, step=step)


class AnswerJudge:
    """Decides on the pieces of one answer, by the rules, for one inspected request.

    `stripped` names what is to be taken out of the answer, whatever stands there; `pseudonyms` what is put back.
    `asker` is who an approval is for, if not the conversation that the request goes on with.
    """

    def __init__(
        self,
        call: Call,
        request: Inspected,
        rules: Rules,
        stripped: frozenset[str] = frozenset(),
        pseudonyms: Pseudonyms | None = None,
        asker: Asker | None = None,
    ) -> None:
        principal = call.principal
        self._asker = asker or Asker(
            principal.workload, principal.credential, request.session, beginning=request.beginning
        )
        self._pseudonyms = pseudonyms
        self._own = request.own_prompt
        self.stripped = stripped
        self.mode = rules.policies.mode(call.principal.workload)
        self._workload = call.principal.workload
        self._request = request
        self._rules = rules
        self._at_server = call.protocol == MCP
        if not self._at_server:
            rules.asked.hear(self._workload, rules.now_us())

    @property
    def restores(self) -> bool:
        """Whether there may be placeholders in the answer that are to be put back."""
        return self._pseudonyms is not None

    @cached_property
    def enforced(self) -> frozenset[str]:
        """The detectors whose signals are taken out of this workload's answers. The others only speak to the log."""
        return frozenset() if self.mode is Mode.OBSERVE else frozenset(filter(self._withholds, self._readers))

    def scan(self, text: str, only: frozenset[str] | None = None, *, echo: bool = False) -> tuple[Signal, ...]:
        """What the detectors, or `only` some of them, find in a text that is to go out.

        `echo`: it repeats what the client has sent, its own system prompt for one.
        """
        found = self._rules.engine.scan(text, Channel.OUTPUT, only)
        if self._own and not echo and (only is None or only & OWN):
            found += tuple(signal for signal in self._own.scan(text) if only is None or signal.detector in only)
        return found

    @property
    def _readers(self) -> frozenset[str]:
        readers = self._rules.engine.readers(Channel.OUTPUT)
        return readers | OWN if self._own else readers

    def scan_recorded(self, text: str, *, echo: bool = False) -> tuple[Signal, ...]:
        """What the detectors find in a whole text whose signals only speak to the log."""
        return self.scan(text, self._readers - self.enforced, echo=echo)

    def pending(self, text: str) -> int:
        """The smallest index from which on `text`, which may go on, is not decided: something may be replaced there."""
        until = len(text)
        if self._pseudonyms:
            until = self._pseudonyms.pending(text)
        if self._own and self.enforced & OWN:
            until = min(until, self._own.pending(text))
        return self._rules.engine.pending(text[:until], Channel.OUTPUT, self.enforced)

    def edits(self, text: str, found: tuple[Signal, ...], *, quoted: bool) -> list[tuple[Span, str]]:
        """All that is to be replaced in a text in which `found` was found, in order. `quoted`: the text is JSON.

        What is taken out takes the placeholders in it along. One stays what it is if, with its value put back, the
        words around it would have to be taken out.
        """
        if not found and not self._pseudonyms:
            return []
        taken = [(signal.span, marker(signal)) for signal in self.withheld(found)]
        put_back = self._pseudonyms.scan(text, quoted=quoted) if self._pseudonyms else ()
        put_back = tuple(one for one in put_back if not any(_overlap(one[0], span) for span, _ in taken))
        return sorted([*taken, *self._harmless(text, put_back)])

    def _harmless(self, text: str, put_back: tuple[tuple[Span, str], ...]) -> list[tuple[Span, str]]:
        """What may be put back: a value is the workload's own; in an address, say, it would be carried out."""
        if not put_back or not self.enforced:
            return list(put_back)
        places, shift = [], 0
        for span, value in put_back:
            places.append(Span(span.start + shift, span.start + shift + len(value)))
            shift += len(value) - (span.end - span.start)
        restored = replaced(text, 0, list(put_back))
        flagged = [signal.span for signal in self.scan(restored, self.enforced)]
        own = [at for at in flagged if any(place.start <= at.start and at.end <= place.end for place in places)]
        around = [at for at in flagged if at not in own or _is_in_address(restored, at.start)]
        return [
            one for one, place in zip(put_back, places, strict=True) if not any(_overlap(place, at) for at in around)
        ]

    def call(self, event: ToolCall) -> CallVerdict:
        """Whether this tool call may reach the workload; with its arguments as the workload will see them."""
        said = event.arguments
        if self._pseudonyms:
            event = event._replace(arguments=self._pseudonyms.restore_json(said))
        labels = self._request.labels(event.name, self._rules)
        arguments = _object(event.arguments)
        definition = self._request.offered.get(event.name)
        fields = property_names(definition.schema) if definition else frozenset()
        judged = judge(arguments, labels, self._request.conversation, fields)
        found = self._scan_arguments(event, arguments)
        counted = self._workload, self._request.session, labels, judged.sink, arguments
        by_model, asked_in = self._asked(event.name, arguments)
        question = CallTool(
            self._workload,
            event.name,
            judged.sink,
            judged.origins,
            self._request.conversation.tainted,
            event.name in self._request.offered,
            judged.understood,
            judged.asked,
            private=self._request.confidential.private,
            carries_secret=judged.sink not in HARMLESS and self._carries_secret(arguments),
            over_cap=self._rules.caps.exceeds(*counted),
            asked_by_model=by_model,
        )
        decision: Decision = self._rules.policies.decide(question, arguments)
        endorsed = ""
        if isinstance(decision, Ask):
            question, decision, endorsed = self._endorsed(question, decision, judged, arguments)
        if isinstance(decision, Allow | Ask) and any(self._withholds(signal.detector) for signal in found):
            named = sorted({signal.detector for signal in found if self._withholds(signal.detector)})
            decision = Deny(f"{MAY_NOT_LEAVE}: {', '.join(named)}.")
        allowed = isinstance(decision, Allow)
        if allowed:
            self._rules.caps.count(*counted)
            self._noted(event.name, arguments)
        step = Step(
            kind="call",
            size=len(event.arguments),
            digest=self._rules.digest(event.arguments),
            tool=logged(event.name),
            call_id=logged(event.call_id),
            sink=judged.sink,
            verdict=Verdict.ALLOWED if allowed else Verdict.BLOCKED,
            reason=(endorsed or observed(decision)) if isinstance(decision, Allow) else decision.reason,
            policies=decision.policies,
            arguments=tuple(argument._replace(name=logged(argument.name)) for argument in judged.arguments),
            signals=noted(found),
            facts=question.facts,
            asked_in=asked_in,
        )
        # Who named a tool that nobody offered may have put anything into its name.
        told = event.name if event.name in self._request.offered else "a tool that was not offered"
        risky, restored = allowed and judged.sink not in HARMLESS, event.arguments != said
        asking = None
        if isinstance(decision, Ask):
            pairs = tuple(zip(judged.arguments, judged.values, strict=True))
            asking = Asking(
                self._asker, event.name, judged.sink, event.arguments, arguments, pairs, decision,
                self._request.conversation, counted,
            )  # fmt: skip
        return CallVerdict(step, allowed, risky, told, event.arguments, restored, asking)

    def settle(self, verdict: CallVerdict) -> Asks[CallVerdict]:
        """The verdict once it is known whether a person has approved the call; if nobody has, people are asked."""
        if verdict.asking is None:
            return verdict
        rules = self._rules
        approval, granted = yield from settled(rules.approvals, verdict.asking, rules.digest, rules.now_us())
        return self.lift(verdict, approval) if approval and granted else verdict.waiting(approval)

    def lift(self, verdict: CallVerdict, by: Approval) -> CallVerdict:
        """A refused call, permitted by this approval; caps count it like any other."""
        assert verdict.asking
        self._rules.caps.count(*verdict.asking.counted)
        self._noted(verdict.asking.tool, verdict.asking.arguments)
        return verdict.approved(by)

    def _asked(self, tool: str, arguments: object) -> tuple[ByModel, str]:
        """Whether a model asked for a call, and in which session; said of calls at a server alone."""
        if not self._at_server:
            return "unknown", ""
        return self._rules.asked.match(self._workload, tool, arguments, self._rules.now_us())

    def _noted(self, tool: str, arguments: object) -> None:
        """The workload is about to get a call that its model asked for."""
        if not self._at_server:
            self._rules.asked.note(self._workload, tool, arguments, self._request.session, self._rules.now_us())

    def _endorsed(
        self, question: CallTool, asked: Ask, judged: Judged, arguments: object
    ) -> tuple[CallTool, Decision, str]:
        """What policy says if the values that somebody has approved for this task count as the user's own."""
        rules = self._rules
        known = rules.approvals.endorsed(self._asker, question.tool, rules.now_us())
        by = {
            known.get((argument.name, rules.digest(value)))
            for argument, value in zip(judged.arguments, judged.values, strict=True)
        }
        if not known or by <= {None}:
            return question, asked, ""
        origins = frozenset(
            Origin.USER if (argument.name, rules.digest(value)) in known else argument.origins[0]
            for argument, value in zip(judged.arguments, judged.values, strict=True)
        )
        again = replace(question, origins=origins)
        decision = rules.policies.decide(again, arguments)
        if not isinstance(decision, Allow):
            return question, asked, ""
        return again, decision, f"Endorsed for the task: {', '.join(sorted(filter(None, by)))}."

    def _carries_secret(self, arguments: object) -> bool:
        """Whether a value out of a confidential result is in the arguments that neither user nor system has said."""
        carried = self._request.confidential.carried(arguments)
        if carried is None:
            return True
        find, own = self._request.conversation.find, {Origin.USER, Origin.SYSTEM}
        return any(own.isdisjoint(find(value).origins) for value in carried)

    def withheld(self, found: tuple[Signal, ...]) -> tuple[Signal, ...]:
        """The signals whose pieces of text may not go out as they are; none where answers are only observed."""
        return () if self.mode is Mode.OBSERVE else tuple(s for s in found if self._withholds(s.detector))

    def refusal(self, event: Opaque | Media) -> str:
        """Why something that is not understood, or not looked into, may not pass; empty if it may."""
        if isinstance(event, Media):
            question: PassMedia | PassOpaque = PassMedia(self._workload, event.kind, event.channel.value, event.source)
            text = event.data if event.source == "url" else ""
        else:
            question, text = PassOpaque(self._workload, place_name(event.path), "answer"), event.text
        if any(isinstance(part, str) and part not in FIELDS and part.lower() in _FIELDS for part in event.path):
            return OTHER_LETTERS
        decision = self._rules.policies.decide(question)
        if isinstance(decision, Deny):
            return decision.reason
        withheld = self.withheld(self.scan(text))
        return f"{HOLDS}: {withheld[0].detector}." if withheld else ""

    def text_step(self, size: int, digest: str, found: tuple[Signal, ...]) -> Step:
        """The log's entry for a text that goes out."""
        blocked = bool(found and self.withheld(found))
        reason = "A piece was replaced." if blocked else ""
        if self.mode is Mode.OBSERVE and any(self._withholds(signal.detector) for signal in found):
            reason = OBSERVED
        elif not blocked:
            asked = (self._rules.policies.decide(ReleaseText(self._workload, signal.detector)) for signal in found)
            reason = watched(asked)
        return Step(
            kind=Channel.OUTPUT.value,
            size=size,
            digest=digest,
            verdict=Verdict.BLOCKED if blocked else Verdict.ALLOWED,
            reason=reason,
            signals=noted(found),
        )

    def _withholds(self, detector: str) -> bool:
        decision = self._rules.policies.decide(ReleaseText(self._workload, detector))
        return not isinstance(decision, Allow)

    def _scan_arguments(self, event: ToolCall, arguments: object) -> tuple[Signal, ...]:
        said = [event.arguments] if arguments is None else [text for _, text in texts(arguments, ())]
        return tuple(signal for text in said for signal in self.scan(text))


def observed(decision: Allow) -> str:
    """What the log says of something that policies under observation would have refused; empty if none would."""
    return f"Only observed, would be refused by: {', '.join(decision.observed)}." if decision.observed else ""


def watched(decisions: Iterable[Decision]) -> str:
    """The same of several decisions together."""
    names = dict.fromkeys(name for one in decisions if isinstance(one, Allow) for name in one.observed)
    return observed(Allow((), tuple(names)))


def _is_in_address(text: str, at: int) -> bool:
    """Whether what stands at `at` belongs to an address: it is sent to whoever is asked for that."""
    return "//" in (text[max(0, at - LONGEST_ADDRESS) : at].split() or [""])[-1] and not text[at - 1].isspace()


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def notice(refused: list[str]) -> str:
    """What the workload is told in place of calls that were taken out: that, and no more."""
    names = ", ".join(dict.fromkeys(refused))
    return f"(interlock) Not permitted: {names}."


def _object(arguments: str) -> object:
    """The arguments as a JSON object, or None if they are none, or could be read in two ways."""
    try:
        return decode(arguments.encode("utf-8", "surrogatepass") if arguments.strip() else b"{}")
    except ProtocolError:
        return None
