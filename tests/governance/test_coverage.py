"""The matrix and its gaps; what is not known never counts as fine."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.governance.coverage import COLUMNS, Coverage, Mark, Seen, coverage
from interlock.governance.settings import Manifest
from interlock.model.asset import Finding, Scan, Status, Workload
from interlock.model.meta import Severity
from tests.governance.scans import finding, scan

BOT = Workload("bot", "apps/bot", (), "@team")
TRAFFIC = Seen("bot", 1, 2, 12, 1)
LIMITED = Manifest(models=("gpt-4o",), tools=())


def marks(result: Coverage, workload: str = "bot") -> dict[str, str]:
    (row,) = [row for row in result.rows if row.workload == workload]
    return {name: cell.mark.value for name, cell in row.cells.items()}


def test_nothing_is_known() -> None:
    result = coverage([], [], {}, frozenset())
    assert result.rows == ()
    assert not result.closed


def test_discovered_but_not_enforced() -> None:
    result = coverage([scan(workloads=(BOT,))], [], {}, frozenset())
    assert marks(result) == {"owner": "yes", "scope": "no", "enforced": "no", "audited": "no", "clean": "yes"}
    assert (result.not_enforced, result.no_scope, result.shadow, result.no_owner) == (("bot",), ("bot",), (), ())


def test_a_key_without_traffic_is_partial() -> None:
    result = coverage([scan(workloads=(BOT,))], [], {}, frozenset({"bot"}))
    assert (marks(result)["enforced"], marks(result)["scope"]) == ("partial", "partial")
    assert result.not_enforced == ("bot",)


def test_traffic_of_what_no_scan_found_is_shadow() -> None:
    result = coverage([scan(workloads=(BOT,))], [TRAFFIC, Seen("ghost", 1, 2, 3, 0)], {}, frozenset())
    assert result.shadow == ("ghost",)
    assert marks(result, "ghost")["clean"] == "unknown"
    assert "ghost" in result.no_owner


def test_without_a_scan_posture_is_unknown_and_nothing_is_shadow() -> None:
    result = coverage([], [TRAFFIC], {}, frozenset())
    assert marks(result) == {"owner": "unknown", "scope": "no", "enforced": "yes", "audited": "yes", "clean": "unknown"}
    assert result.shadow == ()
    assert not result.closed


def test_closed() -> None:
    result = coverage([scan(workloads=(BOT,))], [TRAFFIC], {"bot": LIMITED}, frozenset({"bot"}))
    assert set(marks(result).values()) == {"yes"}
    assert result.closed
    assert result.rows[0].closed


def covered(*scans: Scan) -> Coverage:
    """What these scans make of a bot of which all else is fine."""
    return coverage(scans, [TRAFFIC], {"bot": LIMITED}, frozenset())


def test_a_grave_finding_is_a_gap_of_its_workload() -> None:
    result = covered(scan(finding("bot"), workloads=(BOT,)))
    assert (result.not_clean, result.gaps["not_clean"]) == (("bot",), ("bot",))
    assert not result.closed


def test_a_grave_finding_of_no_workload_is_a_gap_too() -> None:
    mine = replace(finding("bot"), workload=None)
    result = covered(scan(mine, workloads=(BOT,)))
    assert result.unassigned == (mine,)
    assert all(row.closed for row in result.rows)
    assert not result.closed
    minor = [replace(mine, severity=Severity.MEDIUM), replace(mine, status=Status.UNKNOWN)]
    assert covered(scan(*minor, workloads=(BOT,))).closed


def test_what_is_not_judged_is_not_closed_although_it_is_no_gap() -> None:
    result = covered(scan(finding("bot", status=Status.UNKNOWN), workloads=(BOT,)))
    assert not any(result.gaps.values())
    assert not result.closed


@pytest.mark.parametrize(
    ("manifest", "words"), [(Manifest(models=("m",)), "models only"), (Manifest(tools=("t",)), "tools only")]
)
def test_half_a_scope_is_partial(manifest: Manifest, words: str) -> None:
    result = coverage([scan(workloads=(BOT,))], [TRAFFIC], {"bot": manifest}, frozenset())
    assert (result.rows[0].scope.mark, result.rows[0].scope.words) == (Mark.PARTIAL, words)
    assert result.no_scope == ("bot",)
    assert not result.closed


def at(root: str, *found: Workload, grave: bool = False) -> Scan:
    return replace(scan(*(finding(w.id) for w in found if grave), workloads=found), root=root)


def test_a_scan_of_another_folder_takes_nothing_away() -> None:
    result = coverage([at("/srv/b", Workload("b", ".", ())), at("/srv/a", BOT)], [TRAFFIC], {}, frozenset())
    assert [(row.workload, row.discovered) for row in result.rows] == [("b", True), ("bot", True)]
    assert result.shadow == ()


def test_of_two_scans_with_one_workload_the_newest_holds() -> None:
    old, new = at("/srv/a", BOT, grave=True), at("/srv/b", BOT)
    assert covered(new, old).not_clean == ()
    assert covered(old, new).not_clean == ("bot",)


@pytest.mark.parametrize(("around", "gone"), [("/srv", True), ("/", True), ("/srv/a", True), ("/srv/a/b", False)])
def test_a_newer_scan_of_a_folder_around_replaces_the_older(around: str, gone: bool) -> None:
    result = covered(at(around), at("/srv/a", Workload("old", ".", ())))
    assert ("old" not in [row.workload for row in result.rows]) == gone


def test_a_folder_whose_name_begins_the_same_is_another_one() -> None:
    assert "old" in covered(at("/srv/a"), at("/srv/ab", Workload("old", ".", ()))).not_enforced


@pytest.mark.parametrize(
    ("findings", "mark", "words"),
    [
        ([finding("bot", Severity.HIGH)], "no", "1 high"),
        ([finding("bot", Severity.HIGH), finding("bot", Severity.CRITICAL)], "no", "1 critical"),
        ([finding("bot", Severity.MEDIUM)], "yes", "1 medium"),
        ([finding("bot", Severity.HIGH, Status.UNKNOWN)], "partial", "1 not judged"),
        ([finding("bot", Severity.LOW, Status.UNKNOWN)], "yes", "1 not judged"),
        ([finding("other", Severity.HIGH)], "yes", "clean"),
        ([], "yes", "clean"),
    ],
)
def test_clean(findings: list[Finding], mark: str, words: str) -> None:
    result = coverage([scan(*findings, workloads=(BOT,))], [], {}, frozenset())
    assert (result.rows[0].clean.mark.value, result.rows[0].clean.words) == (mark, words)


def test_what_was_not_scanned_is_not_clean() -> None:
    whole = Workload("repo", ".", ())
    result = coverage([scan(workloads=(BOT, whole))], [], {}, frozenset())
    assert (marks(result)["clean"], marks(result, "repo")["clean"]) == ("yes", "partial")


def test_a_declared_workload_that_was_not_found_is_a_row() -> None:
    result = coverage([scan()], [], {"planned": Manifest(owner="team")}, frozenset())
    assert marks(result, "planned")["owner"] == "yes"
    assert result.not_enforced == ()


IDS = st.sampled_from(["a", "b", "c", "d"])


@given(st.sets(IDS), st.sets(IDS), st.sets(IDS), st.booleans())
def test_each_workload_has_one_row_and_unknown_is_never_closed(
    found: set[str], used: set[str], keyed: set[str], scanned: bool
) -> None:
    posture = [scan(workloads=tuple(Workload(i, i, ()) for i in sorted(found)))] if scanned else []
    result = coverage(posture, [Seen(i, 1, 1, 1, 0) for i in used], {}, frozenset(keyed))
    assert [row.workload for row in result.rows] == sorted((found if scanned else set()) | used | keyed)
    for row in result.rows:
        assert tuple(row.cells) == COLUMNS
        assert not (row.closed and any(cell.mark is Mark.UNKNOWN for cell in row.cells.values()))
    assert set(result.shadow) == (used - found if scanned else set())
