"""A scan in one sentence."""

from collections import Counter

from interlock.model.asset import Scan, Status
from interlock.model.meta import Severity


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "file"), counted(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def headline(scan: Scan) -> str:
    """How many workloads use AI, with how many assets, and what is wrong; then what is not known."""
    failed = Counter(finding.severity for finding in scan.findings if finding.status is Status.FAIL)
    grades = ", ".join(f"{failed[s]} {s.value}" for s in reversed(list(Severity)) if failed[s])
    uses = "uses" if len(scan.workloads) == 1 else "use"
    parts = [
        f"{counted(len(scan.workloads), 'workload')} {uses} AI",
        counted(len(scan.assets), "asset"),
        counted(failed.total(), "finding") + (f" ({grades})" if grades else ""),
    ]
    if scan.not_scanned:
        parts.append(f"{len(scan.not_scanned):,} not scanned")
    return ", ".join(parts)
