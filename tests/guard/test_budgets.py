"""Budgets: never more than the amount in any window, whatever the order; nothing leaks; each refusal says its limit."""

from collections.abc import Iterable
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.guard.budgets import KEYS, Admitted, Budgets, Exceeded, unpriced
from interlock.guard.measure import Facts
from interlock.guard.settings import LimitSettings, PriceSettings, limits, rates
from interlock.protocols import Usage

SECOND = 1_000_000
MINUTE = 60 * SECOND
PRICES = rates({"cheap": PriceSettings(usd_in=1, usd_out=2)})


def budgets(**tables: LimitSettings) -> Budgets:
    return Budgets(limits(tables), PRICES)


def facts(
    tokens_in: int = 10,
    tokens_out: int = 10,
    workload: str = "w",
    owner: str = "o",
    model: str = "cheap",
    prompt: bytes = b"p",
) -> Facts:
    return Facts(workload, owner, model, 100, 3, tokens_in, tokens_out, prompt)


def admitted(one: Admitted | Exceeded) -> Admitted:
    assert isinstance(one, Admitted), one
    return one


def exceeded(one: Admitted | Exceeded) -> Exceeded:
    assert isinstance(one, Exceeded)
    return one


def test_a_limit_on_requests_says_its_name_and_when_there_is_room_again() -> None:
    own = budgets(slow=LimitSettings(window="minute", requests=2))
    admitted(own.admit(facts(), 0))
    admitted(own.admit(facts(), 10 * SECOND))
    refused = exceeded(own.admit(facts(), 30 * SECOND))
    assert refused == Exceeded(
        "slow",
        "requests",
        429,
        31,
        "Limit 'slow' is used up: 2 requests per minute for each workload. There is room again in 31 s.",
    )
    assert isinstance(own.admit(facts(), 61 * SECOND), Admitted)
    assert isinstance(own.admit(facts(), 61 * SECOND), Exceeded)


@pytest.mark.parametrize(
    ("table", "what", "status"),
    [
        (LimitSettings(request_bytes=99), "request_bytes", 413),
        (LimitSettings(request_messages=2), "request_messages", 413),
        (LimitSettings(request_tokens=9), "request_tokens", 413),
        (LimitSettings(window="day", tokens_out=9), "tokens_out", 400),
        (LimitSettings(window="day", tokens=19), "tokens", 400),
        (LimitSettings(window="day", usd="0.000029"), "usd", 400),
    ],
)
def test_what_can_never_have_room_is_not_told_to_come_back(table: LimitSettings, what: str, status: int) -> None:
    refused = exceeded(budgets(size=table).admit(facts(), 0))
    assert (refused.limit, refused.what, refused.status, refused.retry_after_s) == ("size", what, status, 0)


@pytest.mark.parametrize(
    "table",
    [
        LimitSettings(request_bytes=100, request_messages=3, request_tokens=10),
        LimitSettings(window="day", tokens_in=10, tokens_out=10, tokens=20, usd="0.00003", requests=1, prompts=1),
        LimitSettings(concurrent=1),
    ],
)
def test_the_amount_itself_is_allowed(table: LimitSettings) -> None:
    assert isinstance(budgets(a=table).admit(facts(), 0), Admitted)


def test_a_model_without_a_price_is_refused_where_dollars_are_counted() -> None:
    own = budgets(
        money=LimitSettings(window="day", usd=1), other=LimitSettings(model="free-*", window="day", tokens=99)
    )
    refused = exceeded(own.admit(facts(model="unheard-of"), 0))
    assert (refused.limit, refused.what, refused.status, refused.retry_after_s) == ("money", "usd", 403, 0)
    assert "[prices]" in refused.reason
    assert isinstance(own.admit(facts(model="cheap"), 0), Admitted)


def test_models_without_a_price_are_found_at_the_start() -> None:
    declared = limits({
        "money": LimitSettings(owner="a", window="day", usd=1),
        "tokens": LimitSettings(window="day", tokens=1),
    })  # fmt: skip
    asked = [("w", "a", "cheap"), ("w", "a", "other"), ("v", "b", "other")]
    assert unpriced(declared, PRICES, asked) == [("money", "other")]


