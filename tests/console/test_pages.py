"""What the pages say, in every state, of friendly and of hostile data."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from interlock.console.sources import AuditStatus
from interlock.model.errors import AuditError, StoreError
from interlock.model.record import Argument, Origin, Step, Verdict
from tests.console.asgi import OWN, Browser
from tests.console.fakes import (
    NO,
    NOW,
    SECOND,
    UNKNOWN,
    YES,
    MemoryStore,
    covered,
    exchange,
    five,
    hijacked,
    of,
    quiet,
    row,
    sources,
    telling,
)
from tests.console.reader import Reader, read
from tests.governance.scans import finding


def failing(error: Exception) -> Callable[[], Any]:
    def fail() -> NoReturn:
        raise error

    return fail


def test_the_overview_answers_in_its_heading() -> None:
    page = read(telling(), "/")
    assert page.headings[0] == "1 of 4 workloads is interlocked"
    assert "1 complete, 2 partly, 1 open" in page.text
    assert "1 more has traffic and is in no inventory" in page.text
    assert "1 request refused at the door" in page.text
    assert "/sessions/7f3a91c2d4e5" in page.hrefs
    assert "Audit log verified, 13 records checked" in page.text


@pytest.mark.parametrize(
    ("gap", "names"),
    [
        ("not-enforced", {"kb-search", "hr-screening"}),
        ("shadow", {"ci-release-notes"}),
        ("no-owner", {"hr-screening", "ci-release-notes"}),
        ("no-scope", {"support-copilot", "hr-screening", "ci-release-notes"}),
        ("not-clean", {"hr-screening"}),
    ],
)
def test_a_gap_shows_its_workloads(gap: str, names: set[str]) -> None:
    page = Browser(telling()).sign_in().get(f"/?gap={gap}").text
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    every = ("invoice-agent", "kb-search", "hr-screening", "ci-release-notes", "support-copilot")
    assert {name for name in every if f"<bdi>{name}</bdi>" in table} == names


def test_findings_of_no_workload_are_counted_beside_the_gap() -> None:
    shown = replace(five(), unassigned=(finding("bot"), finding("bot")))
    assert "Not clean1A high finding is open, 2 more in no workload" in read(sources(shown=shown), "/").text


def test_a_gap_without_workloads_names_the_filter_to_drop() -> None:
    page = read(sources(shown=covered(row("fine", (YES,) * 5))), "/?gap=shadow")
    assert "No workload has this gap" in page.text
    assert "/#coverage" in page.hrefs


def test_what_is_not_known_is_neither_zero_nor_fine() -> None:
    page = read(sources(shown=covered(row("dark", (UNKNOWN,) * 5))), "/")
    assert page.headings[0] == "0 of 1 workload is interlocked"
    text = Browser(sources(shown=covered(row("dark", (UNKNOWN,) * 5)))).sign_in().get("/").text
    table = text.partition("<tbody>")[2].partition("</tbody>")[0]
    assert table.count('class="mark unk"') == 5
    assert "mark yes" not in table
    assert "mark no" not in table
    assert 'aria-label="posture not known, runtime not known"' in table


def test_without_a_scan_only_what_is_known_is_counted() -> None:
    given = sources(shown=covered(row("keyed", (UNKNOWN, NO, YES, YES, UNKNOWN), discovered=False), scanned=False))
    page = read(given, "/")
    assert page.headings[0] == "How many workloads are interlocked is not known: nothing was scanned yet"
    assert page.text.count("not knownNeeds a scan") == 5
    assert "No explicit scope1" in page.text
    assert "0 of" not in page.text
    assert "interlock scan ." in page.text


def test_a_scan_that_found_nothing_says_so() -> None:
    assert read(sources(shown=covered()), "/").headings[0] == "The scan found no workload"
    page = read(sources(shown=covered(row("shadow", (NO, NO, YES, YES, UNKNOWN), discovered=False))), "/")
    assert page.headings[0] == "No workload is in the inventory, 1 is known without it"


def test_the_first_run_names_the_next_steps() -> None:
    page = read(sources(), "/")
    assert page.headings[0] == "No workload is known yet"
    assert "interlock scan ." in page.text
    assert "interlock identity add" in page.text
    assert "0 of 0" not in page.text
    assert "interlock identity add" in read(sources(), "/sessions?view=all").text


def test_more_workloads_than_a_page_holds_are_counted() -> None:
    page = read(sources(shown=covered(*(row(f"w{n:04}", (NO,) * 5) for n in range(1000)))), "/")
    assert "700 more are not on this page" in page.text


def test_sessions_that_need_a_look_come_first() -> None:
    page = read(telling(), "/sessions")
    assert page.headings[0] == "1 session needs a look"
    assert [href for href in page.hrefs if href.startswith("/sessions/")] == ["/sessions/7f3a91c2d4e5"]


def test_all_sessions_newest_first() -> None:
    page = read(telling(), "/sessions?view=all")
    assert [href for href in page.hrefs if href.startswith("/sessions/")] == [
        "/sessions/7f3a91c2d4e5",
        "/sessions/b1946ac92492",
        "/sessions/c157a79031e1",
    ]


def test_the_filter_is_in_the_address_and_stays_there() -> None:
    page = read(telling(), "/sessions?view=all&workload=support-copilot")
    assert [href for href in page.hrefs if href.startswith("/sessions/")] == ["/sessions/b1946ac92492"]
    assert "/sessions?view=attention&workload=support-copilot" in page.hrefs
    assert read(telling(), "/sessions?workload=nobody").text.count("No session has a blocked step of nobody") == 1


def test_pages_by_key_lose_and_repeat_nothing() -> None:
    given = of(*(quiet(f"s{n:03}", NOW + n * SECOND) for n in range(120)))
    browser = Browser(given).sign_in()
    target, seen = "/sessions?view=all", []
    for _ in range(3):
        page = Reader(browser.get(target).text)
        seen += [href for href in page.hrefs if href.startswith("/sessions/")]
        target = next((href for href in page.hrefs if "before=" in href), "")
    assert seen == [f"/sessions/s{n:03}" for n in reversed(range(120))]
    assert target == ""


def test_sessions_that_ended_together_are_on_one_page() -> None:
    given = of(*(quiet(f"s{n:03}", NOW + n // 60) for n in range(120)))
    first = read(given, "/sessions?view=all")
    assert sum(href.startswith("/sessions/") for href in first.hrefs) == 60
    older = next(href for href in first.hrefs if "before=" in href)
    second = read(given, older)
    assert sum(href.startswith("/sessions/") for href in second.hrefs) == 60
    assert not any("before=" in href for href in second.hrefs)


def test_a_full_last_page_leads_no_further() -> None:
    page = read(of(*(quiet(f"s{n:03}", NOW + n) for n in range(50))), "/sessions?view=all")
    assert not any("before=" in href for href in page.hrefs)


def test_beyond_the_last_page_there_is_a_way_back() -> None:
    assert "/sessions?view=all" in read(telling(), "/sessions?view=all&before=1").hrefs


@pytest.mark.parametrize(
    "target",
    [
        "/?gap=everything",
        "/sessions?view=killed",
        "/sessions?before=yesterday",
        "/sessions?before=-1",
        "/sessions?before=9223372036854775808",
        "/sessions?before=" + "9" * 5000,
        "/sessions?before=%D9%A3",
        "/sessions/7f3a91c2d4e5?show=raw",
        "/sessions/7f3a91c2d4e5?from=1.5",
    ],
)
def test_an_address_that_makes_no_sense_is_refused(target: str) -> None:
    page = read(telling(), target, 400)
    assert "does not say what to show" in page.headings[0]


@pytest.mark.parametrize(
    "target",
    ["/nowhere", "/sessions/none", "/sessions/~zz", "/sessions/~ff", "/sessions/~eda080", "/sessions/", "/favicon.ico"],
)
def test_what_is_not_there_is_404_in_the_frame(target: str) -> None:
    page = read(telling(), target, 404)
    assert "There is no such page" in page.headings[0]
    assert "Halden Freight" in page.text
    assert "request " in page.text


def test_beyond_the_last_step_is_404() -> None:
    assert read(telling(), "/sessions/7f3a91c2d4e5?from=13", 404).headings


def test_the_session_tells_its_story() -> None:
    page = read(telling(), "/sessions/7f3a91c2d4e5")
    assert page.headings[0] == "The call of send_payment was blocked"
    assert (
        "The result of read_invoice brought untrusted text into the conversation at step 5. Then the model asked for "
        "send_payment at step 10. interlock blocked the call: iban came from untrusted text alone." in page.text
    )
    assert "untrusted: read_invoice, step 5" in page.text
    assert "internal: vendor_record, step 8" in page.text
    assert "recipient-from-trusted-origin" in page.text
    assert "DE89 **** **** 3000" in page.text
    assert page.text.count("From here on the model has read untrusted text") == 1
    assert "#s5" in page.hrefs
    assert "#r0-5" in page.hrefs
    assert f"{5 + 0xA11CE:064x}"[:60] in page.text


def test_only_what_was_blocked() -> None:
    page = read(telling(), "/sessions/7f3a91c2d4e5?show=blocked")
    assert [id_ for id_ in page.ids if id_.startswith("s")] == ["s10"]
    assert "10" in page.text.partition("Blocked only")[2][:8]
    assert "/sessions/7f3a91c2d4e5#s5" in page.hrefs
    assert "/sessions/7f3a91c2d4e5?show=all" in page.hrefs


@pytest.mark.parametrize(("count", "said"), [(2, "web, step 1 or 2"), (4, "web, one of 4 steps")])
def test_which_of_several_results_it_was_is_not_claimed(count: int, said: str) -> None:
    results = tuple(Step("tool_result", tool="web", size=n + 1, origin=Origin.UNTRUSTED) for n in range(count))
    call = Step(
        "call", tool="mail", verdict=Verdict.BLOCKED, arguments=(Argument("to", "x", (Origin.UNTRUSTED,), ("web",)),)
    )
    page = read(of(exchange("s", "r", results, (call,))), "/sessions/s")
    assert f"untrusted: {said}" in page.text
    assert f"#s{count}" in page.hrefs


def test_nothing_blocked_is_a_page_too() -> None:
    assert "No step was blocked" in read(telling(), "/sessions/b1946ac92492?show=blocked").text
    store = MemoryStore()
    store.log(quiet("bare")[1]._replace(steps=()))
    assert "No step is recorded" in read(sources(store), "/sessions/bare").text


def test_a_quiet_session_says_so() -> None:
    page = read(telling(), "/sessions/b1946ac92492")
    assert page.headings[0] == "Nothing was blocked in 3 steps"
    assert "The model asked for no tool" in page.text
    assert "why" not in page.ids


def test_a_call_that_was_never_answered_is_not_known() -> None:
    store = MemoryStore()
    store.log(quiet("cut")[0])
    assert "No answer is recorded" in read(sources(store), "/sessions/cut").text


def test_500_steps_are_on_one_page_and_more_on_the_next() -> None:
    asked = tuple(Step("user", size=n + 1, origin=Origin.USER) for n in range(498))
    page = read(of(exchange("long", "r", asked, (Step("output", size=1),))), "/sessions/long")
    assert sum(id_.startswith("s") for id_ in page.ids) == 500
    asked += (Step("tool_result", tool="web", origin=Origin.UNTRUSTED), Step("system", size=1))
    answered = (Step("call", tool="pay", verdict=Verdict.BLOCKED),)
    given = of(exchange("longer", "r", asked, answered))
    first = read(given, "/sessions/longer")
    assert "Steps 1 to 500 of 502" in first.text
    later = next(href for href in first.hrefs if href.startswith("/sessions/longer?show=all&from="))
    second = read(given, later)
    assert [id_ for id_ in second.ids if id_.startswith("s")] == ["s501", "s502"]
    assert "/sessions/longer?from=1#s499" in second.hrefs


def test_two_logs_may_have_equal_numbers() -> None:
    store = MemoryStore()
    store.log(*quiet("s"), log="gw-1")
    store.log(*quiet("s", NOW + SECOND), log="gw-2")
    assert {"r0-0", "r0-1", "r1-0", "r1-1"} <= set(read(sources(store), "/sessions/s").ids)


def test_a_store_that_is_gone_keeps_the_frame() -> None:
    broken = sources(MemoryStore(broken=True), covered(row("fine", (YES,) * 5)))
    page = read(broken, "/")
    assert page.headings[0] == "1 of 1 workload is interlocked"
    assert "Not known right now" in page.text
    assert "the database does not answer" in page.text
    assert "Nothing was blocked" not in page.text
    page = read(broken, "/sessions")
    assert page.headings[0].strip() == "Which sessions need a look is not known right now"
    page = read(broken, "/sessions/7f3a91c2d4e5", 503)
    assert page.headings[0] == "What happened in this session is not known right now"
    assert "request " in page.text


def test_coverage_that_fails_leaves_the_rest() -> None:
    given = replace(telling(), coverage=failing(StoreError("no coverage")))
    page = read(given, "/")
    assert page.headings[0] == "How many workloads are interlocked is not known right now"
    assert "/sessions/7f3a91c2d4e5" in page.hrefs
    assert "0 of" not in page.text


def test_an_index_that_lags_is_said() -> None:
    given = replace(telling(), refresh=failing(AuditError("record 7 is damaged")))
    for target in ("/", "/sessions", "/sessions/7f3a91c2d4e5"):
        assert "The newest records are missing from this page (record 7 is damaged)" in read(given, target).text


@pytest.mark.parametrize("target", ["/", "/sessions", "/sessions/7f3a91c2d4e5", "/nowhere"])
def test_a_log_that_does_not_verify_is_said_on_every_page(target: str) -> None:
    status = AuditStatus(holds=False, records=3, problem="record 2 does not match")
    page = read(replace(telling(), audit_status=lambda: status), target, 404 if target == "/nowhere" else 200)
    assert "The audit log does not verify (record 2 does not match)" in page.text
    assert "Audit log verified" not in page.text


def test_a_log_that_nobody_looked_at_is_not_verified() -> None:
    page = read(replace(telling(), audit_status=lambda: AuditStatus(holds=None)), "/")
    assert "Audit log: not known" in page.text
    unread = read(replace(telling(), audit_status=failing(AuditError("no log"))), "/")
    assert "Whether the audit log holds is not known right now" in unread.text


def test_who_signs_out_is_told_how_to_come_back() -> None:
    page = Reader(Browser(telling()).sign_in().post("/leave", *OWN).text)
    assert page.headings == ["You are signed out."]
    assert "one-time link" in page.text


def test_a_record_from_no_calendar_is_shown() -> None:
    store = MemoryStore()
    store.log(*hijacked("far", at_us=2**62))
    assert "time not known" in read(sources(store), "/sessions/far").text
