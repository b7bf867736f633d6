"""A session as a page tells it: numbered steps, the one at which untrusted text came in, and why it was stopped.

Pure: records in, what is shown out. Nothing here is invented; what a record does not say is not known.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from interlock.model.record import Argument, Noted, Origin, Record, RecordKind, Step, Verdict
from interlock.store import Stored

# The fact that no model asked for a call.
UNASKED = "by-model:no"
_TRUST = tuple(Origin)
# How a reason names the request for approval that a call waits for or was permitted by.
_APPROVAL = re.compile(r"\ba-[0-9a-f]{12}\b")
# Origins that no tool has brought.
_NO_TOOLS = frozenset({Origin.USER, Origin.SYSTEM, Origin.MODEL})
MEDIA = frozenset({"image", "audio", "video", "file"})


class Outcome(Enum):
    """What became of a step; the value is the style of its mark."""

    ALLOWED = "allow"
    BLOCKED = "block"
    FAILED = "fail"
    RECORDED = "note"
    OBSERVED = "pass"
    UNKNOWN = "unk"


class Rail(Enum):
    """What the conversation holds from this step on: the line down the page."""

    CLEAN = ""
    INTERNAL = "mix"
    UNTRUSTED = "taint"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value was seen: its origin (None: not known), the tool that brought it, and in which step.

    A record names the tool and not the step: `steps` are all earlier results of that tool with that origin.
    """

    origin: Origin | None
    tool: str = ""
    steps: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """One argument of a call: its masked value, and everywhere it was seen, most trusted first."""

    name: str
    shown: str
    sources: tuple[Source, ...]

    @property
    def origin(self) -> Origin | None:
        """The most trusted place that held it; None if no place is known."""
        return self.sources[0].origin


@dataclass(frozen=True, slots=True)
class Entry:
    """One numbered step. `at_us` is when its record was written; `kind` is a step's kind, `model` or `refused`.

    `turns` marks the step with which untrusted text came in. `size` is in characters; of `hidden`, in values.
    """

    n: int
    kind: str
    at_us: int
    outcome: Outcome
    record: Stored
    rail: Rail = Rail.CLEAN
    turns: bool = False
    origin: Origin | None = None
    tool: str = ""
    sink: str = ""
    size: int = 0
    model: str = ""
    upstream: str = ""
    protocol: str = ""
    status: int = 0
    latency_us: int | None = None
    tokens: int = 0
    reason: str = ""
    policies: tuple[str, ...] = ()
    values: tuple[Value, ...] = ()
    signals: tuple[Noted, ...] = ()
    asked_in: str = ""
    unasked: bool = False

    @property
    def suspects(self) -> tuple[Value, ...]:
        """The arguments that only untrusted text held."""
        return tuple(value for value in self.values if value.origin is Origin.UNTRUSTED)

    @property
    def approval(self) -> str:
        """The id of the request for approval that a call waits for or was permitted by, or that was decided."""
        said = {"call": self.reason, "approval": self.record.record.reason}.get(self.kind, "")
        found = [match[0] for match in _APPROVAL.finditer(said)]
        return found[-1] if found else ""

    @property
    def is_media(self) -> bool:
        """Whether it is something that nobody looked into for text."""
        return self.kind in MEDIA

    @property
    def said(self) -> str:
        """What became of it, if that has a word of its own."""
        match self.kind, self.outcome:
            case "extra", Outcome.BLOCKED:
                return "Taken out"
            case "output", Outcome.BLOCKED if self.signals:
                return "Replaced in part"
            case "call", Outcome.FAILED:
                return "Not released"
            case "upstream", Outcome.FAILED:
                return "Passed over"
            case "hidden", _:
                return "Hidden"
            case _:
                return ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A whole session. `turn` is the step with which untrusted text came in, None if none did."""

    id: str
    workload: str
    entries: tuple[Entry, ...]
    records: tuple[Stored, ...]
    first_us: int
    last_us: int
    turn: Entry | None = None
    blocked: tuple[Entry, ...] = field(default=())

    @property
    def model_calls(self) -> int:
        """How many requests of the session were recorded."""
        return sum(entry.kind == "model" for entry in self.entries)

    @property
    def tool_calls(self) -> int:
        """How many tool calls the model asked for."""
        return sum(entry.kind == "call" for entry in self.entries)

    @property
    def taken(self) -> tuple[str, ...]:
        """What was asked for beside the answers, and taken out of them."""
        return tuple(dict.fromkeys(entry.tool for entry in self.blocked if entry.kind == "extra"))

    @property
    def observed(self) -> tuple[Entry, ...]:
        """Texts that went out as they are, since the workload is only observed."""
        return tuple(entry for entry in self.entries if entry.outcome is Outcome.OBSERVED)

    @property
    def hidden(self) -> tuple[Entry, ...]:
        """The requests in which values were replaced by placeholders, as their steps."""
        return tuple(entry for entry in self.entries if entry.kind == "hidden")

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Every origin that a message or a value of the session has, most trusted first."""
        seen = {entry.origin for entry in self.entries}
        seen |= {source.origin for entry in self.entries for value in entry.values for source in value.sources}
        return tuple(origin for origin in Origin if origin in seen)


