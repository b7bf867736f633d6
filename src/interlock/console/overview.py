"""Coverage as the first page tells it: one answer, the open gaps, and a row of marks for each workload.

Pure: what `governance.coverage` found in, what is shown out. What is not known stays so: it is never drawn as
zero, as fine or as missing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from interlock.governance.coverage import Cell, Coverage, Mark, Row

GAP_KEYS = ("not-enforced", "shadow", "no-owner", "no-scope", "not-clean")


class Half(Enum):
    """How one half of a workload's lockup is drawn; the value is its style."""

    ON = "on"
    PART = "half"
    OFF = "off"
    UNKNOWN = "unk"


@dataclass(frozen=True, slots=True)
class Gap:
    """One way in which posture and runtime do not meet.

    `key` is its name in the address; `workloads` are the ids it is about, None as long as nothing was scanned.
    """

    key: str
    title: str
    detail: str
    grave: bool
    workloads: Collection[str] | None


@dataclass(frozen=True, slots=True)
class Line:
    """One workload of the matrix: its answers, its lockup, and what else there is to say of it."""

    row: Row
    posture: Half
    runtime: Half
    shadow: bool
    about: str

    @property
    def has_traffic(self) -> bool:
        """Whether it has sessions to look at."""
        return self.row.enforced.mark is Mark.YES


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page shows. Lines with the widest gap come first."""

    lines: tuple[Line, ...]
    gaps: tuple[Gap, ...]
    scanned: bool

    @property
    def known(self) -> int:
        """How many workloads the inventory has."""
        return sum(line.row.discovered for line in self.lines)

    @property
    def shadow(self) -> int:
        """How many have traffic and are not in the inventory."""
        return sum(line.shadow for line in self.lines)

    @property
    def unseen(self) -> int:
        """How many were declared or have a key, and were neither scanned nor seen."""
        return len(self.lines) - self.known - self.shadow

    @property
    def interlocked(self) -> int:
        """How many of the inventory hold in both layers."""
        return sum(line.row.discovered and line.row.closed for line in self.lines)

    @property
    def open(self) -> int:
        """How many of the inventory hold in neither layer."""
        return sum(line.row.discovered and line.posture is Half.OFF and line.runtime is Half.OFF for line in self.lines)


def overview(found: Coverage) -> Overview:
    """The first page's view of a coverage."""
    lines = sorted((_line(row, found) for row in found.rows), key=_worst_first)
    return Overview(tuple(lines), _gaps(found), found.scanned)


def _gaps(found: Coverage) -> tuple[Gap, ...]:
    outside = f", {len(found.unassigned)} more in no workload" if found.unassigned else ""
    said = (
        ("Discovered, not enforced", "Found by a scan, no traffic here", True, found.not_enforced),
        ("Enforced, not in inventory", "Traffic that no scan explains", True, found.shadow),
        ("No owner", "Nobody answers for it", False, found.no_owner),
        ("No explicit scope", "Any model, or any tool", False, found.no_scope),
        ("Not clean", f"A high finding is open{outside}", True, found.not_clean),
    )
    return tuple(
        # What a workload may do is declared, so that gap alone is known without a scan.
        Gap(key, title, detail, grave, workloads if found.scanned or key == "no-scope" else None)
        for key, (title, detail, grave, workloads) in zip(GAP_KEYS, said, strict=True)
    )


def _line(row: Row, found: Coverage) -> Line:
    shadow = row.workload in found.shadow
    posture = Half.OFF if found.scanned and not row.discovered else _half(row.owner, row.scope, row.clean)
    about = "Traffic, in no inventory" if shadow else "" if row.discovered else "Not found by a scan"
    return Line(row, posture, _half(row.enforced, row.audited), shadow, about if found.scanned else "")


def _half(*cells: Cell) -> Half:
    """The worst of the answers; a no is certain, whatever is not known beside it."""
    marks = {cell.mark for cell in cells}
    if Mark.NO in marks:
        return Half.OFF
    if Mark.UNKNOWN in marks:
        return Half.UNKNOWN
    return Half.PART if Mark.PARTIAL in marks else Half.ON


_WEIGHT = {Mark.NO: 4, Mark.UNKNOWN: 2, Mark.PARTIAL: 1, Mark.YES: 0}


def _worst_first(line: Line) -> tuple[bool, int, str]:
    return not line.shadow, -sum(_WEIGHT[cell.mark] for cell in line.row.cells.values()), line.row.workload
