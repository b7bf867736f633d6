"""Caps: how often and for how much, by conversation."""

import json
from decimal import Decimal

import pytest

from interlock.guard.answer import AnswerJudge
from interlock.guard.caps import Cap, Caps, Counters, amount_of, caps
from interlock.guard.inspect import inspect
from interlock.model.errors import ConfigError
from interlock.model.event import Channel, Text, ToolCall, ToolDefinition
from interlock.provenance import ToolLabels
from tests.guard.play import make_call, make_rules

PAY = ToolLabels(sink="money", name="pay", kinds={"amount": "amount"})


def test_caps_as_settings_write_them() -> None:
    assert caps(["delete 10", "money 3", "money  sum 500.50"], "") == {
        "delete": Cap(10), "money": Cap(3, Decimal("500.50")),
    }  # fmt: skip
    for wrong in ("delete", "delete -1", "fly 3", "money sum", "money sum x", "money 1.5", ""):
        with pytest.raises(ConfigError, match="is no cap"):
            caps([wrong], "[policy] caps")


def test_calls_and_amounts_are_counted_by_conversation() -> None:
    bounds = Caps(caps(["money 3", "money sum 100"], ""), {"free": {}, "strict": caps(["money 0"], "")})

    def over(amount: object, workload: str = "w", session: str = "s") -> bool:
        return bounds.exceeds(workload, session, PAY, "money", {"amount": amount})

    assert not over(100)
    assert over(100.01)
    assert over("much")
    assert over(None)
    bounds.count("w", "s", PAY, "money", {"amount": "60"})
    assert over(41)
    assert not over(40)
    assert not over(41, session="other")
    assert not over(1_000_000, workload="free")
    assert over(0, workload="strict")
    bounds.count("w", "s", PAY, "money", {"amount": 1})
    bounds.count("w", "s", PAY, "money", {"amount": 1})
    assert over(0)
    assert not bounds.exceeds("w", "s", PAY, "delete", {})


def test_an_amount_that_is_no_number_is_not_known() -> None:
    assert amount_of(PAY, {"amount": -5, "to": "x"}) == 5
    assert amount_of(PAY, {"amount": 5, "total": "2.5"}) == Decimal("7.5")
    several: tuple[object, ...] = ("NaN", "Infinity", True, [1], None)
    wrongs: list[object] = [None, [], {}, *({"amount": amount} for amount in several)]
    for wrong in wrongs:
        assert amount_of(PAY, wrong) is None


def test_no_more_conversations_are_kept_than_so_many() -> None:
    counters = Counters(kept=2)
    for session in ("a", "b", "c"):
        counters.add("w", session, "delete", Decimal(0))
    assert len(counters) == 2
    assert counters.of("w", "a", "delete") == (0, Decimal(0))
    assert counters.of("w", "c", "delete") == (1, Decimal(0))


def test_the_call_beyond_the_cap_waits_for_a_person_and_one_that_was_refused_does_not_count() -> None:
    rules = make_rules()
    object.__setattr__(rules, "caps", Caps(caps(["delete 2"], "")))
    tool = ToolDefinition((), "delete_file", "Delete a file.", {"properties": {"file_id": {"type": "string"}}})
    said = Text((), Channel.USER, "Delete the files report-17, report-18 and report-19.")
    call = make_call()

    def decided(number: int, name: str = "delete_file") -> tuple[bool, tuple[str, ...]]:
        judge = AnswerJudge(call, inspect((tool, said), "w", "r", rules), rules)
        verdict = judge.call(ToolCall((), "c", name, json.dumps({"file_id": f"report-{number}"})))
        return verdict.allowed, verdict.step.policies

    assert decided(17, "remove_file")[0] is False  # nobody offered it
    assert decided(17) == (True, ("tool-in-scope",))
    assert decided(18) == (True, ("tool-in-scope",))
    assert decided(19) == (False, ("cap-reached",))
