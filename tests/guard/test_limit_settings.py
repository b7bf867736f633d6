"""Limits and prices as settings: what is taken, what is refused and where, and which price holds for a model."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.guard.settings import (
    PICO_USD,
    SIZES,
    SUMS,
    LimitSettings,
    PriceSettings,
    limit,
    limits,
    matches,
    rate,
    rates,
)
from interlock.knowledge.prices import Rate, prices
from interlock.model.errors import ConfigError


@pytest.mark.parametrize(
    ("table", "where", "what"),
    [
        (LimitSettings(), "", "limits nothing"),
        (LimitSettings(requests=1), "window", "over which time"),
        (LimitSettings(prompts=1, window=""), "window", "over which time"),
        (LimitSettings(window="day", concurrent=1), "window", "counts nothing over it"),
        (LimitSettings(concurrent=1, per=""), "per", "cannot count per ''"),
        (LimitSettings(window="day", usd="1.0000001"), "usd", "cannot be '1.0000001' dollars"),
        (LimitSettings(window="day", usd="-1"), "usd", "cannot be '-1' dollars"),
        (LimitSettings(window="day", usd=0), "usd", "cannot be 0 dollars"),
        (LimitSettings(window="day", usd="1e3"), "usd", "cannot be '1e3' dollars"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(table: LimitSettings, where: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as refused:
        limit("mine", table)
    assert refused.value.where == where
    assert "'mine'" in refused.value.what
    assert refused.value.hint


@pytest.mark.parametrize(
    ("table", "where"),
    [
        (PriceSettings(), "usd_in"),
        (PriceSettings(usd_in=1), "usd_out"),
        (PriceSettings(usd_in="x", usd_out=1), "usd_in"),
    ],
)
def test_a_price_has_both_sides(table: PriceSettings, where: str) -> None:
    with pytest.raises(ConfigError) as refused:
        rate("m", table)
    assert refused.value.where == where


def test_dollars_are_exact() -> None:
    (cents,) = limits({"a": LimitSettings(window="day", usd="0.30")})
    (whole,) = limits({"a": LimitSettings(window="day", usd=2)})
    assert cents.sums == ((SUMS.index("usd"), 300_000 * PICO_USD),)
    assert whole.sums == ((SUMS.index("usd"), 2_000_000 * PICO_USD),)
    assert rate("m", PriceSettings(usd_in="0.000001", usd_out=0)) == Rate(1, 0)


def test_each_amount_is_a_setting() -> None:
    assert {*SUMS, *SIZES} <= {field.name for field in dataclasses.fields(LimitSettings)}


def test_the_operator_wins_and_the_exact_name_before_the_longest_pattern() -> None:
    own = rates({
        "GPT-5-mini": PriceSettings(usd_in=1, usd_out=1),
        "gpt-5*": PriceSettings(usd_in=2, usd_out=2),
        "*": PriceSettings(usd_in=0, usd_out=0),
    })  # fmt: skip
    assert own.of("gpt-5-MINI") == Rate(1_000_000, 1_000_000)
    assert own.of("gpt-5-nano") == Rate(2_000_000, 2_000_000)
    assert own.of("llama3") == Rate(0, 0)


def test_a_bundled_price_holds_for_exactly_its_names() -> None:
    assert rates({}).of("gpt-4o") == prices()["gpt-4o"].rate
    assert rates({}).of("gpt-4o-2024-05-13") != rates({}).of("gpt-4o")
    assert rates({}).of("gpt-4o-2099-01-01") is None
    # The same model at another vendor may cost something else.
    assert rates({}).of("us.anthropic.claude-haiku-4-5-20251001-v1:0") is None


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("**x", "x", True),
        ("a.c", "abc", False),
        ("[a]", "a", False),
        ("ÄB*", "äbc", True),
    ],
)
def test_patterns(pattern: str, text: str, fits: bool) -> None:
    assert matches(pattern, text) == fits


@given(
    st.lists(st.text(alphabet="ab", max_size=3), min_size=1, max_size=5), st.lists(st.text(alphabet="ab", max_size=3))
)
def test_whatever_stands_for_the_stars_fits(parts: list[str], fills: list[str]) -> None:
    fills = [*fills, *[""] * len(parts)]
    text = parts[0] + "".join(fill + part for fill, part in zip(fills, parts[1:], strict=False))
    assert matches("*".join(parts), text)
