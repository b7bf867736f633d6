"""A session told from its records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.console.timeline import Outcome, Rail, Source, Timeline, timeline
from interlock.model.record import Argument, Origin, Record, RecordKind, Step, Verdict
from interlock.store import Stored
from tests.console.fakes import NOW, exchange, hijacked, quiet
from tests.console.scenes import EXTRA, various


def told(*records: Record) -> Timeline:
    return timeline("s", [Stored("main", n, f"{n:064x}", record) for n, record in enumerate(records)])


def test_the_hijacked_session_step_by_step() -> None:
    line = told(*hijacked())
    assert [(entry.n, entry.kind, entry.outcome.value, entry.rail.value) for entry in line.entries] == [
        (1, "system", "note", ""),
        (2, "user", "note", ""),
        (3, "model", "allow", ""),
        (4, "call", "allow", ""),
        (5, "tool_result", "note", "taint"),
        (6, "model", "allow", "taint"),
        (7, "call", "allow", "taint"),
        (8, "tool_result", "note", "taint"),
        (9, "model", "allow", "taint"),
        (10, "call", "block", "taint"),
        (11, "model", "allow", "taint"),
        (12, "output", "note", "taint"),
    ]
    assert line.turn is line.entries[4]
    assert [entry.turns for entry in line.entries].count(True) == 1
    assert (line.model_calls, line.tool_calls) == (4, 3)
    assert [origin.value for origin in line.origins] == ["user", "system", "internal", "untrusted", "model"]


def test_where_each_value_came_from() -> None:
    pay = told(*hijacked()).blocked[0]
    assert {value.name: value.sources for value in pay.values} == {
        "invoice_id": (Source(Origin.USER),),
        "iban": (Source(Origin.UNTRUSTED, "read_invoice", (5,)),),
        "amount": (Source(Origin.INTERNAL, "vendor_record", (8,)),),
        "memo": (Source(Origin.MODEL),),
    }
    assert [value.name for value in pay.suspects] == ["iban"]


def test_the_most_trusted_place_counts() -> None:
    look = told(*hijacked()).entries[6].values[0]
    assert look.origin is Origin.USER
    assert look.sources == (Source(Origin.USER), Source(Origin.UNTRUSTED, "read_invoice", (5,)))


def test_a_value_of_two_tools_is_placed_by_their_origins() -> None:
    results = (
        Step("tool_result", tool="web", origin=Origin.UNTRUSTED),
        Step("tool_result", tool="crm", origin=Origin.INTERNAL),
    )
    call = Step(
        "call", tool="mail", arguments=(Argument("to", "x", (Origin.UNTRUSTED, Origin.INTERNAL), ("web", "crm")),)
    )
    value = told(*exchange("s", "r", results, (call,))).entries[-1].values[0]
    assert value.sources == (Source(Origin.INTERNAL, "crm", (2,)), Source(Origin.UNTRUSTED, "web", (1,)))


def test_of_several_results_none_is_preferred() -> None:
    results = tuple(Step("tool_result", tool="web", size=n + 1, origin=Origin.UNTRUSTED) for n in range(3))
    call = Step("call", tool="mail", arguments=(Argument("to", "x", (Origin.UNTRUSTED,), ("web",)),))
    value = told(*exchange("s", "r", results, (call,))).entries[-1].values[0]
    assert value.sources == (Source(Origin.UNTRUSTED, "web", (1, 2, 3)),)


def test_no_origin_is_left_out_even_if_no_step_can_be_named() -> None:
    result = Step("tool_result", tool="crm", origin=Origin.INTERNAL)
    call = Step("call", tool="mail", arguments=(Argument("to", "x", (Origin.UNTRUSTED,), ("crm",)),))
    assert told(*exchange("s", "r", (result,), (call,))).entries[-1].values[0].sources == (Source(Origin.UNTRUSTED),)
    unseen = told(*exchange("s", "r", (), (call,))).entries[-1].values[0]
    assert unseen.sources == (Source(Origin.UNTRUSTED, "crm"),)


def test_a_value_without_origin_is_not_known() -> None:
    call = Step("call", tool="mail", arguments=(Argument("to", "x", ()),))
    value = told(*exchange("s", "r", (), (call,))).entries[-1].values[0]
    assert (value.origin, value.sources) == (None, (Source(None),))


def test_internal_results_colour_the_rail_until_untrusted_text_does() -> None:
    first = exchange("s", "1", (Step("tool_result", tool="crm", origin=Origin.INTERNAL),), ())
    second = exchange("s", "2", (Step("tool_result", tool="web", origin=Origin.UNTRUSTED),), ())
    third = exchange("s", "3", (Step("tool_result", tool="crm", origin=Origin.INTERNAL),), ())
    rails = [entry.rail for entry in told(*first, *second, *third).entries if entry.kind == "tool_result"]
    assert rails == [Rail.INTERNAL, Rail.UNTRUSTED, Rail.UNTRUSTED]


def test_a_request_without_an_answer_is_not_known() -> None:
    line = told(quiet("s")[0])
    assert line.entries[-1].outcome is Outcome.UNKNOWN
    assert line.entries[-1].latency_us is None
    assert line.blocked == ()


def test_a_request_that_was_blocked_is() -> None:
    request = quiet("s")[0]._replace(verdict=Verdict.BLOCKED, reason="not in its scope", policies=("scope",))
    line = told(request)
    assert line.entries[-1].kind == "model"
    assert line.entries[-1].outcome is Outcome.BLOCKED
    assert line.entries[-1].reason == "not in its scope"


def test_a_step_that_says_why_is_told_once() -> None:
    step = Step("user", size=9, verdict=Verdict.BLOCKED, reason="asked for a key")
    request = quiet("s")[0]._replace(verdict=Verdict.BLOCKED, reason="asked for a key", steps=(step,))
    assert [(entry.kind, entry.outcome.value) for entry in told(request).entries] == [("user", "block")]


def test_an_answer_blocked_as_a_whole_is_told() -> None:
    request, answer = quiet("s")
    blocked = answer._replace(verdict=Verdict.BLOCKED, reason="the upstream answered nonsense", steps=())
    last = told(request, blocked).entries[-1]
    assert (last.kind, last.outcome, last.reason) == ("output", Outcome.BLOCKED, "the upstream answered nonsense")


def test_a_refusal_is_a_step() -> None:
    line = told(Record(RecordKind.REFUSAL, NOW, verdict=Verdict.BLOCKED, status=400, reason="duplicate key"))
    assert [(entry.kind, entry.status, entry.reason) for entry in line.entries] == [("refused", 400, "duplicate key")]


steps = st.builds(
    Step,
    kind=st.sampled_from(["user", "system", "tool_result", "call", "output", "something new"]),
    tool=st.sampled_from(["", "web", "crm"]),
    origin=st.none() | st.sampled_from(Origin),
    verdict=st.sampled_from(Verdict),
    arguments=st.lists(
        st.builds(
            Argument,
            name=st.text(max_size=3),
            shown=st.text(max_size=3),
            origins=st.lists(st.sampled_from(Origin), max_size=4).map(tuple),
            seen_in=st.lists(st.sampled_from(["web", "crm", "other"]), max_size=3).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)
records = st.builds(
    Record,
    kind=st.sampled_from(RecordKind),
    at_us=st.integers(0, 10**16),
    request=st.sampled_from(["r1", "r2"]),
    verdict=st.sampled_from(Verdict),
    steps=st.lists(steps, max_size=4).map(tuple),
)


@given(st.lists(records, min_size=1, max_size=8))
def test_any_records_make_a_timeline(given_records: list[Record]) -> None:
    line = told(*given_records)
    assert [entry.n for entry in line.entries] == list(range(1, len(line.entries) + 1))
    assert sum(len(record.steps) for record in given_records) <= len(line.entries)
    untrusted = [entry.n for entry in line.entries if entry.origin is Origin.UNTRUSTED]
    assert (line.turn.n if line.turn else None) == (untrusted[0] if untrusted else None)
    assert all((entry.rail is Rail.UNTRUSTED) == bool(untrusted and entry.n >= untrusted[0]) for entry in line.entries)
    arguments = [argument for record in given_records for step in record.steps for argument in step.arguments]
    values = [value for entry in line.entries for value in entry.values]
    for entry in line.entries:
        assert all(step < entry.n for value in entry.values for source in value.sources for step in source.steps)
    for argument, value in zip(arguments, values, strict=True):
        assert {source.origin for source in value.sources} == set(argument.origins or (None,))


@pytest.mark.parametrize("count", [500])
def test_five_hundred_steps(count: int) -> None:
    asked = tuple(Step("user", size=n + 1, origin=Origin.USER) for n in range(count))
    assert len(told(*exchange("s", "r", asked, ())).entries) == count + 1


def test_each_kind_of_step_and_what_became_of_it() -> None:
    line = told(*various())
    assert [(entry.kind, entry.outcome, entry.said) for entry in line.entries] == [
        ("user", Outcome.RECORDED, ""),
        ("image", Outcome.RECORDED, ""),
        ("file", Outcome.RECORDED, ""),
        ("tool_result", Outcome.RECORDED, ""),
        ("extra", Outcome.BLOCKED, "Taken out"),
        ("hidden", Outcome.RECORDED, "Hidden"),
        ("model", Outcome.ALLOWED, ""),
        ("upstream", Outcome.FAILED, "Passed over"),
        ("output", Outcome.BLOCKED, "Replaced in part"),
        ("output", Outcome.OBSERVED, ""),
        ("call", Outcome.FAILED, "Not released"),
    ]
    model = line.entries[6]
    assert (model.protocol, model.upstream, model.model) == ("anthropic-messages", "anthropic", "claude-sonnet-5")
    assert line.turn is line.entries[1]
    assert line.turn.is_media
    assert line.taken == ("logprobs",)
    assert [entry.n for entry in line.observed] == [10]
    assert [entry.size for entry in line.hidden] == [3]


def test_why_a_request_was_refused_is_told_whatever_was_to_be_taken_out() -> None:
    request = quiet("s")[0]._replace(verdict=Verdict.BLOCKED, reason="not in its scope", steps=(EXTRA,))
    assert [(entry.kind, entry.reason) for entry in told(request).entries] == [
        ("extra", EXTRA.reason),
        ("model", "not in its scope"),
    ]