@pytest.mark.parametrize(
    ("per", "same", "apart"),
    [
        ("workload", facts(owner="x", model="x"), facts(workload="x")),
        ("owner", facts(workload="x", model="x"), facts(owner="x")),
        ("model", facts(workload="x", owner="x", model="CHEAP"), facts(model="x")),
        ("all", facts(workload="x", owner="x", model="x"), None),
    ],
)
def test_what_is_counted_apart(per: str, same: Facts, apart: Facts | None) -> None:
    own = budgets(one=LimitSettings(per=per, window="minute", requests=1))
    admitted(own.admit(facts(), 0))
    assert isinstance(own.admit(same, 0), Exceeded)
    assert apart is None or isinstance(own.admit(apart, 0), Admitted)


def test_a_limit_holds_only_for_what_it_selects() -> None:
    own = budgets(one=LimitSettings(workload="w-*", owner="o", model="gpt-*", window="minute", requests=1))
    for free in (facts(workload="v"), facts(workload="w-1", owner="p", model="gpt-5"), facts(workload="w-1")):
        assert all(isinstance(own.admit(free, 0), Admitted) for _ in range(3))
    caught = facts(workload="w-1", model="GPT-5")
    assert [isinstance(own.admit(caught, 0), Admitted) for _ in range(2)] == [True, False]


def test_a_burst_cannot_overshoot_and_what_was_not_used_comes_back() -> None:
    own = budgets(burst=LimitSettings(window="minute", tokens_out=100))
    first = admitted(own.admit(facts(tokens_out=60), 0))
    assert exceeded(own.admit(facts(tokens_out=60), 0)).what == "tokens_out"
    own.settle(first, Usage(10, 40), SECOND)
    assert isinstance(own.admit(facts(tokens_out=60), SECOND), Admitted)
    assert isinstance(own.admit(facts(tokens_out=1), SECOND), Exceeded)


@pytest.mark.parametrize(
    ("usage", "whole", "left"),
    [
        (None, True, 40),
        (Usage(0, 0), True, 40),
        (Usage(10, 0), True, 100),
        (Usage(0, 5), False, 40),
        (Usage(0, 80), False, 20),
        (Usage(1, -50), True, 100),
    ],
)
def test_unknown_use_counts_as_what_was_reserved(usage: Usage | None, whole: bool, left: int) -> None:
    own = budgets(a=LimitSettings(window="minute", tokens_out=100))
    own.settle(admitted(own.admit(facts(tokens_out=60), 0)), usage, 0, whole=whole)
    assert isinstance(own.admit(facts(tokens_out=left), 0), Admitted)
    assert isinstance(own.admit(facts(tokens_out=1), 0), Exceeded)


def test_what_is_used_beyond_the_reserve_counts_from_then_on() -> None:
    own = budgets(a=LimitSettings(window="minute", tokens_out=100))
    own.settle(admitted(own.admit(facts(tokens_out=10), 0)), Usage(1, 500), 50 * SECOND)
    assert exceeded(own.admit(facts(tokens_out=1), 70 * SECOND)).retry_after_s == 41
    assert isinstance(own.admit(facts(tokens_out=100), 111 * SECOND), Admitted)


def test_a_request_that_outlives_its_window_gives_nothing_back_to_another() -> None:
    own = budgets(a=LimitSettings(window="minute", tokens_out=100))
    long = admitted(own.admit(facts(tokens_out=100), 0))
    other = admitted(own.admit(facts(tokens_out=100), 2 * MINUTE))
    own.settle(long, Usage(1, 1), 2 * MINUTE)
    assert isinstance(own.admit(facts(tokens_out=1), 2 * MINUTE), Exceeded)
    own.release(other, 2 * MINUTE)
    assert isinstance(own.admit(facts(tokens_out=100), 2 * MINUTE), Admitted)


def test_a_released_request_still_counts_as_one() -> None:
    own = budgets(a=LimitSettings(window="minute", requests=1), b=LimitSettings(window="minute", tokens=20))
    own.release(admitted(own.admit(facts(), 0)), 0)
    assert exceeded(own.admit(facts(), 0)).limit == "a"


def test_who_is_refused_by_one_limit_is_charged_to_none() -> None:
    own = budgets(a=LimitSettings(window="hour", requests=2), b=LimitSettings(concurrent=1, per="all"))
    first = admitted(own.admit(facts(), 0))
    for _ in range(5):
        assert exceeded(own.admit(facts(), 0)).limit == "b"
    own.settle(first, None, 0)
    assert isinstance(own.admit(facts(), 0), Admitted)


