"""Makes the records of one exchange, and settles what it may cost with what it did cost."""

from dataclasses import dataclass
from enum import Enum, auto

from interlock.guard.budgets import Admitted
from interlock.guard.measure import estimate
from interlock.guard.rules import Call, Rules
from interlock.model.decision import Deny
from interlock.model.record import Record, RecordKind, Step, Verdict
from interlock.protocols import Usage

NO_USAGE = Usage()


class Spent(Enum):
    """What is known of what an exchange has used: nothing was, that is not known, a part of it, or all."""

    NOTHING = auto()
    UNKNOWN = auto()
    PART = auto()
    ALL = auto()


@dataclass(slots=True)
class Log:
    """What the records of one exchange have in common, and what it has used so far.

    `usage` is as the model's server counts, `said` the characters of texts and arguments, `sent` bytes on the wire.
    """

    call: Call
    rules: Rules
    model: str = ""
    session: str = ""
    bytes_in: int = 0
    answered: bool = False
    spent: Spent = Spent.NOTHING
    usage: Usage = NO_USAGE
    sent: int = 0
    said: int = 0

    def settle(self, admitted: Admitted) -> None:
        """Count what was used, as far as it is known, instead of what was reserved."""
        budgets, now = self.rules.budgets, self.rules.ticks_us()
        match self.spent:
            case Spent.NOTHING:
                budgets.release(admitted, now)
            case Spent.UNKNOWN:
                budgets.settle(admitted, None, now)
            case Spent.ALL if self.usage.tokens_out or not self.said:
                budgets.settle(admitted, self.usage, now)
            case _:
                least = Usage(self.usage.tokens_in, max(self.usage.tokens_out, estimate(self.said)))
                budgets.settle(admitted, least, now, whole=False)

    def request(self, status: int, steps: tuple[Step, ...], denied: Deny | None, observed: str = "") -> Record:
        """What was asked, and whether it goes on; `observed` says what would have refused it."""
        verdict = Verdict.BLOCKED if denied else Verdict.ALLOWED
        reason, policies = (denied.reason, denied.policies) if denied else (observed, ())
        return self._record(RecordKind.REQUEST, status, verdict, reason, policies, steps)

    def refusal(self, status: int, reason: str) -> Record:
        """A request that goes nowhere."""
        return self._record(RecordKind.REFUSAL, status, Verdict.BLOCKED, reason)

    def answer(self, status: int, steps: tuple[Step, ...] = (), reason: str = "", sent: int | None = None) -> Record:
        """`sent` bytes is what goes out with it, if not `self.sent`."""
        self.answered = True
        verdict = Verdict.FAILED if reason else Verdict.ALLOWED
        if any(step.verdict is Verdict.BLOCKED for step in steps):
            verdict = Verdict.BLOCKED
        return self._record(RecordKind.ANSWER, status, verdict, reason, (), steps, self.sent if sent is None else sent)

    def _record(
        self,
        kind: RecordKind,
        status: int,
        verdict: Verdict,
        reason: str,
        policies: tuple[str, ...] = (),
        steps: tuple[Step, ...] = (),
        size: int = 0,
    ) -> Record:
        now = self.rules.now_us()
        call = self.call
        return Record(
            kind=kind,
            at_us=now,
            request=call.request,
            workload=call.principal.workload,
            credential=call.principal.credential,
            session=self.session,
            protocol=call.protocol,
            route=call.route,
            upstream=call.upstream,
            model=self.model,
            status=status,
            verdict=verdict,
            reason=reason,
            policies=policies,
            policy_hash=self.rules.policies.hash,
            steps=steps,
            bytes_in=self.bytes_in,
            bytes_out=size,
            tokens_in=self.usage.tokens_in,
            tokens_out=self.usage.tokens_out,
            latency_us=max(0, now - call.began_us),
        )
