"""What somebody else wrote stays evidence, whatever it is."""

from dataclasses import replace

import pytest

from interlock.console.render import session_link
from interlock.console.sources import AuditStatus, Sources
from interlock.governance.coverage import Cell
from interlock.governance.exceptions import Loosening
from interlock.model.record import Argument, Noted, Origin, Record, RecordKind, Step, Verdict
from tests.console.asgi import Browser
from tests.console.fakes import NO, YES, MemoryStore, covered, exchange, of, quiet, row, sources
from tests.console.reader import Reader

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "pay\u202eyap\u2066\u200b\U000e0041",
    "</title></bdi></td></table></details><h1>4 of 4</h1>",
    "\r\nSet-Cookie: interlock-7701=x\r\n\r\n",
    "\x00\x1b[2J",
    "../../etc/passwd",
    "..",
    ".",
    "~2e",
    "a/b?c#d%2F&workload=x",
    "Ä" * 60,
    "x" * 100_000,
    "\u200b" * 100_000,
)


def hostile(text: str) -> Sources:
    """A session in which everything that somebody else writes is `text`."""
    step = Step(
        "call",
        tool=text,
        sink=text,
        call_id=text,
        verdict=Verdict.BLOCKED,
        reason=text,
        policies=(text,),
        arguments=(Argument(text, text, (Origin.UNTRUSTED,), (text,)), Argument(text, text, ())),
        signals=(Noted(text, text, 1000),),
    )
    result = Step("tool_result", tool=text, size=1, origin=Origin.UNTRUSTED, signals=(Noted(text, text, 7),))
    door = Record(
        RecordKind.REFUSAL, 1, workload=text, route=text, protocol=text, model=text, upstream=text, reason=text
    )
    proxied = Record(RecordKind.CONNECT, 2, text, workload=text, upstream=text, reason=text)
    records = exchange(
        text,
        "r",
        (result, Step(text, tool=text), Step("hidden", tool=text), Step("extra", tool=text)),
        (step,),
        workload=text,
        model=text,
    )
    marks = replace(row(text, (YES,) * 5), owner=Cell(YES, text), clean=Cell(NO, text))
    status = AuditStatus(holds=False, records=1, problem=text)
    given = of(records, (door, proxied), shown=covered(marks))
    loose = (Loosening(text, text, text, text), Loosening(text, text, text, text, bundled=True))
    return replace(given, audit_status=lambda: status, exceptions=lambda: loose, title=text)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
def test_evidence_stays_evidence(text: str) -> None:
    given = hostile(text)
    for target in ("/", "/sessions", "/sessions?view=all", session_link(text), "/outside", "/use", "/exceptions"):
        if len(target) > 8000:
            continue
        answer = Browser(given).sign_in().get(target)
        assert answer.status == 200
        assert not answer.has("set-cookie")
        page = Reader(answer.text)
        assert page.tags.count("h1") == 1
        assert page.tags.count("script") == 1
        assert "img" not in page.tags
        assert not any(character in page.text for character in "\u202e\u2066\u200b\U000e0041\x00\x1b")
        assert all(href.startswith(("/", "#")) and not href.startswith("//") for href in page.hrefs)


def test_hidden_characters_are_marked_and_long_values_folded() -> None:
    page = Browser(hostile("pay\u202eyap")).sign_in().get(session_link("pay\u202eyap")).text
    assert '<bdi>pay<i class="unseen">U+202E</i>yap</bdi>' in page
    store = MemoryStore()
    call = Step("call", tool="t" * 100_000, arguments=(Argument("v", "w" * 2001, (Origin.USER,)),))
    store.log(*exchange("s", "r", (), (call,)))
    page = Browser(sources(store)).sign_in().get("/sessions/s").text
    assert page.count('<details class="fold">') == 2
    assert "100,000 characters" in page
    assert "2,001 characters" in page
    assert "t" * 100_000 in page


def test_a_workload_of_any_name_can_be_chosen() -> None:
    name = 'a"&\u202e<b>'
    given = of(quiet("s", workload=name))
    browser = Browser(given).sign_in()
    page = browser.get("/sessions?view=all").text
    assert '<option value="a&#34;&amp;' in page
    answer = browser.get("/sessions?view=all&workload=a%22%26%E2%80%AE%3Cb%3E")
    assert "/sessions/s" in Reader(answer.text).hrefs


def test_a_name_that_is_no_unicode_is_shown() -> None:
    given = replace(sources(shown=covered(row("half \ud800", (YES,) * 5))), title="\udcff")
    page = Reader(Browser(given).sign_in().get("/").text)
    assert "half U+D800" in page.text
    assert "U+DCFF" in page.text
    assert any("workload=half" in href for href in page.hrefs)
