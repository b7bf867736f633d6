"""Which upstream is asked for a request, and which one after it when it fails.

A request is repeated where it has surely not been carried out: no connection could be made, or the server itself says
that it did not do the work. Where it may have been carried out (no answer came, or a server in between gave up) it is
repeated only if `retry_sent` says so: a model may then have worked, and been paid for, twice. Once an answer has begun
nothing is repeated.
"""

from collections.abc import Mapping

from interlock.gateway.pool import Pool
from interlock.model.errors import UpstreamError
from interlock.model.record import Step, Verdict

LIMITED = 429
# Answers that say that the work was not done: RFC 6585 and RFC 9110; 529 is Anthropic's "overloaded".
REFUSALS = frozenset({LIMITED, 503, 529})
# What a server in between says, which has sent the request on (RFC 9110, sections 15.6.3 and 15.6.5).
LOSSES = frozenset({502, 504})


class Turn:
    """Whose turn it is, for one request to the upstream `name`.

    Rules: each upstream is asked at most once, in the order of the settings, those that failed a moment ago last; one
    request in a while finds out whether those have come back. A limit that was reached (429) is no failure: it may
    concern one key or one model. `passed` says of each that was passed over why.
    """

    def __init__(self, pools: Mapping[str, Pool], name: str) -> None:
        first = pools[name]
        chain = [pools[other] for other in dict.fromkeys((name, *first.upstream.failover))]
        self._retries = first.upstream.retry_sent
        self.pool, *self._rest = sorted(chain, key=lambda pool: pool.is_down)
        before = chain[: chain.index(self.pool)]
        self.passed = tuple(_passed(pool, f"{pool.name}: failed a moment ago") for pool in before)
        if self._rest:
            self.pool.probe()

    def passes_answer(self, status: int) -> bool:
        """Whether an answer that begins so is not taken, and the next upstream asked."""
        refused = status in REFUSALS or (self._retries and status in LOSSES)
        if refused and self._rest:
            self._pass(f"{self.pool.name}: answered {status}", down=status != LIMITED)
            return True
        if status not in REFUSALS | LOSSES:
            self.pool.recovered()
        return False

    def passes_error(self, error: UpstreamError, *, sent: bool) -> bool:
        """Whether the next upstream is asked after this error; `sent`, whether the request had gone out."""
        if not self._rest or (sent and not self._retries):
            return False
        self._pass(error.brief, down=True)
        return True

    def _pass(self, why: str, *, down: bool) -> None:
        self.passed = (*self.passed, _passed(self.pool, why))
        if down:
            self.pool.failed()
        self.pool = self._rest.pop(0)


def _passed(pool: Pool, why: str) -> Step:
    return Step("upstream", tool=pool.name, verdict=Verdict.FAILED, reason=why)
