"""The pages of MCP servers' tools, and what a person can do there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from interlock.console.render import tool_link
from interlock.mcp.pins import Standing, offered
from interlock.model.errors import AuditError
from interlock.model.record import Record, RecordKind
from interlock.provenance.settings import ToolOverride
from tests.console.asgi import Browser
from tests.console.fakes import NOW, MemoryStore
from tests.console.tools import WORSE, labels, tool_store, tooled

CLOSING = tool_link("tracker", "close_issue")
SENDING = tool_link("tracker", "send_note")


def shown(path: str, store: MemoryStore | None = None, file: Mapping[str, ToolOverride] | None = None) -> str:
    answer = Browser(tooled(store or tool_store(), file)).sign_in().get(path)
    assert answer.status == 200
    return answer.text


def test_what_waits_comes_first_and_is_counted() -> None:
    page = shown("/tools")
    assert "2 tools of MCP servers wait for a person" in page
    assert "New, blocked" in page
    assert "Changed, blocked" in page
    assert "list_issues" not in page
    every = shown("/tools?show=all")
    assert every.index("search/notes") < every.index("close_issue") < every.index("list_issues")
    assert "All 5" in every


def test_the_address_is_all_the_state() -> None:
    assert "search/notes" not in shown("/tools?show=all&server=tracker")
    assert "close_issue" in shown("/tools?show=all&server=tracker")
    assert "None waits" in shown("/tools?show=waiting&server=nobody")
    assert Browser(tooled(tool_store())).sign_in().get("/tools?show=nonsense").status == 400


def test_without_servers_the_page_says_what_would_be_there() -> None:
    assert "No MCP server has been used yet" in shown("/tools", MemoryStore())
    broken = MemoryStore(broken=True)
    assert "not known right now" in shown("/tools", broken)


def test_a_changed_tool_is_told_in_words_and_side_by_side() -> None:
    page = shown(CLOSING)
    assert "it says now that it can delete" in page
    assert "it takes one more argument: url, which decides an address" in page
    assert page.index("Close an issue.") < page.index("Close an issue. It is also deleted.")
    assert "Approve this definition" in page


def test_a_poisoned_tool_says_what_and_where_and_its_text_is_evidence() -> None:
    page = shown(tool_link("notes", "search/notes"))
    assert "is new, and nobody may use it yet" in page
    assert "Asks too much" in page
    assert "&lt;!-- x --&gt;" in page
    assert "<!-- x -->" not in page


def test_labels_are_told_with_why_and_what_the_server_claims() -> None:
    page = shown(tool_link("tracker", "list_issues"))
    assert "its server claims that it does more than its words say (read)" in page
    assert "destructiveHint=true but sink=read" in page
    assert "not a tool" in shown(tool_link("tracker", "(instructions)")).lower()


def test_what_the_file_and_the_console_set_are_both_shown_and_which_counts() -> None:
    store = tool_store()
    store.set_labels(labels(sink="write"))
    assert "Without effect" not in (page := shown(SENDING, store))
    assert "Set here" in page
    page = shown(SENDING, store, {"tracker/send_note": ToolOverride(sink="publish")})
    assert "Without effect" in page
    assert "<b>publish</b>" in page
    assert "<b>write</b>" in shown(SENDING, store, {"send_note": ToolOverride(sink="publish")})


@pytest.mark.parametrize(
    "path", ["/tools/tracker/none", "/tools/nobody/send_note", "/tools/tracker/~zz", "/tools/tracker"]
)
def test_a_tool_that_is_not_known_has_no_page(path: str) -> None:
    assert Browser(tooled(tool_store())).sign_in().get(path).status == 404


# --- what a person does --------------------------------------------------------------------------------------


def form(store: MemoryStore, tool: str = "close_issue", **fields: str) -> dict[str, str]:
    pin = store.pinned["tracker", tool]
    return {"server": "tracker", "tool": tool, "digest": pin.seen_digest, "reason": "looked at it"} | fields


def test_an_approval_is_recorded_and_then_done() -> None:
    store = tool_store()
    browser = Browser(tooled(store)).sign_in()
    answer = browser.fill("/tools/approve", form(store))
    assert (answer.status, answer.header("location")) == (303, f"{CLOSING}?done=approved")
    pin = store.pinned["tracker", "close_issue"]
    assert pin.standing is Standing.APPROVED
    (record,) = store.acts
    assert (record.kind, record.upstream, record.credential) == (RecordKind.OPERATOR, "tracker", pin.approved_by)
    assert record.credential.startswith("console-")
    assert pin.digest in record.reason
    assert (record.steps[0].kind, record.steps[0].tool, record.steps[0].reason) == (
        "approval",
        "close_issue",
        "looked at it",
    )
    assert "is approved" in browser.get(answer.header("location")).text


def test_what_has_changed_since_the_page_was_loaded_is_not_approved() -> None:
    store = tool_store()
    browser = Browser(tooled(store)).sign_in()
    sent = form(store)
    before = store.pinned["tracker", "close_issue"]
    store.keep_pins([offered("tracker", WORSE | {"title": "x"}, before, trusted=False, now_us=NOW)])
    answer = browser.fill("/tools/approve", sent)
    assert answer.header("location") == f"{CLOSING}?done=changed"
    assert store.pinned["tracker", "close_issue"].standing is Standing.CHANGED
    assert store.acts == []
    assert "Not approved" in browser.get(answer.header("location")).text


def test_labels_are_set_and_taken_back() -> None:
    store = tool_store()
    browser = Browser(tooled(store)).sign_in()
    sent = form(
        store, "send_note", do="set", sink="publish", output="internal", decide="these", recipients="to, , to,cc"
    )
    assert browser.fill("/tools/labels", sent).header("location") == f"{SENDING}?done=set"
    (one,) = store.labels()
    assert one.labels == ToolOverride(output="internal", sink="publish", recipients=("to", "cc"))
    assert one.set_by == store.acts[0].credential
    assert "recipients to, cc" in store.acts[0].reason
    assert (
        browser.fill("/tools/labels", form(store, "send_note", do="clear")).header("location")
        == f"{SENDING}?done=cleared"
    )
    assert store.labels() == ()
    assert [record.steps[0].kind for record in store.acts] == ["labels", "labels"]


WRONG: dict[str, tuple[str, dict[str, str], int]] = {
    "no reason": ("approve", {"reason": "  "}, 400),
    "a long reason": ("approve", {"reason": "x" * 201}, 400),
    "no such tool": ("approve", {"tool": "none"}, 404),
    "no such server": ("labels", {"server": "nobody", "sink": "read"}, 404),
    "no such sink": ("labels", {"sink": "nothing"}, 400),
    "no such output": ("labels", {"output": "fine"}, 400),
    "nothing set": ("labels", {}, 400),
    "long names": ("labels", {"decide": "these", "recipients": "x" * 129}, 400),
    "many names": ("labels", {"decide": "these", "recipients": ",".join(f"a{n}" for n in range(101))}, 400),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_no_form_of_ours_sends_changes_nothing(case: str) -> None:
    path, fields, status = WRONG[case]
    store = tool_store()
    answer = Browser(tooled(store)).sign_in().fill(f"/tools/{path}", form(store) | fields)
    assert answer.status == status
    assert (store.acts, store.labels()) == ([], ())
    assert store.pinned["tracker", "close_issue"].standing is Standing.CHANGED


@pytest.mark.parametrize(
    ("headers", "token", "status"),
    [((), False, 403), ((("origin", "https://evil.example"),), True, 403), ((("cookie", ""),), True, 401)],
    ids=["no token", "another site", "nobody"],
)
def test_nobody_else_can_change_anything(headers: tuple[tuple[str, str], ...], token: bool, status: int) -> None:
    store = tool_store()
    answer = Browser(tooled(store)).sign_in().fill("/tools/approve", form(store), *headers, token=token)
    assert answer.status == status
    assert store.acts == []
    assert store.pinned["tracker", "close_issue"].standing is Standing.CHANGED


def test_what_cannot_be_recorded_is_not_done() -> None:
    store = tool_store()

    def refuse(_record: Record) -> Any:
        raise AuditError("the disk is full")

    browser = Browser(replace(tooled(store), record=refuse)).sign_in()
    answer = browser.fill("/tools/approve", form(store))
    assert answer.status == 503
    assert "the disk is full" in answer.text
    assert store.pinned["tracker", "close_issue"].standing is Standing.CHANGED


def test_a_form_goes_only_by_post() -> None:
    browser = Browser(tooled(tool_store())).sign_in()
    assert browser.get("/tools/approve").status in (404, 405)
    assert browser.get(f"/tools/labels?{quote('tool=x')}").status in (404, 405)
