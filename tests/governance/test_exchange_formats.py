"""SARIF, CycloneDX, Markdown and baselines: valid by their standards, whatever the scanned files hold."""

import doctest
import json
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st

from interlock.checks import checks
from interlock.governance import cyclonedx, markdown, sarif
from interlock.governance.baseline import compared, known
from interlock.governance.document import encode
from interlock.model.asset import (
    Asset,
    AssetKind,
    Evidence,
    Fact,
    Finding,
    NotScanned,
    Relation,
    Scan,
    Site,
    Status,
    Workload,
)
from interlock.model.errors import ScanError
from interlock.model.meta import Severity
from tests.governance.scans import finding, scan

META = {name: check.meta for name, check in checks().items()}
CHECK = "mcp-server-without-pin"
TEXTS = st.text(max_size=30)


def asset(kind: AssetKind, name: str = "thing", **facts: Fact) -> Asset:
    return Asset(f"{kind.value}:{name}", kind, name, (Site("a.py", 3),), Evidence.USED, ("python-code",), facts)


def found(severity: Severity = Severity.HIGH, status: Status = Status.FAIL, **more: Any) -> Finding:
    return replace(finding("bot", severity, status), **{"check": CHECK, **more})


def invalid(text: str) -> object:
    return JsonStrictValidator(SchemaVersion.V1_7).validate_str(text)


def results(one: Scan) -> list[dict[str, Any]]:
    return list(json.loads(sarif.encode(one, META))["runs"][0]["results"])


def test_a_finding_is_a_result_at_its_place() -> None:
    document = json.loads(sarif.encode(scan(found(site=Site("a dir/ä?.py", 7))), META))
    run = document["runs"][0]
    (result,) = run["results"]
    assert document["version"] == "2.1.0"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == CHECK
    assert (result["kind"], result["level"], result["partialFingerprints"]) == (
        "fail", "error", {"interlock/v1": "bot-high-fail"}
    )  # fmt: skip
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20dir/%C3%A4%3F.py", "uriBaseId": "SCANROOT"}, "region": {"startLine": 7}
    }  # fmt: skip
    assert run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"] == "not scanned: permission denied"


@pytest.mark.parametrize(
    ("severity", "level"),
    [(Severity.LOW, "note"), (Severity.MEDIUM, "warning"), (Severity.HIGH, "error"), (Severity.CRITICAL, "error")],
)
def test_levels(severity: Severity, level: str) -> None:
    assert results(scan(found(severity)))[0]["level"] == level


def test_what_could_not_be_judged_is_for_review() -> None:
    (result,) = results(scan(found(status=Status.UNKNOWN)))
    assert (result["kind"], result["level"]) == ("review", "none")


@pytest.mark.parametrize(("is_known", "state"), [(None, None), (True, "unchanged"), (False, "new")])
def test_a_result_says_whether_it_is_new(is_known: bool | None, state: str | None) -> None:
    assert results(scan(found(known=is_known)))[0].get("baselineState") == state


def test_every_kind_of_asset_has_its_place_in_a_valid_bill_of_materials() -> None:
    assets = tuple(asset(kind, "Some_Thing", version="1.2", url="https://h.example/v1") for kind in AssetKind)
    whole = replace(
        scan(found(), workloads=(Workload("bot", ".", (assets[0].id,), "team@corp.example"),)),
        assets=assets,
        relations=(Relation(assets[2].id, "uses", assets[0].id),),
    )
    text = cyclonedx.encode(replace(whole, findings=(found(asset=assets[0].id),)))
    assert invalid(text) is None
    document = json.loads(text)
    by_ref = {part["bom-ref"]: part for part in (*document["components"], *document["services"])}
    assert set(by_ref) == {"workload:bot:.", *(one.id for one in assets)}
    assert by_ref["dependency:Some_Thing"]["purl"] == "pkg:pypi/some-thing@1.2"
    assert by_ref["model:Some_Thing"]["type"] == "machine-learning-model"
    assert by_ref["credential:Some_Thing"]["cryptoProperties"]["assetType"] == "related-crypto-material"
    assert by_ref["mcp_server:Some_Thing"]["endpoints"] == ["https://h.example/v1"]
    uses = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    assert uses["workload:bot:."] == [assets[0].id]
    assert assets[0].id in uses[assets[2].id]
    assert assets[0].id not in uses["scan"]
    assert document["annotations"][0]["subjects"] == [assets[0].id]


def test_the_serial_number_is_that_of_what_was_found() -> None:
    one, same, other = (
        json.loads(cyclonedx.encode(what))["serialNumber"]
        for what in (scan(), scan(), replace(scan(), at="2026-02-01T00:00:00Z"))
    )
    assert one == same != other


@given(TEXTS, TEXTS, TEXTS)
def test_what_files_hold_breaks_no_format(name: str, path: str, message: str) -> None:
    hostile = replace(
        scan(found(message=message, site=Site(path, 1), asset=f"tool:{name}")),
        assets=(
            asset(AssetKind.TOOL, name),
            asset(AssetKind.DEPENDENCY, name),
            asset(AssetKind.MCP_SERVER, name, url=path),
        ),
        not_scanned=(NotScanned(path, message),),
    )
    assert invalid(cyclonedx.encode(hostile)) is None
    assert len(results(hostile)) == 1
    shown = markdown.encode(hostile)
    assert len([line for line in shown.splitlines() if line.startswith("| high")]) == 1
    assert "<img" not in shown


def test_markdown_shows_what_is_new_first() -> None:
    text = markdown.encode(scan(found(known=True, message="Old @team <b>."), found(Severity.LOW, known=False)))
    assert text.index("1 new finding") < text.index("| low |") < text.index("1 finding of the baseline")
    assert "Old @<!-- -->team \\<b\\>." in text
    assert "1 place not scanned" in text


def test_a_long_list_ends() -> None:
    text = markdown.encode(scan(*[found()] * 60))
    assert text.count("| high |") == markdown.MOST_FINDINGS
    assert "And 10 more." in text


def test_doctests() -> None:
    assert doctest.testmod(markdown).failed == 0


def test_a_baseline_is_an_earlier_scan() -> None:
    ids = known(encode(scan(found())).encode(), "b.json")
    now = compared(scan(found(), found(Severity.LOW)), ids)
    assert [one.known for one in now.findings] == [True, False]
    assert known(encode(now).encode(), "b.json") > ids  # and of one that had a baseline itself


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"findings": []}', encode(scan()).encode()[:-9]])
def test_what_is_no_baseline_is_refused(text: bytes) -> None:
    with pytest.raises(ScanError, match="this is no baseline"):
        known(text, "b.json")
