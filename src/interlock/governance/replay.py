"""What other policies would have decided on the traffic that was recorded: only where it differs is told.

Decided again is what a record holds the facts of: requests to models, tool calls, texts that go out, and files that
nobody looks into. What it does not hold is counted as not decidable: what older versions recorded, the values of
arguments (for policies that read them), and parts of messages that were not understood. Facts are taken as recorded:
what follows from other caps, labels or detectors is not seen.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from interlock.model.decision import Allow, Ask, Decision
from interlock.model.record import Record, RecordKind, Step, Verdict
from interlock.policy import CallModel, Obtain, PassMedia, Policies, Question, ReadText, ReleaseText, call_of
from interlock.policy.policies import NOT_PERMITTED

# Of each change, so many records are named; and so many changes are told apart.
EXAMPLES, MOST_CHANGES = 3, 5_000
OLDER = "recorded without the facts, by an older version"
VALUES = "a policy reads arguments, whose values are not recorded"
NO_POLICY = "refused by something else than a policy"
# How the record of a call begins that a person has approved.
_APPROVED = ("Approved ", "Endorsed ")
_MEDIA = frozenset({"image", "audio", "video", "file"})
_TEXTS = frozenset({"user", "system", "tool_result", "tool_description", "retrieved", "assistant", "parameter"})


class Change(NamedTuple):
    """One decision that would be another. `was` is allowed or refused; `now` allow, ask, deny or note.

    `note`: it stays allowed, and more policies than before would have refused it, had they not only been observed.
    """

    workload: str
    what: str
    subject: str
    was: str
    now: str
    by: tuple[str, ...]


@dataclass(slots=True)
class Replay:
    """What came of it. `changes` count how often, `examples` name the first records of each; `undecided` says why."""

    records: int = 0
    decided: int = 0
    changes: Counter[Change] = field(default_factory=Counter)
    examples: dict[Change, list[str]] = field(default_factory=dict)
    undecided: Counter[str] = field(default_factory=Counter)
    not_told_apart: int = 0

    @property
    def changed(self) -> int:
        """How many decisions would be others."""
        return self.not_told_apart + sum(n for change, n in self.changes.items() if change.now != "note")

    def add(self, change: Change, record: str) -> None:
        """Count a change that was seen in a record."""
        if change not in self.changes and len(self.changes) >= MOST_CHANGES:
            self.not_told_apart += 1
            return
        self.changes[change] += 1
        named = self.examples.setdefault(change, [])
        if len(named) < EXAMPLES:
            named.append(record)


class _Asked(NamedTuple):
    """Questions that were decided together, and what was recorded of that; `why` says what nobody can tell."""

    what: str
    subject: str
    questions: tuple[Question, ...]
    allowed: bool
    reason: str
    policies: tuple[str, ...]
    why: str = ""


def replay(records: Iterable[tuple[str, Record]], policies: Policies) -> Replay:
    """Put what was recorded to `policies`; each record comes with its name."""
    found = Replay()
    for name, record in records:
        found.records += 1
        for asked in _asked(record):
            why = asked.why or _by_no_policy(asked)
            decision = None if why else _decision(asked, policies)
            if decision is None:
                found.undecided[why or VALUES] += 1
                continue
            found.decided += 1
            if change := _change(record.workload, asked, decision):
                found.add(change, name)
    return found


def _asked(record: Record) -> Iterator[_Asked]:
    workload = record.workload
    if record.kind is RecordKind.REQUEST and record.protocol != "mcp" and record.model:
        reads = [
            ReadText(workload, noted.detector, step.kind)
            for step in record.steps
            for noted in step.signals
            if step.kind in _TEXTS
        ]
        allowed = record.verdict is not Verdict.BLOCKED
        questions: tuple[Question, ...] = (CallModel(workload, record.model), *dict.fromkeys(reads))
        yield _Asked("request", record.model, questions, allowed, record.reason, record.policies)
    for step in record.steps:
        if (asked := _of_step(workload, step)) is not None:
            yield asked


def _of_step(workload: str, step: Step) -> _Asked | None:
    allowed = step.verdict is not Verdict.BLOCKED
    told = allowed, step.reason, step.policies
    if step.kind == "call":
        question = call_of(workload, step.tool, step.sink, step.facts)
        return _Asked("call", step.tool, (question,) if question else (), *told, "" if question else OLDER)
    if step.kind == "output" and step.signals:
        names = dict.fromkeys(noted.detector for noted in step.signals)
        questions = tuple(ReleaseText(workload, name) for name in names)
        return _Asked("answer", ", ".join(names), questions, allowed, NOT_PERMITTED, step.policies)
    if step.kind == "extra":
        return _Asked("extra", step.tool, (Obtain(workload, step.tool),), *told)
    if step.kind in _MEDIA:
        said = dict(fact.split(":", 1) for fact in step.facts)
        if {"channel", "source"} - said.keys():
            return _Asked("file", step.kind, (), *told, OLDER)
        return _Asked("file", step.kind, (PassMedia(workload, step.kind, said["channel"], said["source"]),), *told)
    return None


def _by_no_policy(asked: _Asked) -> str:
    """Whether no policy has a say in it: a detector, a scope of the task, or the tool's standing refused it."""
    return NO_POLICY if not asked.allowed and not asked.policies and asked.reason != NOT_PERMITTED else ""


def _decision(asked: _Asked, policies: Policies) -> Decision | None:
    """What all questions together come to; None if that depends on what is not recorded."""
    allowed: list[Allow] = []
    for question in asked.questions:
        reads = asked.what == "call" and asked.subject in policies.reads_of
        decision = policies.decide(question) if not reads else None
        if decision is None:
            return None
        if not isinstance(decision, Allow):
            return decision
        allowed.append(decision)
    by = tuple(dict.fromkeys(name for one in allowed for name in one.policies))
    return Allow(by, tuple(dict.fromkeys(name for one in allowed for name in one.observed)))


def _change(workload: str, asked: _Asked, decision: Decision) -> Change | None:
    was = "allowed" if asked.allowed else "refused"
    if isinstance(decision, Allow):
        if not asked.allowed:
            return Change(workload, asked.what, asked.subject, was, "allow", decision.policies)
        new = tuple(name for name in decision.observed if name not in asked.reason)
        return Change(workload, asked.what, asked.subject, was, "note", new) if new else None
    now = "ask" if isinstance(decision, Ask) else "deny"
    if now == "ask" and asked.reason.startswith(_APPROVED):
        return None
    return Change(workload, asked.what, asked.subject, was, now, decision.policies) if asked.allowed else None
