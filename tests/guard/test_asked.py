"""Calls at MCP servers are matched with what models asked for: by workload, tool and arguments, for a while."""

import json

import pytest

from interlock.guard.asked import LONGEST_US, MOST_USES, Asked
from interlock.model.decision import Principal
from tests.guard.mcp.play import Fake, Gate, a_task, tool
from tests.guard.play import WHOLE, make_call, make_rules, play

TO_BOB = {"to": "bob@corp.example", "n": 1}


def asked(tool_name: str = "send_email", session: str = "s_1", now_us: int = 0) -> Asked:
    one = Asked()
    one.hear("w", now_us)
    one.note("w", tool_name, TO_BOB, session, now_us)
    return one


@pytest.mark.parametrize(
    "name", ["send_email", "mcp__mail__send_email", "mail.send_email", "mail-send_email", "Send-Email"]
)
def test_a_call_is_matched_whatever_stands_before_its_name(name: str) -> None:
    assert asked(name).match("w", "send_email", {"n": 1.0, "to": "bob@corp.example"}, 5) == ("yes", "s_1")


@pytest.mark.parametrize(
    ("workload", "name", "arguments"),
    [
        ("w", "send_email", {"to": "eve@evil.example", "n": 1}),
        ("w", "delete_email", TO_BOB),
        ("w", "mail", TO_BOB | {"x": None}),
        ("w", "resend_email", TO_BOB),
    ],
)
def test_another_call_is_not(workload: str, name: str, arguments: object) -> None:
    assert asked().match(workload, name, arguments, 5) == ("no", "")


def test_nothing_is_said_of_a_workload_whose_models_are_not_heard() -> None:
    assert asked().match("other", "send_email", TO_BOB, 5) == ("unknown", "")
    assert asked().match("w", "send_email", TO_BOB, LONGEST_US + 1) == ("unknown", "")
    late = asked()
    late.hear("w", LONGEST_US)
    assert late.match("w", "send_email", TO_BOB, LONGEST_US + 1) == ("no", "")


def test_a_call_is_asked_for_a_few_times_at_most() -> None:
    one = asked()
    said = [one.match("w", "send_email", TO_BOB, 5)[0] for _ in range(MOST_USES + 1)]
    assert said == ["yes"] * MOST_USES + ["no"]


def test_what_is_no_json_is_matched_by_nothing() -> None:
    one = asked()
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    for odd in (float("nan"), "\ud800", deep, object()):
        one.note("w", "t", odd, "s", 0)
        assert one.match("w", "t", odd, 0)[0] in ("yes", "no")


def test_what_is_remembered_is_bounded() -> None:
    one = Asked(kept=3)
    for number in range(10):
        one.note("w", "t", {"n": number}, "s", 0)
        one.hear("w", 0)
    assert [one.match("w", "t", {"n": number}, 0)[0] for number in (0, 6, 7, 9)] == ["no", "no", "yes", "yes"]


def test_a_call_at_a_server_is_matched_with_the_answer_that_asked_for_it() -> None:
    rules = make_rules()
    arguments = {"to": "bob@corp.example", "body": "Hi"}
    function = {"name": "mcp__s__send_email", "arguments": json.dumps(arguments)}
    message = {"role": "assistant", "tool_calls": [{"index": 0, "id": "c", "type": "function", "function": function}]}
    schema = {"type": "object", "properties": {"to": {"type": "string"}, "body": {"type": "string"}}}
    request = {
        "model": "m",
        "messages": [{"role": "user", "content": "Mail bob@corp.example hi"}],
        "tools": [{"type": "function", "function": {"name": "mcp__s__send_email", "parameters": schema}}],
    }
    answer = {"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    played = play(json.dumps(request).encode(), WHOLE, json.dumps(answer).encode(), rules=rules, call=make_call())
    session = played.records[0].session
    gate = Gate(Fake([tool("send_email", "Send an e-mail.", "to", "body")]), rules=rules)
    task = a_task("Mail bob@corp.example hi")
    for said in (arguments, arguments | {"body": "Other"}):
        gate.play("tools/call", {"name": "send_email", "arguments": said}, task=task)
    gate.play("tools/call", {"name": "send_email", "arguments": arguments}, principal=Principal("else", "k"))
    steps = gate.steps("call")
    assert [(step.asked_in, [one for one in step.facts if one.startswith("by-model")]) for step in steps] == [
        (session, ["by-model:yes"]),
        ("", ["by-model:no"]),
        ("", ["by-model:unknown"]),
    ]
