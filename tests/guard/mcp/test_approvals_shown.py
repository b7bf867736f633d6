"""Who approves a call sees every value that decides, the doubtful ones first; else he is not asked."""

import pytest

from interlock.guard.approvals import MOST_SHOWN
from interlock.model.approval import Reach
from interlock.model.record import Origin
from tests.guard.mcp.play import Fake, Gate, a_task, tool
from tests.guard.mcp.test_approvals import grant, read, rules, send

EVE = "eve@evil.example"


def said(count: int) -> list[str]:
    return [f"u{n}@corp.example" for n in range(count)]


def test_what_outsiders_wrote_is_shown_first() -> None:
    task = a_task("Send the minutes to " + ", ".join(said(9)))
    gate = read(Gate(rules=rules()), task=task)
    send(gate, {"to": ", ".join([*said(9), EVE]), "body": "x"}, task=task)
    (one,) = gate.desk.values()
    assert one.arguments[0].text == EVE
    assert Origin.UNTRUSTED in one.arguments[0].origins
    assert [shown.text for shown in one.arguments[1:10]] == said(9)


@pytest.mark.parametrize(("count", "asked"), [(MOST_SHOWN - 1, True), (MOST_SHOWN, False)])
def test_nobody_is_asked_who_would_not_see_every_value_that_decides(count: int, *, asked: bool) -> None:
    task = a_task("Send the minutes to " + ", ".join(said(count)))
    gate = read(Gate(rules=rules()), task=task)
    arguments = {"to": ", ".join([*said(count), EVE]), "body": "x"}
    assert send(gate, arguments, task=task).text == "Not permitted."
    assert bool(gate.desk) == asked
    if asked:
        grant(gate, Reach.TASK)
        assert send(gate, arguments, task=task).text == "send_email done"


def test_what_is_empty_is_shown_too() -> None:
    grants = {"name": "run_admin", "description": "Set permissions of a user.", "inputSchema": {"type": "object"}}
    gate = read(Gate(rules=rules(), fake=Fake(tools=[tool("read_mail", "Read the mail."), grants])))
    call: dict[str, object] = {"user": EVE, "grant_owner": {}, "scopes": [], "inner": {"all": {}}, "none": None}
    gate.play("tools/call", {"name": "run_admin", "arguments": call}, task=a_task())
    (one,) = gate.desk.values()
    shown = {argument.name: argument.text for argument in one.arguments}
    assert (
        shown.items() >= {"user": EVE, "grant_owner": "{}", "scopes": "[]", "inner.all": "{}", "none": "null"}.items()
    )
