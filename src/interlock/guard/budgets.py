"""Budgets and limits: whether a request has room in every limit that holds for it, and what it really used.

The rules:
- In no stretch of a window's length are more requests, different prompts, tokens or dollars admitted than the limit
  says, as long as no request uses more than was reserved for it. What it uses beyond counts from then on.
- A request is admitted by all its limits or charged to none. In which order limits stand does not matter.
- What was reserved comes back only when the model's server has said what was used, or nothing was sent to it.
- Nothing that is counted is forgotten before its time. Each limit keeps at most KEYS accounts; what comes beyond
  shares one, which can refuse too early, never too late.
- A limit in dollars refuses a model without a price.

What it does not do: it counts in this process only, from its start; several gateways that share a budget need the
shared state in Valkey that comes with scaling out. It counts what the model's server reports and does not verify it.
Prices are list prices: cached tokens count in full; surcharges and what hosted tools cost do not count. `now_us` is to
be a clock that does not go back, such as the monotonic one. Not for use by several threads at once.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from interlock.guard.measure import Facts
from interlock.guard.settings import PICO_USD, SIZES, SUMS, WINDOWS, Limit, Rates
from interlock.guard.window import SLOTS, Slot, Window
from interlock.knowledge.prices import Rate
from interlock.protocols import Usage

# Of each limit: with tokens, dollars and a day that is busy throughout about 10 KB each.
KEYS = 4_096
# So many of the least recently used accounts are looked at to make room for one.
_LOOKED_AT = 8
# Who asks for what: remembered with the limits that hold for it; forgotten all at once when there are more.
_REMEMBERED = 4_096
# The APIs' names of models have at most about 200 characters.
_LONGEST_NAME = 256
_SECOND_US = 1_000_000
TOO_MANY, TOO_LARGE, ASKS_TOO_MUCH, NO_PRICE = 429, 413, 400, 403
_USD = SUMS.index("usd")
_WORDS = {
    "tokens_in": "tokens of requests",
    "tokens_out": "tokens of answers",
    "prompts": "different prompts",
    "concurrent": "requests at once",
    "request_bytes": "bytes",
    "request_messages": "messages",
    "request_tokens": "tokens (estimated)",
}
# By place in SUMS; `ONE` is a request that uses nothing.
Costs: TypeAlias = tuple[int, int, int, int, int]
ONE: Costs = (1, 0, 0, 0, 0)
_Hold: TypeAlias = "tuple[_Ledger, Window, Slot | None]"


class Exceeded(NamedTuple):
    """A request that is not admitted: `limit` is the table's name, `what` the setting, `reason` a sentence.

    `status` 429: there is room again after `retry_after_s`. Else waiting does not help, a client that tries again does
    harm, and `retry_after_s` is 0: 413, the request itself is too large; 400, it asks for more than the limit ever
    allows; 403, its model has no price.
    """

    limit: str
    what: str
    status: int
    retry_after_s: int
    reason: str


class Admitted:
    """A request that is under way. Give it to `settle` or `release` on every way out; a second time does nothing."""

    __slots__ = ("costs", "holds", "rate")

    def __init__(self, holds: list[_Hold], costs: Costs, rate: Rate | None) -> None:
        self.holds = holds
        self.costs = costs
        self.rate = rate


class _Applied(NamedTuple):
    """The limits that hold for somebody who asks for a model, each with the key of its account.

    `counts`: one of them counts tokens or dollars. `refused` is set if one needs a price and there is none.
    """

    ledgers: tuple[tuple["_Ledger", str], ...]
    counts: bool
    rate: Rate | None
    refused: Exceeded | None


class Budgets:
    """All limits, and what was used of them. `needs` says what `measure` has to find out for them."""

    def __init__(self, limits: Iterable[Limit], rates: Rates) -> None:
        self._ledgers = tuple(_Ledger(limit) for limit in limits)
        self._rates = rates
        self._applied: dict[tuple[str, str, str], _Applied] = {}
        self._now_us = 0
        self.needs = frozenset(need for ledger in self._ledgers for need in _needs(ledger.limit))

    def renewed(self, limits: Iterable[Limit], rates: Rates) -> "Budgets":
        """The budgets of changed settings. A limit that is still there goes on; one that has changed begins anew."""
        after = Budgets(limits, rates)
        known = {ledger.limit: ledger for ledger in self._ledgers}
        after._ledgers = tuple(known.get(ledger.limit, ledger) for ledger in after._ledgers)
        after._now_us = self._now_us
        return after

    def __bool__(self) -> bool:
        """Whether there is any limit; if not, nothing needs to be measured, admitted or settled."""
        return bool(self._ledgers)

    def admit(self, facts: Facts, now_us: int) -> Admitted | Exceeded:
        """Take what the request may use from every limit that holds for it, or say which one has no room.

        Of several without room, the one for which it has to wait longest.
        """
        if not self._ledgers:
            return Admitted([], ONE, None)
        applied = self._applied.get(facts[:3]) or self._apply(*facts[:3])
        if applied.refused:
            return applied.refused
        now_us = self._clock(now_us)
        costs = _costs(facts.request_tokens, facts.tokens_out, applied.rate) if applied.counts else ONE
        worst: Exceeded | None = None
        accounts = []
        for ledger, key in applied.ledgers:
            now = now_us // ledger.slot_us
            account = ledger.account(key, now)
            refused = ledger.refuse(account, facts, costs, now_us)
            if refused is not None and (worst is None or _rank(refused) > _rank(worst)):
                worst = refused
            accounts.append((ledger, account, now))
        if worst is not None:
            return worst
        prompt = facts.prompt
        holds = [(ledger, account, ledger.take(account, prompt, costs, now)) for ledger, account, now in accounts]
        return Admitted(holds, costs, applied.rate)

    def settle(self, admitted: Admitted, usage: Usage | None, now_us: int, *, whole: bool = True) -> None:
        """The request was sent and is over: count what was used instead of what was reserved.

        No usage, or one that says nothing, leaves what was reserved. `whole=False`: the answer did not come to its
        end, so `usage` is only the least that was used; the larger of the two counts.
        """
        for _, account, _ in admitted.holds:
            account.answered = True
        _, tokens_in, tokens_out, *_ = reserved = admitted.costs
        if reserved is ONE or usage is None or not (usage.tokens_in or usage.tokens_out):
            self._close(admitted, reserved, now_us)
            return
        least_in, least_out = (0, 0) if whole else (tokens_in, tokens_out)
        used = _costs(max(least_in, usage.tokens_in), max(least_out, usage.tokens_out), admitted.rate)
        self._close(admitted, used, now_us)

    def release(self, admitted: Admitted, now_us: int) -> None:
        """The request never reached the model, or its server refused it: it counts as a request and used nothing."""
        self._close(admitted, ONE, now_us)

    def _close(self, admitted: Admitted, used: Costs, now_us: int) -> None:
        holds, admitted.holds = admitted.holds, []
        if not holds:
            return
        now_us = self._clock(now_us)
        for ledger, account, slot in holds:
            account.under_way -= 1
            if slot is not None and used is not admitted.costs:
                ledger.correct(account, slot, admitted.costs, used, now_us // ledger.slot_us)

    def _clock(self, now_us: int) -> int:
        # INVARIANT: slots are numbered in order; a clock that goes back stands still here.
        if now_us > self._now_us:
            self._now_us = now_us
        return self._now_us

    def _apply(self, workload: str, owner: str, model: str) -> _Applied:
        held = [ledger for ledger in self._ledgers if ledger.limit.holds_for(workload, owner, model)]
        in_usd = [ledger.limit.name for ledger in held if any(place == _USD for place, _ in ledger.limit.sums)]
        rate = self._rates.of(model) if in_usd else None
        keys = {"workload": workload, "owner": owner, "model": model.lower(), "all": ""}
        applied = _Applied(
            tuple((ledger, keys[ledger.limit.per]) for ledger in held),
            any(SUMS[place] != "requests" for ledger in held for place, _ in ledger.limit.sums),
            rate,
            _no_price(min(in_usd)) if in_usd and rate is None else None,
        )
        if len(self._applied) >= _REMEMBERED:
            self._applied.clear()
        if len(model) <= _LONGEST_NAME:
            self._applied[workload, owner, model] = applied
        return applied


class _Ledger:
    """The accounts of one limit, the least recently used first."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.slot_us = WINDOWS.get(limit.window, SLOTS * _SECOND_US) // SLOTS
        self._accounts: OrderedDict[str, Window] = OrderedDict()
        self._shared = Window(len(limit.sums))

    def account(self, key: str, now: int) -> Window:
        """The account of a key at slot `now`, with what is older than a window forgotten."""
        account = self._accounts.get(key)
        if account is not None:
            self._accounts.move_to_end(key)
            account.forget(now)
            return account
        self._shared.forget(now)
        # INVARIANT: whoever was counted in the shared account gets none of its own before all of that is over.
        if len(key) <= _LONGEST_NAME and self._shared.idle() and self._make_room(now):
            return self._accounts.setdefault(key, Window(len(self.limit.sums)))
        return self._shared

    def refuse(self, account: Window, facts: Facts, costs: Costs, now_us: int) -> Exceeded | None:
        """Why there is no room for this request, or None."""
        limit, worst = self.limit, None
        for place, most in limit.sizes:
            if (size := facts.size(place)) > most:
                return self._too_large(SIZES[place], most, size)
        for number, (place, amount) in enumerate(limit.sums):
            cost = costs[place]
            if cost > amount:
                return self._asks_too_much(SUMS[place], amount, cost)
            if cost and (over := account.sums[number] + cost - amount) > 0:
                worst = self._used_up(worst, SUMS[place], amount, account.frees(number, over), now_us)
        if limit.prompts is not None and len(account.prompts) >= limit.prompts and facts.prompt not in account.prompts:
            free = next(iter(account.prompts.values())) + SLOTS + 1
            worst = self._used_up(worst, "prompts", limit.prompts, free, now_us)
        if worst is None and limit.concurrent is not None and account.under_way >= limit.concurrent:
            reason = f"{self._name} is used up: {limit.concurrent:,} requests at once{self._each}."
            return Exceeded(limit.name, "concurrent", TOO_MANY, 1, reason)
        return worst

    def take(self, account: Window, prompt: bytes, costs: Costs, now: int) -> Slot | None:
        """Charge a request that was not refused; the slot that it was charged to, if anything is counted."""
        limit = self.limit
        account.under_way += 1
        if limit.prompts is not None:
            account.saw(prompt, now)
        if not limit.sums:
            return None
        slot = account.slot(now)
        for number, (place, _) in enumerate(limit.sums):
            account.add(slot, number, costs[place])
        return slot

    def correct(self, account: Window, slot: Slot, reserved: Costs, used: Costs, now: int) -> None:
        """What was reserved too much goes back to where it was taken; what was used beyond counts from now."""
        for number, (place, _) in enumerate(self.limit.sums):
            change = used[place] - reserved[place]
            if change < 0:
                account.add(slot, number, change)
            elif change > 0:
                account.forget(now)
                account.add(account.slot(now), number, change)

    def _make_room(self, now: int) -> bool:
        for _ in range(_LOOKED_AT if len(self._accounts) >= KEYS else 0):
            key, oldest = next(iter(self._accounts.items()))
            oldest.forget(now)
            # A name that nobody ever got an answer for may be made up: it takes no place from others.
            if oldest.idle() or not (oldest.answered or oldest.under_way):
                del self._accounts[key]
                return True
            self._accounts.move_to_end(key)
        return len(self._accounts) < KEYS

    @property
    def _name(self) -> str:
        return f"Limit {self.limit.name!r}"

    @property
    def _each(self) -> str:
        return "" if self.limit.per == "all" else f" for each {self.limit.per}"

    def _used_up(self, worst: Exceeded | None, what: str, amount: int, free: int, now_us: int) -> Exceeded:
        wait_s = max(1, -((now_us - free * self.slot_us) // _SECOND_US))
        if worst is not None and worst.retry_after_s >= wait_s:
            return worst
        over = f"{_said(what, amount)} per {self.limit.window}{self._each}"
        reason = f"{self._name} is used up: {over}. There is room again in {wait_s:,} s."
        return Exceeded(self.limit.name, what, TOO_MANY, wait_s, reason)

    def _too_large(self, what: str, most: int, size: int) -> Exceeded:
        reason = f"{self._name}: a request has at most {_said(what, most)}, and this one has {size:,}."
        return Exceeded(self.limit.name, what, TOO_LARGE, 0, reason)

    def _asks_too_much(self, what: str, amount: int, cost: int) -> Exceeded:
        allowed = f"{_said(what, amount)} per {self.limit.window}"
        asked = f"this request alone may use {_said(what, cost)}. Send less, or ask for a shorter answer"
        reason = f"{self._name} allows {allowed}, and {asked}."
        return Exceeded(self.limit.name, what, ASKS_TOO_MUCH, 0, reason)


def unpriced(limits: Iterable[Limit], rates: Rates, asked: Iterable[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """(limit, model) for each model without a price that a limit in dollars will refuse.

    `asked` are the (workload, owner, model) that are known beforehand, from the workloads' scopes.
    """
    in_usd = [limit for limit in limits if any(place == _USD for place, _ in limit.sums)]
    return sorted({
        (limit.name, model)
        for workload, owner, model in asked
        for limit in in_usd
        if limit.holds_for(workload, owner, model) and rates.of(model) is None
    })  # fmt: skip


def _needs(limit: Limit) -> Iterable[str]:
    counted = {SUMS[place] for place, _ in limit.sums} | {SIZES[place] for place, _ in limit.sizes}
    if counted - {"requests", "request_bytes", "request_messages"}:
        yield "tokens"
    if "request_messages" in counted:
        yield "messages"
    if limit.prompts is not None:
        yield "prompt"


def _costs(tokens_in: int, tokens_out: int, rate: Rate | None) -> Costs:
    """In the order of SUMS; dollars in picodollars."""
    return 1, tokens_in, tokens_out, tokens_in + tokens_out, rate.cost(tokens_in, tokens_out) if rate else 0


def _rank(one: Exceeded) -> tuple[bool, int, str, str]:
    """What cannot be waited for is worst, then what takes longest; the names only make it certain."""
    return not one.retry_after_s, one.retry_after_s, one.limit, one.what


def _no_price(limit: str) -> Exceeded:
    reason = f"Limit {limit!r} counts dollars, and this model has no price. An operator can give it one in [prices]."
    return Exceeded(limit, "usd", NO_PRICE, 0, reason)


def _said(what: str, amount: int) -> str:
    """An amount in words.

    >>> _said("usd", 12_500_000 * PICO_USD), _said("requests", 1000)
    ('12.50 US dollars', '1,000 requests')
    """
    if what != "usd":
        return f"{amount:,} {_WORDS.get(what, what)}"
    whole, micro = divmod(-(-amount // PICO_USD), 1_000_000)
    cents = f"{micro:06}".rstrip("0")
    return f"{whole:,}.{cents.ljust(2, '0')} US dollars"
