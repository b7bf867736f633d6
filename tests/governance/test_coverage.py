"""The matrix and its gaps; what is not known never counts as fine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.governance.coverage import COLUMNS, Coverage, Mark, Seen, coverage
from interlock.governance.settings import Manifest
from interlock.model.asset import Finding, Status, Workload
from interlock.model.meta import Severity
from tests.governance.scans import finding, scan

BOT = Workload("bot", "apps/bot", (), "@team")
TRAFFIC = Seen("bot", 1, 2, 12, 1)


def marks(result: Coverage, workload: str = "bot") -> dict[str, str]:
    (row,) = [row for row in result.rows if row.workload == workload]
    return {name: cell.mark.value for name, cell in row.cells.items()}


def test_nothing_is_known() -> None:
    result = coverage(None, [], {}, frozenset())
    assert result.rows == ()
    assert not result.closed


def test_discovered_but_not_enforced() -> None:
    result = coverage(scan(workloads=(BOT,)), [], {}, frozenset())
    assert marks(result) == {"owner": "yes", "scope": "no", "enforced": "no", "audited": "no", "clean": "yes"}
    assert (result.not_enforced, result.no_scope, result.shadow, result.no_owner) == (("bot",), ("bot",), (), ())


def test_a_key_without_traffic_is_partial() -> None:
    result = coverage(scan(workloads=(BOT,)), [], {}, frozenset({"bot"}))
    assert (marks(result)["enforced"], marks(result)["scope"]) == ("partial", "partial")
    assert result.not_enforced == ("bot",)


def test_traffic_of_what_no_scan_found_is_shadow() -> None:
    result = coverage(scan(workloads=(BOT,)), [TRAFFIC, Seen("ghost", 1, 2, 3, 0)], {}, frozenset())
    assert result.shadow == ("ghost",)
    assert marks(result, "ghost")["clean"] == "unknown"
    assert "ghost" in result.no_owner


def test_without_a_scan_posture_is_unknown_and_nothing_is_shadow() -> None:
    result = coverage(None, [TRAFFIC], {}, frozenset())
    assert marks(result) == {"owner": "unknown", "scope": "no", "enforced": "yes", "audited": "yes", "clean": "unknown"}
    assert result.shadow == ()
    assert not result.closed


def test_closed() -> None:
    result = coverage(scan(workloads=(BOT,)), [TRAFFIC], {"bot": Manifest(models=("gpt-4o",))}, frozenset({"bot"}))
    assert set(marks(result).values()) == {"yes"}
    assert result.closed
    assert result.rows[0].closed


@pytest.mark.parametrize(
    ("findings", "mark", "words"),
    [
        ([finding("bot", Severity.HIGH)], "no", "1 high"),
        ([finding("bot", Severity.HIGH), finding("bot", Severity.CRITICAL)], "no", "1 critical"),
        ([finding("bot", Severity.MEDIUM)], "yes", "1 minor"),
        ([finding("bot", Severity.HIGH, Status.UNKNOWN)], "partial", "1 not judged"),
        ([finding("bot", Severity.LOW, Status.UNKNOWN)], "yes", "1 minor"),
        ([finding("other", Severity.HIGH)], "yes", "clean"),
        ([], "yes", "clean"),
    ],
)
def test_clean(findings: list[Finding], mark: str, words: str) -> None:
    result = coverage(scan(*findings, workloads=(BOT,)), [], {}, frozenset())
    assert (result.rows[0].clean.mark.value, result.rows[0].clean.words) == (mark, words)


def test_what_was_not_scanned_is_not_clean() -> None:
    whole = Workload("repo", ".", ())
    result = coverage(scan(workloads=(BOT, whole)), [], {}, frozenset())
    assert (marks(result)["clean"], marks(result, "repo")["clean"]) == ("yes", "partial")


def test_a_declared_workload_that_was_not_found_is_a_row() -> None:
    result = coverage(scan(), [], {"planned": Manifest(owner="team")}, frozenset())
    assert marks(result, "planned")["owner"] == "yes"
    assert result.not_enforced == ()


IDS = st.sampled_from(["a", "b", "c", "d"])


@given(st.sets(IDS), st.sets(IDS), st.sets(IDS), st.booleans())
def test_each_workload_has_one_row_and_unknown_is_never_closed(
    found: set[str], used: set[str], keyed: set[str], scanned: bool
) -> None:
    posture = scan(workloads=tuple(Workload(i, i, ()) for i in sorted(found))) if scanned else None
    result = coverage(posture, [Seen(i, 1, 1, 1, 0) for i in used], {}, frozenset(keyed))
    assert [row.workload for row in result.rows] == sorted((found if scanned else set()) | used | keyed)
    for row in result.rows:
        assert tuple(row.cells) == COLUMNS
        assert not (row.closed and any(cell.mark is Mark.UNKNOWN for cell in row.cells.values()))
    assert set(result.shadow) == (used - found if scanned else set())
