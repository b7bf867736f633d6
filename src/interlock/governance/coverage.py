"""The coverage gap: what exists and is not enforced, what is used and not known, what nobody answers for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath

from interlock.governance.settings import Manifest
from interlock.governance.workloads import workload_at
from interlock.model.asset import Finding, Scan, Status, Workload
from interlock.model.meta import Severity


class Mark(Enum):
    """The answer to one question of one workload. UNKNOWN is its own mark and never counts as fine."""

    YES = "yes"
    PARTIAL = "partial"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cell:
    """A mark, and in a few words why."""

    mark: Mark
    words: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What one workload did through the gateway. Times in microseconds since 1970."""

    workload: str
    first_us: int
    last_us: int
    requests: int
    blocked: int


@dataclass(frozen=True, slots=True)
class Row:
    """One workload's answers. `discovered`: the inventory knows it; else only its traffic or its key does."""

    workload: str
    discovered: bool
    owner: Cell
    scope: Cell
    enforced: Cell
    audited: Cell
    clean: Cell

    @property
    def cells(self) -> Mapping[str, Cell]:
        """The answers by the names of their columns."""
        return {name: getattr(self, name) for name in COLUMNS}

    @property
    def closed(self) -> bool:
        """Whether every answer is YES."""
        return all(cell.mark is Mark.YES for cell in self.cells.values())


COLUMNS = ("owner", "scope", "enforced", "audited", "clean")


@dataclass(frozen=True, slots=True)
class Coverage:
    """The matrix, by workload, and its gaps as the ids of the workloads that each one is about.

    `unassigned` are the open findings, high or above, of what belongs to no workload: no row tells of them.
    """

    rows: tuple[Row, ...]
    not_enforced: tuple[str, ...]
    shadow: tuple[str, ...]
    no_owner: tuple[str, ...]
    no_scope: tuple[str, ...]
    not_clean: tuple[str, ...]
    unassigned: tuple[Finding, ...]
    scanned: bool

    @property
    def gaps(self) -> Mapping[str, tuple[str, ...]]:
        """The gaps by name: what to do something about first comes first."""
        return {
            "shadow": self.shadow,
            "not_enforced": self.not_enforced,
            "no_owner": self.no_owner,
            "no_scope": self.no_scope,
            "not_clean": self.not_clean,
        }

    @property
    def closed(self) -> bool:
        """Whether every row is closed and nothing grave is open outside of them.

        Without a scan that is not known, so it is not. A row can be open without a gap: what is UNKNOWN or PARTIAL.
        """
        return self.scanned and all(row.closed for row in self.rows) and not self.unassigned


def coverage(
    scans: Iterable[Scan], seen: Iterable[Seen], manifests: Mapping[str, Manifest], keyed: frozenset[str]
) -> Coverage:
    """The matrix of all workloads that a scan found, traffic shows, a manifest declares or a key is for.

    `scans` come newest first: a workload is as its newest scan has it. `keyed` are the workloads with a key that
    is valid now. Without a scan the columns that need one are UNKNOWN.
    """
    current = _current(scans)
    scanned = bool(current)
    usage = {one.workload: one for one in seen}
    found: dict[str, tuple[Workload, Scan]] = {}
    for scan in current:
        for workload in scan.workloads:
            found.setdefault(workload.id, (workload, scan))
    rows = tuple(
        Row(
            workload=id_,
            discovered=id_ in found,
            owner=_owner(found[id_][0].owner if id_ in found else None, manifests.get(id_), scanned=scanned),
            scope=_scope(manifests.get(id_), id_ in keyed),
            enforced=_enforced(usage.get(id_), id_ in keyed),
            audited=_audited(usage.get(id_)),
            clean=_clean(*found[id_]) if id_ in found else Cell(Mark.UNKNOWN, "not scanned"),
        )
        for id_ in sorted({*found, *usage, *manifests, *keyed})
    )
    return Coverage(
        rows=rows,
        not_enforced=tuple(r.workload for r in rows if r.discovered and r.enforced.mark is not Mark.YES),
        shadow=tuple(r.workload for r in rows if scanned and not r.discovered and r.workload in usage),
        no_owner=tuple(r.workload for r in rows if r.owner.mark is Mark.NO),
        no_scope=tuple(r.workload for r in rows if r.scope.mark is not Mark.YES),
        not_clean=tuple(r.workload for r in rows if r.clean.mark is Mark.NO),
        unassigned=tuple(f for scan in current for f in scan.findings if f.workload is None and _is_grave(f)),
        scanned=scanned,
    )


def _current(scans: Iterable[Scan]) -> list[Scan]:
    """The scans that still hold: a newer one of the same folder, or of one around it, replaces an older one."""
    kept: list[Scan] = []
    for scan in scans:
        if not any(PurePath(scan.root).is_relative_to(newer.root) for newer in kept):
            kept.append(scan)
    return kept


def _owner(found: str | None, manifest: Manifest | None, *, scanned: bool) -> Cell:
    if owner := (manifest.owner if manifest else "") or found:
        return Cell(Mark.YES, owner)
    return Cell(Mark.NO, "nobody") if scanned else Cell(Mark.UNKNOWN, "not scanned")


def _scope(manifest: Manifest | None, has_key: bool) -> Cell:
    limited = [name for name in ("models", "tools") if manifest and getattr(manifest, name) is not None]
    if len(limited) == 2:
        return Cell(Mark.YES, "models and tools")
    if limited:
        return Cell(Mark.PARTIAL, f"{limited[0]} only")
    return Cell(Mark.PARTIAL, "a key, no limits") if has_key else Cell(Mark.NO, "no limits")


def _enforced(usage: Seen | None, has_key: bool) -> Cell:
    if usage:
        return Cell(Mark.YES, f"{usage.requests:,} request{'s' if usage.requests != 1 else ''}")
    return Cell(Mark.PARTIAL, "a key, no traffic") if has_key else Cell(Mark.NO, "no traffic")


def _audited(usage: Seen | None) -> Cell:
    return Cell(Mark.YES, "in the log") if usage else Cell(Mark.NO, "not logged")


def _clean(found: Workload, scan: Scan) -> Cell:
    own = [finding for finding in scan.findings if finding.workload == found.id]
    if grave := [finding for finding in own if _is_grave(finding)]:
        return Cell(Mark.NO, _count(grave))
    if unknown := sum(f.status is Status.UNKNOWN and f.severity.rank >= Severity.HIGH.rank for f in own):
        return Cell(Mark.PARTIAL, f"{unknown} not judged")
    if unread := sum(workload_at(missed.path, scan.workloads) == found for missed in scan.not_scanned):
        return Cell(Mark.PARTIAL, f"{unread} not scanned")
    failed = [finding for finding in own if finding.status is Status.FAIL]
    return Cell(Mark.YES, _count(failed) if failed else f"{len(own)} not judged" if own else "clean")


def _is_grave(finding: Finding) -> bool:
    return finding.status is Status.FAIL and finding.severity.rank >= Severity.HIGH.rank


def _count(findings: list[Finding]) -> str:
    worst = max(findings, key=lambda finding: finding.severity.rank).severity
    number = sum(finding.severity is worst for finding in findings)
    return f"{number} {worst.value}"
