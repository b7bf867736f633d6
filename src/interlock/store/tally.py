"""What a batch of records adds to the sums of the index: per session, per workload, per hour."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from interlock.model.record import Record, RecordKind, Verdict
from interlock.store import Stored

# Names come from callers; an index column need not hold more of one, and PostgreSQL holds no NUL.
_NAME_CHARS = 256
HOUR_US = 3_600_000_000


@dataclass(slots=True)
class Sum:
    """Counts over some records. Times in microseconds; `model`, `protocol` and `upstream` are the newest ones named."""

    first_us: int
    last_us: int
    model: str = ""
    protocol: str = ""
    upstream: str = ""
    requests: int = 0
    calls: int = 0
    blocked: int = 0
    signals: int = 0
    used: set[tuple[str, str]] = field(default_factory=set)

    def add(self, record: Record) -> None:
        """Count a record."""
        self.first_us = min(self.first_us, record.at_us)
        self.last_us = max(self.last_us, record.at_us)
        self.model = name(record.model) or self.model
        self.protocol = name(record.protocol) or self.protocol
        self.upstream = name(record.upstream) or self.upstream
        self.requests += asks(record)
        self.blocked += count_blocked(record)
        self.signals += sum(len(step.signals) for step in record.steps)
        if record.model:
            self.used.add(("model", name(record.model)))
        for step in record.steps:
            if step.kind == "call":
                self.calls += 1
                if step.tool:
                    self.used.add(("tool", name(step.tool)))

    def extend(self, later: "Sum") -> None:
        """Add the counts over later records."""
        self.first_us = min(self.first_us, later.first_us)
        self.last_us = max(self.last_us, later.last_us)
        self.model = later.model or self.model
        self.protocol = later.protocol or self.protocol
        self.upstream = later.upstream or self.upstream
        self.requests += later.requests
        self.calls += later.calls
        self.blocked += later.blocked
        self.signals += later.signals


@dataclass(slots=True)
class Use:
    """How much was asked for and used in an hour."""

    requests: int = 0
    blocked: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def add(self, record: Record) -> None:
        """Count a record."""
        self.requests += asks(record)
        self.blocked += count_blocked(record)
        self.tokens_in += record.tokens_in
        self.tokens_out += record.tokens_out

    def extend(self, later: "Use") -> None:
        """Add the counts over other records."""
        self.requests += later.requests
        self.blocked += later.blocked
        self.tokens_in += later.tokens_in
        self.tokens_out += later.tokens_out


@dataclass(frozen=True, slots=True)
class Tally:
    """The sums of a batch: by (session, workload), by workload, and by (hour, workload, model).

    The workload "" is callers who proved nothing.
    """

    sessions: dict[tuple[str, str], Sum]
    workloads: dict[str, Sum]
    hours: dict[tuple[int, str, str], Use]


def tally(batch: Iterable[Stored]) -> Tally:
    """The sums of these records."""
    sums = Tally({}, {}, {})
    for stored in batch:
        record = stored.record
        workload, session = name(record.workload), name(record.session)
        if session:
            sums.sessions.setdefault((session, workload), Sum(record.at_us, record.at_us)).add(record)
        if workload or record.kind is RecordKind.REFUSAL:
            sums.workloads.setdefault(workload, Sum(record.at_us, record.at_us)).add(record)
            sums.hours.setdefault((record.at_us // HOUR_US, workload, name(record.model)), Use()).add(record)
    return sums


def asks(record: Record) -> bool:
    """Whether a record is about something that was asked for, and not about its answer."""
    return record.kind in {RecordKind.REQUEST, RecordKind.REFUSAL}


def count_blocked(record: Record) -> int:
    """How much of a record was not permitted: its steps, or at least the whole of it."""
    steps = sum(step.verdict is Verdict.BLOCKED for step in record.steps)
    return max(steps, record.verdict is Verdict.BLOCKED)


def name(text: str) -> str:
    """A name as an index column holds it."""
    return text.replace("\0", "\ufffd")[:_NAME_CHARS]
