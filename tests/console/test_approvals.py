"""The approvals pages: what waits, the exact call with nothing hidden, and a decision that is on record and first."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from interlock.model.approval import Approval, Reach, Shown, Standing
from interlock.model.errors import AuditError
from interlock.model.record import Origin, RecordKind, Step, Verdict
from interlock.policy.approvals import ApprovalSettings, decided, record_of
from tests.console.asgi import Browser
from tests.console.fakes import NOW, SECOND, MemoryStore, exchange, sources
from tests.console.reader import read

LATER = NOW + 600 * SECOND


def asked(id_: str = "a-1", **other: Any) -> Approval:
    iban = Shown("iban", "DE89370400440532013000", 22, "d1", True, (Origin.UNTRUSTED,), ("read_invoice",))
    note = Shown(
        "note", "begin", 9_000, "d2", False, (), (), ("mixes letters of several scripts in one word",), "the end"
    )
    one = Approval(
        id_, f"{id_}b1nd1ng", "invoice-agent", "k1", "t1", True, "", "bank", "send_payment", "money", (iban, note), 0,
        ("argument-from-untrusted-text",), "It came from outside.", asked_us=NOW - 60 * SECOND, expires_us=LATER,
    )  # fmt: skip
    return replace(one, **other)


def holding(*asked_: Approval) -> MemoryStore:
    return MemoryStore(asked={one.id: one for one in asked_})


def decide(store: MemoryStore, do: str, id_: str = "a-1", reason: str = "read in full", **more: Any) -> Any:
    fields: Mapping[str, str] = {"id": id_, "do": do, "reason": reason}
    return Browser(sources(store)).sign_in().fill("/approvals/decide", fields, **more)


def test_the_list_says_what_waits_and_what_is_over() -> None:
    over = asked("a-2", granted=False, decided_by="console-7", decided_us=NOW - SECOND)
    page = read(sources(holding(asked(), over, asked("a-3", expires_us=NOW))), "/approvals")
    assert "1 call waits for a person" in page.text
    assert "10 min 0 s left" in page.text
    assert "Denied" in page.text
    assert "Expired" in page.text


def test_a_request_shows_every_value_whole() -> None:
    page = read(sources(holding(asked())), "/approvals/a-1")
    for said in (
        "invoice-agent wants to call send_payment", "DE89370400440532013000", "untrusted text",
        "the result of read_invoice, which outsiders can write", "the end", "9,000 characters, hash d2",
        "Careful: it mixes letters of several scripts in one word", "not judged by policy", "a-1b1nd1ng",
        "Approve this call once", "Approve for this task",
    ):  # fmt: skip
        assert said in page.text, said


def test_what_somebody_else_wrote_is_shown_and_never_markup() -> None:
    evil = Shown("<b>", "<script>x</script>\u202e\u200b", 22, "d", True, (Origin.MODEL,), ("<i>",))
    hostile = asked(arguments=(evil,), tool="t<script>", workload="w<script>", reason="<img>", left_out=3)
    store = holding(hostile)
    answer = Browser(sources(store)).sign_in().get("/approvals/a-1")
    assert "<script>x" not in answer.text
    assert "U+202E" in answer.text
    assert "U+200B" in answer.text
    assert "3 more arguments are not shown" in answer.text


@pytest.mark.parametrize(
    ("do", "granted", "reach"),
    [("once", True, Reach.ONCE), ("task", True, Reach.TASK), ("deny", False, Reach.ONCE)],
)
def test_a_decision_is_on_record_first(do: str, granted: bool, reach: Reach) -> None:
    store = holding(asked())
    answer = decide(store, do)
    assert (answer.status, answer.header("location").partition("?")[0]) == (303, "/approvals/a-1")
    one = store.asked["a-1"]
    assert (one.granted, one.reach, one.why) == (granted, reach, "read in full")
    (record,) = store.acts
    assert record.kind is RecordKind.OPERATOR
    assert record.verdict is (Verdict.ALLOWED if granted else Verdict.BLOCKED)
    assert record.credential == one.decided_by
    assert record.steps[0].digest == "a-1b1nd1ng"
    assert "DE89" not in str(record)


def test_nothing_is_decided_that_cannot_be_recorded() -> None:
    store = holding(asked())

    def full(_: object) -> None:
        raise AuditError("the disk is full")

    given = replace(sources(store), record=full)
    answer = Browser(given).sign_in().fill("/approvals/decide", {"id": "a-1", "do": "once", "reason": "x"})
    assert answer.status >= 500
    assert store.asked["a-1"].granted is None


@pytest.mark.parametrize(
    "one",
    [
        asked(granted=False, decided_by="other", decided_us=1),
        asked(granted=True, decided_by="other", decided_us=1),
        asked(granted=True, decided_by="other", decided_us=1, used_us=2),
        asked(expires_us=NOW),
    ],
)
def test_what_was_decided_before_stands(one: Approval) -> None:
    store = holding(one)
    answer = decide(store, "once")
    assert answer.header("location").endswith("done=late")
    assert (store.asked["a-1"], store.acts) == (one, [])


def test_a_yes_can_be_taken_back_until_it_is_used() -> None:
    store = holding(asked(granted=True, decided_by="other", decided_us=1))
    assert "Take it back" in read(sources(store), "/approvals/a-1").text
    decide(store, "deny")
    assert store.asked["a-1"].standing(NOW) is Standing.DENIED


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"do": "always"}, 400), ({"do": ""}, 400), ({"reason": ""}, 400), ({"reason": "x" * 201}, 400),
        ({"id_": "a-9"}, 404), ({"id_": "../tools"}, 404), ({"token": False}, 403),
    ],
)  # fmt: skip
def test_other_forms_decide_nothing(fields: dict[str, Any], status: int) -> None:
    store = holding(asked())
    said: dict[str, Any] = {"do": "once", **fields}
    assert decide(store, said.pop("do"), **said).status == status
    assert (store.asked["a-1"].granted, store.acts) == (None, [])


def test_nobody_decides_from_another_site_or_without_a_session() -> None:
    store = holding(asked())
    browser = Browser(sources(store)).sign_in()
    fields = {"id": "a-1", "do": "once", "reason": "x"}
    assert browser.fill("/approvals/decide", fields, ("origin", "https://evil.example")).status == 403
    browser.cookie = ""
    assert browser.fill("/approvals/decide", fields).status in (401, 403)
    assert store.asked["a-1"].granted is None


def test_without_a_task_there_is_no_yes_for_one() -> None:
    store = holding(asked(session="", is_task=False))
    assert "Approve for this" not in read(sources(store), "/approvals/a-1").text
    decide(store, "task")
    assert store.asked["a-1"].reach is Reach.ONCE


def test_the_first_page_says_how_many_wait() -> None:
    assert "1 call waits for a person" in read(sources(holding(asked())), "/").text
    assert "for a person" not in read(sources(holding()), "/").text


def test_what_is_not_there_and_what_cannot_be_read() -> None:
    assert "There is no such page" in read(sources(holding()), "/approvals/a-9", 404).text
    gone = holding(asked())
    gone.broken = True
    assert "not known right now" in read(sources(gone), "/approvals").text
    assert "not known right now" in read(sources(gone), "/approvals/a-1", 503).text


def test_a_webhook_that_fails_is_said() -> None:
    given = replace(sources(holding()), untold=lambda: "chat.example was not told of a-1: it answered 500")
    assert "chat.example was not told of a-1" in read(given, "/approvals").text


def test_a_session_tells_what_waited_who_decided_and_what_was_used() -> None:
    store = holding(asked("a-0123456789ab"))
    ask, answer = exchange(
        "t1", "r1", (Step("user", size=9, origin=Origin.USER),),
        (Step("call", tool="send_payment", sink="money", verdict=Verdict.BLOCKED,
              reason="It came from outside. Waits for approval: a-0123456789ab."),),
    )  # fmt: skip
    decision = decided(
        asked("a-0123456789ab"), ApprovalSettings(), NOW + 2 * SECOND, "console-1", granted=True, why="ok"
    )
    used = Step("call", tool="send_payment", sink="money", reason="Approved once, by console-1: a-0123456789ab.")
    store.log(ask, answer, record_of(decision), *exchange("t1", "r2", (), (used,), at_us=NOW + 3 * SECOND))
    page = read(sources(store), "/sessions/t1")
    assert page.text.count("approval a-0123456789ab") == 3
    assert "A person decided" in page.text
    assert "a-0123456789ab was approved once. By console-1" in page.text
