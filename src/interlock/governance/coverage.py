"""The coverage gap: what exists and is not enforced, what is used and not known, what nobody answers for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

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
    """The matrix, by workload, and its gaps as the ids of the workloads that each one is about."""

    rows: tuple[Row, ...]
    not_enforced: tuple[str, ...]
    shadow: tuple[str, ...]
    no_owner: tuple[str, ...]
    no_scope: tuple[str, ...]
    scanned: bool

    @property
    def gaps(self) -> Mapping[str, tuple[str, ...]]:
        """The gaps by name: what to do something about first comes first."""
        return {
            "shadow": self.shadow,
            "not_enforced": self.not_enforced,
            "no_owner": self.no_owner,
            "no_scope": self.no_scope,
        }

    @property
    def closed(self) -> bool:
        """Whether there is no gap. Without a scan that is not known, so it is not."""
        return self.scanned and not any(self.gaps.values())


def coverage(
    scan: Scan | None, seen: Iterable[Seen], manifests: Mapping[str, Manifest], keyed: frozenset[str]
) -> Coverage:
    """The matrix of all workloads that a scan found, traffic shows, a manifest declares or a key is for.

    `keyed` are the workloads with a key that is valid now. Without a scan the columns that need one are UNKNOWN.
    """
    usage = {one.workload: one for one in seen}
    found = {workload.id: workload for workload in scan.workloads} if scan else {}
    ids = sorted({*found, *usage, *manifests, *keyed})
    rows = tuple(_row(id_, scan, found.get(id_), usage.get(id_), manifests.get(id_), id_ in keyed) for id_ in ids)
    return Coverage(
        rows=rows,
        not_enforced=tuple(r.workload for r in rows if r.discovered and r.enforced.mark is not Mark.YES),
        shadow=tuple(r.workload for r in rows if scan and not r.discovered and r.workload in usage),
        no_owner=tuple(r.workload for r in rows if r.owner.mark is Mark.NO),
        no_scope=tuple(r.workload for r in rows if r.scope.mark is not Mark.YES),
        scanned=scan is not None,
    )


def _row(
    id_: str, scan: Scan | None, found: Workload | None, usage: Seen | None, manifest: Manifest | None, has_key: bool
) -> Row:
    return Row(
        workload=id_,
        discovered=found is not None,
        owner=_owner(scan, found, manifest),
        scope=_scope(manifest, has_key),
        enforced=_enforced(usage, has_key),
        audited=_audited(usage),
        clean=_clean(scan, found),
    )


def _owner(scan: Scan | None, found: Workload | None, manifest: Manifest | None) -> Cell:
    if owner := (manifest.owner if manifest else "") or (found.owner if found else None):
        return Cell(Mark.YES, owner)
    return Cell(Mark.NO, "nobody") if scan else Cell(Mark.UNKNOWN, "not scanned")


def _scope(manifest: Manifest | None, has_key: bool) -> Cell:
    limited = [name for name in ("models", "tools") if manifest and getattr(manifest, name) is not None]
    if len(limited) == 2:
        return Cell(Mark.YES, "models and tools")
    if limited:
        return Cell(Mark.YES, f"{limited[0]} only")
    return Cell(Mark.PARTIAL, "a key, no limits") if has_key else Cell(Mark.NO, "no limits")


def _enforced(usage: Seen | None, has_key: bool) -> Cell:
    if usage:
        return Cell(Mark.YES, f"{usage.requests:,} request{'s' if usage.requests != 1 else ''}")
    return Cell(Mark.PARTIAL, "a key, no traffic") if has_key else Cell(Mark.NO, "no traffic")


def _audited(usage: Seen | None) -> Cell:
    return Cell(Mark.YES, "in the log") if usage else Cell(Mark.NO, "not logged")


def _clean(scan: Scan | None, found: Workload | None) -> Cell:
    if scan is None or found is None:
        return Cell(Mark.UNKNOWN, "not scanned")
    own = [finding for finding in scan.findings if finding.workload == found.id]
    grave = [f for f in own if f.status is Status.FAIL and f.severity.rank >= Severity.HIGH.rank]
    if grave:
        return Cell(Mark.NO, _count(grave))
    if unknown := sum(f.status is Status.UNKNOWN and f.severity.rank >= Severity.HIGH.rank for f in own):
        return Cell(Mark.PARTIAL, f"{unknown} not judged")
    if unread := sum(workload_at(missed.path, scan.workloads) == found for missed in scan.not_scanned):
        return Cell(Mark.PARTIAL, f"{unread} not scanned")
    return Cell(Mark.YES, f"{len(own)} minor" if own else "clean")


def _count(findings: list[Finding]) -> str:
    worst = max(findings, key=lambda finding: finding.severity.rank).severity
    number = sum(finding.severity is worst for finding in findings)
    return f"{number} {worst.value}"