def test_settling_twice_does_nothing_more() -> None:
    own = budgets(a=LimitSettings(concurrent=1), b=LimitSettings(window="minute", tokens=100))
    first = admitted(own.admit(facts(), 0))
    own.settle(first, Usage(90, 0), 0)
    second = admitted(own.admit(facts(tokens_in=5, tokens_out=5), 0))
    own.settle(first, Usage(1, 0), 0)
    own.release(first, 0)
    refused = exceeded(own.admit(facts(tokens_in=1, tokens_out=0), 0))
    assert (refused.limit, refused.what) == ("b", "tokens")
    own.settle(second, None, 0)


def test_prompts_that_were_seen_are_free_and_new_ones_are_not() -> None:
    own = budgets(copying=LimitSettings(window="minute", prompts=2))
    for prompt in (b"a", b"b", b"a", b"b", b"a"):
        admitted(own.admit(facts(prompt=prompt), SECOND))
    refused = exceeded(own.admit(facts(prompt=b"c"), 2 * SECOND))
    assert (refused.limit, refused.what, refused.status) == ("copying", "prompts", 429)
    admitted(own.admit(facts(prompt=b"a"), 40 * SECOND))
    # b is forgotten, a was seen again and is not
    admitted(own.admit(facts(prompt=b"c"), 62 * SECOND))
    assert isinstance(own.admit(facts(prompt=b"b"), 62 * SECOND), Exceeded)


def test_a_clock_that_goes_back_frees_nothing() -> None:
    own = budgets(a=LimitSettings(window="minute", requests=1))
    admitted(own.admit(facts(), 10 * MINUTE))
    assert isinstance(own.admit(facts(), 0), Exceeded)
    assert isinstance(own.admit(facts(), 12 * MINUTE), Admitted)


def test_accounts_are_bounded_and_what_is_beyond_shares_one() -> None:
    own = budgets(a=LimitSettings(per="model", window="minute", requests=2))
    names = [f"m{number}" for number in range(KEYS + 50)]
    outcomes = [over(own, name, 0) for name in names]
    assert outcomes == [True] * (KEYS + 2) + [False] * 48
    # An account of somebody who has one is as it was; who shared gets none while that counts.
    assert [over(own, "m7", 0) for _ in range(2)] == [True, False]
    assert all(over(own, name, 2 * MINUTE) for name in names[:KEYS])


def over(own: Budgets, model: str, now_us: int) -> bool:
    """A request that comes and goes; whether it was admitted."""
    one = own.admit(facts(model=model), now_us)
    if isinstance(one, Admitted):
        own.settle(one, None, now_us)
    return isinstance(one, Admitted)


def test_an_account_with_a_request_under_way_is_not_forgotten() -> None:
    own = budgets(a=LimitSettings(per="model", concurrent=1))
    for number in range(10):
        admitted(own.admit(facts(model=f"pinned{number}"), 0))
    assert all(over(own, f"m{number}", MINUTE) for number in range(2 * KEYS))
    assert not any(over(own, f"pinned{number}", 10 * MINUTE) for number in range(10))


def test_made_up_names_take_no_account_from_models_that_answer() -> None:
    own = budgets(a=LimitSettings(per="model", window="minute", requests=1))
    assert over(own, "real", 0)
    for number in range(KEYS + 50):
        own.release(admitted(own.admit(facts(model=f"made-up{number}"), 0)), 0)
    assert all(over(own, f"victim{number}", 0) for number in range(20))
    assert not over(own, "real", 0)


def test_a_name_of_any_length_is_limited_and_not_kept() -> None:
    own = budgets(a=LimitSettings(per="model", window="minute", requests=1))
    admitted(own.admit(facts(model="x" * 100_000), 0))
    assert isinstance(own.admit(facts(model="y" * 100_000), 0), Exceeded)


def test_no_limits_cost_nothing_and_refuse_nothing() -> None:
    own = budgets()
    assert not own
    assert not own.needs
    own.settle(admitted(own.admit(facts(), 0)), Usage(1, 1), 0)


def test_only_what_limits_need_is_measured() -> None:
    assert budgets(a=LimitSettings(window="day", requests=1, request_bytes=1)).needs == set()
    assert budgets(a=LimitSettings(window="day", usd=1)).needs == {"tokens"}
    assert budgets(a=LimitSettings(request_tokens=1)).needs == {"tokens"}
    assert budgets(a=LimitSettings(request_messages=1), b=LimitSettings(window="day", prompts=1)).needs == {
        "messages",
        "prompt",
    }


