"""The bundled prices: each with its page and day, exact, each name once."""

import re
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.knowledge import families
from interlock.knowledge.prices import Price, Rate, micro_usd, prices


def test_each_price_says_where_and_when_it_was_seen() -> None:
    assert len(prices()) >= 30
    for price in prices().values():
        assert re.fullmatch(
            r"https://(?:developers\.openai|platform\.claude)\.com/docs/\S+|https://\S+/pricing", price.ref
        )
        assert date(2026, 1, 1) <= date.fromisoformat(price.as_of)


def test_each_name_stands_once_and_is_a_model_s() -> None:
    listed = [model for price in {id(p): p for p in prices().values()}.values() for model in price.models]
    assert len(listed) == len(set(listed)) == len(prices())
    assert all(model == model.lower() for model in listed)
    assert all(any(re.fullmatch(family.regex, model) for family in families()) for model in listed)


def test_no_price_is_off_by_a_factor_of_a_thousand() -> None:
    for model, price in prices().items():
        rate = price.rate
        assert 10_000 <= rate.micro_in <= 20_000_000, model
        assert rate.micro_out == 0 if "embedding" in model else rate.micro_in <= rate.micro_out <= 100_000_000, model


def test_a_cost_is_exact() -> None:
    # 1,234,567 tokens at 0.25 and 7,654 at 2 dollars a million: 0.32394975 dollars.
    assert Rate(250_000, 2_000_000).cost(1_234_567, 7_654) == 323_949_750_000


@pytest.mark.parametrize(
    "amount", ["", " 1", "1 ", "+1", "1.", ".5", "1,5", "1_0", "٣", "9999999999", "0.1234567", "1\n"]
)
def test_what_is_no_plain_amount_is_refused(amount: str) -> None:
    assert micro_usd(amount) is None


@given(st.integers(0, 10**9 - 1), st.integers(0, 999_999))
def test_amounts_are_read_without_loss(whole: int, micro: int) -> None:
    assert micro_usd(f"{whole}.{micro:06}") == whole * 1_000_000 + micro
    assert micro_usd(whole) == whole * 1_000_000


def test_a_price_with_a_wrong_amount_does_not_load_as_one() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"models":["m"],"usd_in":1.5,"usd_out":"1","as_of":"","ref":""}', type=Price)
