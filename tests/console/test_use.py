"""What was used by whom, and every exception that is in force."""

from dataclasses import replace

from interlock.model.errors import StoreError
from tests.console.fakes import NOW, SECOND, MemoryStore, of, quiet, sources
from tests.console.reader import read
from tests.console.scenes import outside
from tests.console.test_outside import stored


def test_use_is_told_by_workload_and_model() -> None:
    page = read(of(outside(), quiet("s"), quiet("old", NOW - 25 * 3600 * SECOND)), "/use")
    assert page.headings[0] == "6 requests and 1,241 tokens in the last day"
    assert "support-copilot gpt-5-mini 1 1,18061 none" in page.text
    assert "invoice-agent gemini-3-flash 3 00 3" in page.text
    assert "callers that proved nothing refused before it was read 1 00 1" in page.text
    assert page.text.index("invoice-agent") < page.text.index("support-copilot")
    assert "5 steps blocked, refused requests among them." in page.text
    assert read(sources(), "/use").headings[0] == "Nothing was used in the last day"
    assert "not known" in read(sources(MemoryStore(broken=True)), "/use").headings[0]


def test_more_lines_of_use_than_a_page_holds_are_counted() -> None:
    store = MemoryStore()
    store.records = stored(*(quiet(f"s{n}", workload=f"w{n:04}")[0] for n in range(1003)))
    page = read(sources(store), "/use")
    assert "3 more lines are not on this page" in page.text
    assert page.headings[0].startswith("1,003 requests")


def test_every_exception_is_named_with_where_it_is_set() -> None:
    page = read(sources(), "/exceptions")
    assert page.headings[0].startswith("3 exceptions are in force beside")
    assert page.headings[1] == "Set or left open here"
    assert "no-scopekb-searchIt may use any model and any tool.[workloads.kb-search] models, tools" in page.text
    assert "no-limitsall" in page.text
    assert "personal-data-is-recordedallIt is let through.interlock's bundled.cedar:59" in page.text
    assert "4 exceptions in force, 3 beside interlock's own policies" in read(sources(), "/").text


def test_without_an_exception_of_ones_own_it_says_so() -> None:
    page = read(replace(sources(), exceptions=tuple), "/exceptions")
    assert page.headings[0].startswith("No exception is in force beside")


def test_exceptions_that_cannot_be_read_are_not_none() -> None:
    def fail() -> tuple[()]:
        raise StoreError("no keys")

    broken = replace(sources(), exceptions=fail)
    assert read(broken, "/exceptions").headings == ["Which exceptions are in force is not known right now"]
    assert "Not known right now" in read(broken, "/").text