def worst_window(spent: Iterable[tuple[int, int]], length: int) -> int:
    """The most that was spent in any stretch [t, t + length), t being the time of one of them."""
    spent = list(spent)
    return max((sum(n for at, n in spent if start <= at < start + length) for start, _ in spent), default=0)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 25 * SECOND),  # how long until it comes
        st.integers(1, 30),  # what it reserves
        st.integers(0, 30),  # what it uses of that
        st.integers(0, 3),  # how many come before it is settled
        st.sampled_from("abcdef"),  # its prompt
    ),
    max_size=60,
)


@given(STEPS)
def test_no_window_ever_holds_more_than_the_amount(steps: list[tuple[int, int, int, int, str]]) -> None:
    table = LimitSettings(window="minute", requests=7, tokens_out=70, prompts=3, concurrent=3)
    own = budgets(all=table)
    now, under_way = 0, list[tuple[int, Admitted, int]]()
    requests, tokens, prompts = [], [], []
    for number, (wait, reserve, used, lives, prompt) in enumerate(steps):
        now += wait
        for entry in [entry for entry in under_way if entry[0] <= number]:
            own.settle(entry[1], Usage(1, entry[2]), now)
            under_way.remove(entry)
        one = own.admit(facts(tokens_out=reserve, prompt=prompt.encode()), now)
        if isinstance(one, Admitted):
            under_way.append((number + lives, one, min(used, reserve)))
            requests.append((now, 1))
            tokens.append((now, min(used, reserve)))
            prompts.append((now, prompt))
        assert len(under_way) <= 3
    assert worst_window(requests, MINUTE) <= 7
    assert worst_window(tokens, MINUTE) <= 70
    assert all(len({p for at, p in prompts if start <= at < start + MINUTE}) <= 3 for start, _ in prompts)
    for _, one, used in under_way:
        own.settle(one, Usage(1, used), now)
    # Nothing has leaked: a window later there is room for all of it again.
    later = now + MINUTE + SECOND
    assert all(isinstance(own.admit(facts(tokens_out=20), later), Admitted) for _ in range(3))


@given(STEPS)
def test_there_is_room_when_it_was_said(steps: list[tuple[int, int, int, int, str]]) -> None:
    own = budgets(
        a=LimitSettings(window="minute", requests=3, tokens_out=50), b=LimitSettings(window="hour", prompts=4)
    )
    now, refused = 0, 0
    for wait, reserve, used, _, prompt in steps:
        now += wait
        asked = facts(tokens_out=reserve, prompt=prompt.encode())
        one = own.admit(asked, now)
        if isinstance(one, Exceeded):
            refused += 1
            assert 1 <= one.retry_after_s <= 3_661
            now += one.retry_after_s * SECOND
            one = own.admit(asked, now)
        own.settle(admitted(one), Usage(1, min(used, reserve)), now)
    assert refused <= len(steps)


@given(STEPS)
def test_the_order_of_limits_does_not_matter(steps: list[tuple[int, int, int, int, str]]) -> None:
    tables = {
        "a": LimitSettings(window="minute", requests=4),
        "b": LimitSettings(window="minute", tokens_out=40, per="all"),
        "c": LimitSettings(window="hour", prompts=4, usd="0.001"),
    }
    orders = [Budgets(limits({name: tables[name] for name in order}), PRICES) for order in permutations(tables)]
    now = 0
    for wait, reserve, used, _, prompt in steps:
        now += wait
        asked = facts(tokens_out=reserve, prompt=prompt.encode())
        outcomes = [own.admit(asked, now) for own in orders]
        assert len({one if isinstance(one, Exceeded) else None for one in outcomes}) == 1
        for own, one in zip(orders, outcomes, strict=True):
            if isinstance(one, Admitted):
                own.settle(one, Usage(5, used), now)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=80))
def test_concurrency_does_not_leak_in_any_order(steps: list[tuple[bool, int]]) -> None:
    own = budgets(a=LimitSettings(concurrent=4), b=LimitSettings(window="minute", tokens=10**9))
    open_: list[Admitted] = []
    for begins, pick in steps:
        if begins:
            one = own.admit(facts(), 0)
            assert isinstance(one, Admitted) == (len(open_) < 4)
            if isinstance(one, Admitted):
                open_.append(one)
            else:
                assert (one.what, one.retry_after_s) == ("concurrent", 1)
        elif open_:
            one = open_.pop(pick % len(open_))
            if pick % 2:
                own.release(one, 0)
            else:
                own.settle(one, None, 0)
    for one in open_:
        own.release(one, 0)
    assert all(isinstance(own.admit(facts(), 0), Admitted) for _ in range(4))