def timeline(session_id: str, records: Sequence[Stored]) -> Timeline:
    """The session told from its records, which must be in the order of the log and at least one."""
    answers = {stored.record.request: stored.record for stored in records if stored.record.kind is RecordKind.ANSWER}
    entries: list[Entry] = []
    brought: dict[str, list[Entry]] = {}
    rail = Rail.CLEAN
    for bare in _entries(records, answers):
        turns = bare.origin is Origin.UNTRUSTED and rail is not Rail.UNTRUSTED
        rail = _further(rail, bare.origin)
        values = tuple(_placed(value, brought) for value in bare.values)
        entry = replace(bare, n=len(entries) + 1, rail=rail, turns=turns, values=values)
        if entry.kind == "tool_result":
            brought.setdefault(entry.tool, []).append(entry)
        entries.append(entry)
    times = [stored.record.at_us for stored in records]
    return Timeline(
        id=session_id,
        workload=next((stored.record.workload for stored in records if stored.record.workload), ""),
        entries=tuple(entries),
        records=tuple(records),
        first_us=min(times),
        last_us=max(times),
        turn=next((entry for entry in entries if entry.turns), None),
        blocked=tuple(entry for entry in entries if entry.outcome is Outcome.BLOCKED),
    )


def _entries(records: Iterable[Stored], answers: dict[str, Record]) -> Iterable[Entry]:
    """Every step in order, not yet numbered: a request's messages, the call of the model, what it answered.

    Where a step says why its record is blocked, the record adds nothing of its own.
    """
    for stored in records:
        record = stored.record
        for step in record.steps:
            yield _step(stored, step)
        match record.kind:
            case RecordKind.REQUEST if not (_is_blocked(record) and _says_why(record)):
                yield _model_call(stored, answers.get(record.request))
            case RecordKind.REFUSAL:
                yield _whole(stored, "refused")
            case RecordKind.ANSWER if record.verdict is not Verdict.ALLOWED and not _says_why(record):
                yield _whole(stored, "output")
            case _:
                pass


def _is_blocked(record: Record) -> bool:
    return record.verdict is Verdict.BLOCKED


def _says_why(record: Record) -> bool:
    """Whether a step has the reason. What is taken out of an answer is no reason to refuse the request."""
    return any(step.verdict is Verdict.BLOCKED and step.kind != "extra" for step in record.steps)


def _outcome(step: Step) -> Outcome:
    match step.verdict:
        case Verdict.BLOCKED:
            return Outcome.BLOCKED
        case Verdict.FAILED:
            return Outcome.FAILED
        case Verdict.ALLOWED:
            pass
    if step.kind == "call":
        return Outcome.ALLOWED
    # A text that went out has a reason only if it would have been replaced, were its workload or a policy not observed.
    return Outcome.OBSERVED if step.kind == "output" and step.reason else Outcome.RECORDED


def _step(stored: Stored, step: Step) -> Entry:
    return Entry(
        n=0,
        kind=step.kind,
        at_us=stored.record.at_us,
        outcome=_outcome(step),
        record=stored,
        origin=step.origin,
        tool=step.tool,
        sink=step.sink,
        size=step.size,
        reason=step.reason,
        policies=step.policies,
        values=tuple(_value(argument) for argument in step.arguments),
        signals=step.signals,
        asked_in=step.asked_in,
        unasked=UNASKED in step.facts,
    )


def _model_call(stored: Stored, answer: Record | None) -> Entry:
    """The request as a whole. Allowed and never answered is not known: under way, or cut off."""
    record = stored.record
    entry = replace(_whole(stored, "model"), outcome=Outcome.ALLOWED)
    if _is_blocked(record):
        return replace(entry, outcome=Outcome.BLOCKED)
    if answer is None:
        return replace(entry, outcome=Outcome.UNKNOWN)
    return replace(
        entry,
        status=answer.status,
        latency_us=answer.latency_us,
        tokens=answer.tokens_in + answer.tokens_out,
    )


def _whole(stored: Stored, kind: str) -> Entry:
    record = stored.record
    return Entry(
        n=0,
        kind=kind,
        at_us=record.at_us,
        outcome=Outcome.FAILED if record.verdict is Verdict.FAILED else Outcome.BLOCKED,
        record=stored,
        model=record.model,
        upstream=record.upstream,
        protocol=record.protocol,
        status=record.status,
        reason=record.reason,
        policies=record.policies,
    )


def _value(argument: Argument) -> Value:
    """Every origin with every tool that is named; `_placed` keeps the pairs that the session bears out."""
    sources = [
        Source(origin, tool)
        for origin in sorted(set(argument.origins), key=_TRUST.index)
        for tool in (() if origin in _NO_TOOLS else argument.seen_in) or ("",)
    ]
    return Value(argument.name, argument.shown, tuple(sources) or (Source(None),))


def _placed(value: Value, brought: dict[str, list[Entry]]) -> Value:
    """The value with the numbers of the earlier steps that can have brought it.

    A tool whose results all have another origin does not speak for this one; no origin is ever left out.
    """
    placed: list[Source] = []
    for origin in dict.fromkeys(source.origin for source in value.sources):
        found = []
        for source in value.sources:
            results = brought.get(source.tool, [])
            steps = tuple(entry.n for entry in results if entry.origin is origin)
            if source.origin is origin and (steps or not results):
                found.append(replace(source, steps=steps))
        placed.extend(found or [Source(origin)])
    return replace(value, sources=tuple(placed))


def _further(rail: Rail, origin: Origin | None) -> Rail:
    if origin is Origin.UNTRUSTED or rail is Rail.UNTRUSTED:
        return Rail.UNTRUSTED
    return rail if origin is None or origin in _NO_TOOLS else Rail.INTERNAL
