"""The JSON document and the HTML page of a scan."""

import doctest
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from interlock.governance import summary
from interlock.governance.document import encode, schema
from interlock.governance.page import page
from interlock.model.asset import Asset, AssetKind, Evidence, NotScanned, Scan, Site, Status, Workload
from interlock.model.meta import Severity
from tests.governance.scans import finding, scan

ROOT = Path(__file__).parents[2]
FULL = scan(
    finding("bot"), finding("bot", Severity.LOW, Status.UNKNOWN), workloads=(Workload("bot", ".", ("model:gpt-4o",)),)
)


def test_doctests() -> None:
    assert doctest.testmod(summary).failed == 0


def test_the_document_has_the_documented_shape() -> None:
    document = json.loads(encode(FULL))
    assert document["assets"][0] == {
        "id": "model:gpt-4o", "kind": "model", "name": "gpt-4o", "owner": None, "evidence": "used",
        "sites": [{"path": "a.py", "line": 3}, {"path": "b.py", "line": 1}],
        "sources": ["python-code"], "facts": {"provider": "openai"},
    }  # fmt: skip
    assert document["findings"][0]["site"] == {"path": "a.py", "line": 3}
    assert document["not_scanned"] == [{"path": "c.py", "reason": "permission denied"}]
    assert set(document) == set(schema()["$defs"]["ScanDocument"]["properties"])


def test_the_schema_file_is_current() -> None:
    file = ROOT / "docs" / "reference" / "scan.schema.json"
    assert json.loads(file.read_text("utf-8")) == schema(), "write json.dumps(schema(), indent=2) to the file"


def test_the_headline_says_what_is_wrong_and_what_is_not_known() -> None:
    assert summary.headline(FULL) == "1 workload uses AI, 1 asset, 1 finding (1 high), 1 not scanned"


class Tags(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen |= {tag, *(f"{tag}.{name}" for name, _ in attrs)}


EXPECTED_TAGS = {
    "html", "html.lang", "head", "meta", "meta.charset", "meta.http-equiv", "meta.content", "meta.name", "title",
    "style", "body", "main", "h1", "p", "p.class", "code", "section", "header", "h2", "span", "span.class", "div",
    "div.class", "b", "details", "details.open", "summary", "table", "tr", "th", "td", "br", "footer",
}  # fmt: skip
EVIL = st.text(alphabet="<>\"'&/=a \n\x1b\u202escript", max_size=30)


@given(EVIL)
def test_no_text_of_a_scan_becomes_markup(text: str) -> None:
    asset = Asset("x", AssetKind.TOOL, text, (Site(text, 1),), Evidence.USED, ("s",), {}, text)
    hostile: Scan = replace(
        FULL,
        root=text,
        assets=(asset,),
        workloads=(Workload(text, text, (), text),),
        findings=(replace(finding(text), title=text, message=text, fix=text, site=Site(text, 1)),),
        not_scanned=(NotScanned(text, text),),
    )
    tags = Tags()
    tags.feed(page(hostile))
    assert tags.seen <= EXPECTED_TAGS
    assert "\x1b" not in page(hostile)
    assert "\u202e" not in page(hostile)


def test_the_page_stands_alone_and_says_everything() -> None:
    text = page(FULL)
    assert not re.search(r"https?://|src=|href=|url\(|@import|<script", text)
    for shown in (
        "1 workload uses AI",
        "gpt-4o",
        "a.py:3",
        "Fix it.",
        "permission denied",
        "1 could not be judged",
        "nobody",
    ):
        assert shown in text


def test_an_empty_scan_says_so() -> None:
    text = page(replace(scan(), assets=(), not_scanned=()))
    assert "No check failed." in text
    assert "No program that uses AI was found." in text
    assert "Not scanned" not in text
