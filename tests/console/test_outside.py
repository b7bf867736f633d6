"""What belongs to no session: refusals with their limit's name, connections with their host and bytes."""

import pytest

from interlock.console.outside import rows
from interlock.console.timeline import Outcome
from interlock.guard.budgets import Budgets, Exceeded
from interlock.guard.measure import Facts
from interlock.guard.settings import LimitSettings, limits, rates
from interlock.model.record import Record, RecordKind, Verdict
from interlock.store import Stored
from tests.console.asgi import Browser
from tests.console.fakes import NOW, SECOND, MemoryStore, of, quiet, sources
from tests.console.reader import Reader, read
from tests.console.scenes import connection, outside


def stored(*records: Record) -> list[Stored]:
    """Newest first, as the store gives them."""
    made = [Stored("main", n, f"{n:064x}", record) for n, record in enumerate(records)]
    return sorted(made, key=lambda each: -each.record.at_us)


def test_each_refusal_and_each_connection_is_a_row() -> None:
    told = rows(stored(*outside()))
    assert [(row.said, row.outcome, row.record.record.status) for row in told] == [
        ("No valid key", Outcome.BLOCKED, 401),
        ("No connection", Outcome.FAILED, 200),
        ("Passed unread", Outcome.OBSERVED, 200),
        ("Not permitted", Outcome.BLOCKED, 403),
        ("Not permitted", Outcome.BLOCKED, 403),
        ("Too large", Outcome.BLOCKED, 413),
        ("Limit used up", Outcome.BLOCKED, 429),
        ("Read", Outcome.ALLOWED, 200),
    ]
    passed = told[2]
    assert (passed.to, passed.sent, passed.received, passed.lasted_us) == ("pypi.org:443", 2150, 3_400_000, 46 * SECOND)
    assert [row.sent for row in told].count(None) == 7


def test_a_connection_is_parted_where_the_page_is() -> None:
    began, ended = connection("c", "a.org:443", "passes unread", 1), connection("c", "a.org:443", "ended", 9)
    assert [row.said for row in rows(stored(began))] == ["Passed unread"]
    assert rows(stored(began))[0].sent is None
    alone = rows(stored(ended._replace(bytes_in=7)))
    assert [(row.said, row.sent) for row in alone] == [("Ended", 7)]
    other = connection("d", "b.org:443", "passes unread", 5)
    assert [row.to for row in rows(stored(began, other, ended))] == ["a.org:443", "b.org:443"]


def test_a_connection_that_came_to_nothing_was_not_read() -> None:
    read_, failed = (
        connection("c", "a.org:443", "read", 1),
        connection("c", "a.org:443", "no TLS handshake", 2, Verdict.FAILED),
    )
    told = rows(stored(read_, failed))
    assert [(row.said, row.reason) for row in told] == [("No connection", "no TLS handshake")]


def test_what_a_connection_says_that_is_not_known_is_not_taken_for_read() -> None:
    assert rows(stored(connection("c", "a.org:443", "something new", 1)))[0].outcome is Outcome.OBSERVED


def test_the_page_names_the_limit_the_host_and_the_bytes() -> None:
    page = read(of(outside()), "/outside")
    assert page.headings[0] == "5 of 8 requests and connections were refused"
    assert "Limit used up status 429Limit 'team-day' is used up: 20.00 US dollars per day" in page.text
    assert "Too large status 413Limit 'context': a request has at most 100 messages" in page.text
    assert "Not permitted status 403Limit 'team-day' allows" in page.text
    assert "CONNECT pastebin.example:443" in page.text
    assert "gemini-3-flash at geminiollama" in page.text
    assert "2.1 kB3.4 MBin 46.00 s" in page.text


@pytest.mark.parametrize(
    "table", [{"requests": 1, "window": "day"}, {"request_bytes": 1}, {"tokens": 1, "window": "day"}, {"concurrent": 1}]
)
def test_what_a_real_limit_says_has_its_name(table: dict[str, object]) -> None:
    budgets = Budgets(limits({"team-day": LimitSettings(**table)}), rates({}))  # type: ignore[arg-type]
    facts = Facts("w", "", "m", 9, 9, 9, 9, b"p")
    asked = budgets.admit(facts, 0)
    refused = asked if isinstance(asked, Exceeded) else budgets.admit(facts, 0)
    assert isinstance(refused, Exceeded)
    record = Record(RecordKind.REFUSAL, NOW, status=refused.status, verdict=Verdict.BLOCKED, reason=refused.reason)
    page = read(of((record,)), "/outside")
    assert "'team-day'" in page.text
    assert "Refused" not in page.text


def test_pages_by_key_lose_and_repeat_nothing() -> None:
    records = tuple(connection(f"c{n}", f"h{n:03}.org:443", "read", NOW + n // 3) for n in range(120))
    browser = Browser(of(records)).sign_in()
    target, seen = "/outside", list[str]()
    while target:
        page = Reader(browser.get(target).text)
        seen += [word for word in page.text.split() if word.endswith(".org:443")]
        target = next((href for href in page.hrefs if "before=" in href), "")
    assert sorted(seen) == [f"h{n:03}.org:443" for n in range(120)]


def test_it_is_filtered_empty_or_not_known() -> None:
    given = of(outside(), quiet("s", workload="other"))
    page = read(given, "/outside?workload=build-bot")
    assert "api.openai.com:443" in page.text
    assert "team-day" not in page.text
    assert "/sessions?view=all&workload=build-bot" in page.hrefs
    assert "/outside" in page.hrefs
    nothing = read(given, "/outside?workload=other")
    assert nothing.headings[0] == "Nothing happened outside of sessions"
    assert "/outside" in nothing.hrefs
    assert "Nothing was refused outside" in read(of((outside()[0],)), "/outside").headings[0]
    broken = read(sources(MemoryStore(broken=True)), "/outside")
    assert broken.headings[0] == "What happened outside of sessions is not known right now"
    assert read(given, "/outside?before=x", 400).headings
