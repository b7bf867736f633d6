"""A store in memory with the contract of the real one, a clock that stands still, and one telling session."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from interlock.console.sources import AuditStatus, Sources
from interlock.governance.coverage import Cell, Coverage, Mark, Row
from interlock.governance.exceptions import Loosening
from interlock.mcp.labels import SetLabels
from interlock.mcp.pins import Pin
from interlock.mcp.review import review
from interlock.model.approval import Approval, Standing
from interlock.model.asset import Scan
from interlock.model.errors import StoreError
from interlock.model.record import Argument, Noted, Origin, Record, RecordKind, Step, Verdict
from interlock.store import Key, Session, Stored, Usage, Used

NOW = 1_795_521_667_000_000  # 24 Nov 2026 12:01:07 UTC
SECOND = 1_000_000


@dataclass
class MemoryStore:
    """Implements `interlock.store.Store`. While `broken`, every read is a StoreError, as of a database that is gone."""

    records: list[Stored] = field(default_factory=list)
    scan: Scan | None = None
    held: list[Key] = field(default_factory=list)
    pinned: dict[tuple[str, str], Pin] = field(default_factory=dict)
    set_: dict[tuple[str, str], SetLabels] = field(default_factory=dict)
    acts: list[Record] = field(default_factory=list)
    asked: dict[str, Approval] = field(default_factory=dict)
    broken: bool = False
    changes: int = 0

    def _ready(self) -> None:
        if self.broken:
            raise StoreError("the database does not answer", where="memory", hint="start it again")

    def save_scan(self, scan: Scan) -> None:
        self._ready()
        self.scan = scan
        self.changes += 1

    def last_scan(self) -> Scan | None:
        self._ready()
        return self.scan

    def scans(self) -> tuple[Scan, ...]:
        last = self.last_scan()
        return (last,) if last else ()

    def add_key(self, key: Key) -> None:
        self._ready()
        self.held.insert(0, key)
        self.changes += 1

    def keys(self) -> tuple[Key, ...]:
        self._ready()
        return tuple(self.held)

    def revoke_key(self, key_id: str, at_us: int) -> bool:
        self._ready()
        for place, key in enumerate(self.held):
            if key.id == key_id:
                self.held[place] = replace(key, revoked_us=key.revoked_us or at_us)
                return True
        return False

    def keep_pins(self, pins: Sequence[Pin]) -> None:
        self._ready()
        self.pinned |= {(pin.server, pin.tool): pin for pin in pins}

    def approve_pins(self, pins: Sequence[Pin]) -> tuple[str, ...]:
        self._ready()
        held = {pin: self.pinned.get((pin.server, pin.tool)) for pin in pins}
        self.pinned |= {
            (pin.server, pin.tool): pin for pin, now in held.items() if now and now.seen_digest == pin.seen_digest
        }
        return tuple(pin.tool for pin, now in held.items() if not now or now.seen_digest != pin.seen_digest)

    def pins(self, server: str | None = None) -> tuple[Pin, ...]:
        self._ready()
        return tuple(pin for _, pin in sorted(self.pinned.items()) if server in (None, pin.server))

    def set_labels(self, one: SetLabels) -> None:
        self._ready()
        self.set_[one.server, one.tool] = one

    def clear_labels(self, server: str, tool: str) -> bool:
        self._ready()
        return self.set_.pop((server, tool), None) is not None

    def labels(self) -> tuple[SetLabels, ...]:
        self._ready()
        return tuple(one for _, one in sorted(self.set_.items()))

    def ask_approvals(self, asked: Sequence[Approval], now_us: int) -> tuple[str, ...]:
        self._ready()
        waiting = {one.binding for one in self.asked.values() if one.standing(now_us) is Standing.WAITING}
        new = {one.id: one for one in asked if one.binding not in waiting}
        self.asked |= new
        return tuple(new)

    def decide_approval(self, decided: Approval) -> Approval | None:
        self._ready()
        now = self.asked.get(decided.id)
        if now is None:
            return None
        standing = now.standing(decided.decided_us)
        if standing is Standing.WAITING or (standing is Standing.GRANTED and not decided.granted):
            self.asked[now.id] = decided
        return self.asked[now.id]

    def use_approval(self, id_: str, now_us: int) -> bool:
        self._ready()
        if id_ not in self.asked or self.asked[id_].standing(now_us) is not Standing.GRANTED:
            return False
        self.asked[id_] = replace(self.asked[id_], used_us=now_us)
        return True

    def approvals(self, live_us: int | None = None) -> tuple[Approval, ...]:
        self._ready()
        found = sorted(self.asked.values(), key=lambda one: (-one.asked_us, one.id))
        return tuple(one for one in found if live_us is None or (one.expires_us > live_us and not one.used_us))

    def approval(self, id_: str) -> Approval | None:
        self._ready()
        return self.asked.get(id_)

    def indexed(self, log: str) -> int:
        self._ready()
        return sum(stored.log == log for stored in self.records)

    def index(self, records: Sequence[Stored]) -> None:
        self._ready()
        for stored in records:
            if stored.n != self.indexed(stored.log):
                raise StoreError(f"record {stored.n} does not follow")
            self.records.append(stored)
        self.changes += 1

    def usage(self) -> tuple[Usage, ...]:
        self._ready()
        names = sorted({stored.record.workload for stored in self.records if stored.record.workload})
        return tuple(self._usage(name) for name in names)

    def _usage(self, workload: str) -> Usage:
        records = [stored.record for stored in self.records if stored.record.workload == workload]
        calls = [step for record in records for step in record.steps if step.kind == "call"]
        return Usage(
            workload=workload,
            first_us=min(record.at_us for record in records),
            last_us=max(record.at_us for record in records),
            requests=sum(record.kind is RecordKind.REQUEST for record in records),
            blocked=sum(step.verdict is Verdict.BLOCKED for record in records for step in record.steps),
            models=tuple(sorted({record.model for record in records if record.model})),
            tools=tuple(sorted({step.tool for step in calls})),
        )

    def sessions(
        self, *, workload: str | None = None, blocked: bool | None = None, before: int | None = None, limit: int = 50
    ) -> tuple[Session, ...]:
        self._ready()
        every = [self._session(name) for name in {s.record.session for s in self.records if s.record.session}]
        found = [
            each
            for each in every
            if (workload is None or each.workload == workload)
            and (blocked is None or bool(each.blocked) == blocked)
            and (before is None or each.last_us < before)
        ]
        found.sort(key=lambda each: (-each.last_us, each.id))
        return tuple(each for each in found if each.last_us >= found[:limit][-1].last_us)

    def _session(self, name: str) -> Session:
        records = [stored.record for stored in self.records if stored.record.session == name]
        steps = [step for record in records for step in record.steps]
        return Session(
            id=name,
            workload=records[0].workload,
            model=records[0].model,
            first_us=min(record.at_us for record in records),
            last_us=max(record.at_us for record in records),
            requests=sum(record.kind is RecordKind.REQUEST for record in records),
            calls=sum(step.kind == "call" for step in steps),
            blocked=sum(step.verdict is Verdict.BLOCKED for step in steps),
            signals=sum(len(step.signals) for step in steps),
            protocol=records[-1].protocol,
            upstream=records[-1].upstream,
        )

    def outside(self, *, workload: str | None = None, before: int | None = None, limit: int = 50) -> tuple[Stored, ...]:
        self._ready()
        found = [
            stored
            for stored in self.records
            if not stored.record.session
            and stored.record.kind in (RecordKind.REFUSAL, RecordKind.CONNECT)
            and (workload is None or stored.record.workload == workload)
            and (before is None or stored.record.at_us < before)
        ]
        found.sort(key=lambda each: (-each.record.at_us, each.log, -each.n))
        return tuple(each for each in found if each.record.at_us >= found[:limit][-1].record.at_us)

    def used(self, since_us: int) -> tuple[Used, ...]:
        self._ready()
        sums: dict[tuple[str, str], list[int]] = {}
        for record in (stored.record for stored in self.records if stored.record.at_us >= since_us):
            blocked = max(sum(s.verdict is Verdict.BLOCKED for s in record.steps), record.verdict is Verdict.BLOCKED)
            asked = record.kind in (RecordKind.REQUEST, RecordKind.REFUSAL)
            amounts = (asked, blocked, record.tokens_in, record.tokens_out)
            had = sums.get((record.workload, record.model), [0] * 4)
            sums[record.workload, record.model] = [a + b for a, b in zip(had, amounts, strict=True)]
        return tuple(Used(*key, *amounts) for key, amounts in sorted(sums.items()))

    def session(self, session_id: str) -> tuple[Stored, ...]:
        self._ready()
        return tuple(stored for stored in self.records if stored.record.session == session_id)

    def refused(self) -> int:
        self._ready()
        return sum(s.record.kind is RecordKind.REFUSAL and not s.record.workload for s in self.records)

    def version(self) -> int:
        self._ready()
        return self.changes

    def close(self) -> None:
        pass

    def log(self, *records: Record, log: str = "main") -> None:
        """Add records at the end of a log, with leaf hashes that look like ones."""
        for record in records:
            n = self.indexed(log)
            self.index([Stored(log, n, f"{n + 0xA11CE:064x}", record)])


def exchange(
    session: str,
    request: str,
    asked: Sequence[Step],
    answered: Sequence[Step],
    *,
    at_us: int = NOW,
    workload: str = "invoice-agent",
    model: str = "gpt-5-mini",
) -> tuple[Record, Record]:
    """The two records of one exchange, a second apart."""
    blocked = any(step.verdict is Verdict.BLOCKED for step in answered)
    first = Record(
        kind=RecordKind.REQUEST,
        at_us=at_us,
        request=request,
        workload=workload,
        credential="key-7Q2M",
        session=session,
        protocol="openai-chat",
        route="/openai/v1/chat/completions",
        upstream="openai",
        model=model,
        policy_hash="9f2c41d07be8",
        steps=tuple(asked),
        bytes_in=2100,
    )
    second = first._replace(
        kind=RecordKind.ANSWER,
        at_us=at_us + SECOND,
        steps=tuple(answered),
        status=200,
        latency_us=940_000,
        tokens_in=1180,
        tokens_out=61,
        verdict=Verdict.BLOCKED if blocked else Verdict.ALLOWED,
    )
    return first, second


def hijacked(session: str = "7f3a91c2d4e5", at_us: int = NOW, workload: str = "invoice-agent") -> tuple[Record, ...]:
    """An agent reads an invoice that tells it to pay somebody else; the payment is blocked, the mail is not."""
    system = Step("system", size=412, digest="d0", origin=Origin.SYSTEM)
    user = Step("user", size=57, digest="d1", origin=Origin.USER)
    read = Step(
        "call",
        tool="read_invoice",
        sink="read",
        call_id="c1",
        policies=("read-own-data",),
        arguments=(Argument("invoice_id", "INV-2041", (Origin.USER,)),),
    )
    invoice = Step(
        "tool_result",
        size=1893,
        digest="d2",
        tool="read_invoice",
        call_id="c1",
        origin=Origin.UNTRUSTED,
        signals=(Noted("instruction-override", "addressed-to-the-model", 970),),
    )
    vendor = Step("tool_result", size=211, digest="d3", tool="vendor_record", call_id="c2", origin=Origin.INTERNAL)
    lookup = Step(
        "call",
        tool="vendor_record",
        sink="read",
        call_id="c2",
        policies=("read-own-data",),
        arguments=(Argument("vendor", "Norland Parts", (Origin.USER, Origin.UNTRUSTED), ("read_invoice",)),),
    )
    pay = Step(
        "call",
        tool="send_payment",
        sink="money",
        call_id="c3",
        verdict=Verdict.BLOCKED,
        reason="The recipient came only from an untrusted tool result.",
        policies=("recipient-from-trusted-origin",),
        arguments=(
            Argument("invoice_id", "INV-2041", (Origin.USER,)),
            Argument("iban", "DE89 **** **** 3000", (Origin.UNTRUSTED,), ("read_invoice",)),
            Argument("amount", "1,240.00", (Origin.INTERNAL,), ("vendor_record",)),
            Argument("memo", "paid by agent", (Origin.MODEL,)),
        ),
    )
    answer = Step("output", size=240, digest="d4", origin=Origin.MODEL)

    def ask(number: int, asked: Sequence[Step], answered: Sequence[Step]) -> tuple[Record, Record]:
        return exchange(
            session, f"{session}-{number}", asked, answered, at_us=at_us + number * 2 * SECOND, workload=workload
        )

    return (
        *ask(0, (system, user), (read,)),
        *ask(1, (invoice,), (lookup,)),
        *ask(2, (vendor,), (pay,)),
        *ask(3, (), (answer,)),
    )


def quiet(session: str, at_us: int = NOW, workload: str = "support-copilot") -> tuple[Record, ...]:
    """A question and an answer; nothing happens."""
    user = Step("user", size=80, digest="q1", origin=Origin.USER)
    return exchange(
        session, session, (user,), (Step("output", size=300, origin=Origin.MODEL),), at_us=at_us, workload=workload
    )


YES, PARTIAL, NO, UNKNOWN = Mark.YES, Mark.PARTIAL, Mark.NO, Mark.UNKNOWN
WORDS = {
    YES: ("finance", "models and tools", "41 requests", "in the log", "no findings"),
    PARTIAL: ("one of two", "a key, no limits", "a key, no traffic", "gaps", "2 not judged"),
    NO: ("nobody", "no limits", "no traffic", "nothing logged", "2 high"),
    UNKNOWN: ("not scanned",) * 5,
}


def row(workload: str, marks: Sequence[Mark], *, discovered: bool = True) -> Row:
    """A row whose marks are, in order: owner, scope, enforced, audited, clean."""
    return Row(workload, discovered, *(Cell(mark, WORDS[mark][place]) for place, mark in enumerate(marks)))


def covered(*rows: Row, scanned: bool = True) -> Coverage:
    """These rows, and the gaps that they have."""
    return Coverage(
        rows=rows,
        not_enforced=tuple(r.workload for r in rows if r.discovered and r.enforced.mark is not YES),
        shadow=tuple(r.workload for r in rows if scanned and not r.discovered and r.enforced.mark is YES),
        no_owner=tuple(r.workload for r in rows if r.owner.mark is NO),
        no_scope=tuple(r.workload for r in rows if r.scope.mark is not YES),
        not_clean=tuple(r.workload for r in rows if r.clean.mark is NO),
        unassigned=(),
        scanned=scanned,
    )


def five() -> Coverage:
    """One workload of each sort."""
    return covered(
        row("invoice-agent", (YES, YES, YES, YES, YES)),
        row("support-copilot", (YES, PARTIAL, YES, YES, YES)),
        row("kb-search", (YES, YES, NO, NO, YES)),
        row("hr-screening", (NO, UNKNOWN, NO, NO, NO)),
        row("ci-release-notes", (NO, NO, YES, YES, UNKNOWN), discovered=False),
    )


LOOSE = (
    Loosening("no-scope", "kb-search", "[workloads.kb-search] models, tools", "It may use any model and any tool."),
    Loosening("answers-observed", "hr-screening", "[workloads.hr-screening] answer_mode", "They are only recorded."),
    Loosening("no-limits", "", "[limits.<name>]", "Nothing bounds how much anybody uses."),
    Loosening("personal-data-is-recorded", "", "interlock's bundled.cedar:59", "It is let through.", bundled=True),
)


def sources(
    store: MemoryStore | None = None, shown: Coverage | None = None, status: AuditStatus | None = None
) -> Sources:
    """What a console reads, over a memory store."""
    held = store if store is not None else MemoryStore()
    return Sources(
        store=held,
        refresh=lambda: None,
        coverage=lambda: shown or covered(scanned=False),
        exceptions=lambda: LOOSE,
        audit_status=lambda: status or AuditStatus(holds=True, records=len(held.records), checkpoint_us=NOW),
        now_us=lambda: NOW,
        title="Halden Freight",
        record=held.acts.append,
        tools=lambda: review(held.pins(), lambda _: (), {}, held.labels()),
    )


def telling() -> Sources:
    """A console with something to tell: a blocked session, two quiet ones, five workloads."""
    store = MemoryStore()
    store.log(*hijacked())
    store.log(*quiet("b1946ac92492", NOW - 600 * SECOND))
    store.log(*quiet("c157a79031e1", NOW - 4000 * SECOND, "invoice-agent"))
    store.log(Record(RecordKind.REFUSAL, NOW, status=401, verdict=Verdict.BLOCKED, reason="unknown key"))
    return sources(store, five())


def of(*told: Sequence[Record], shown: Coverage | None = None) -> Sources:
    store = MemoryStore()
    for records in told:
        store.log(*records)
    return sources(store, shown)
