"""Scans to test with."""

from interlock.model.asset import (
    Asset,
    AssetKind,
    Evidence,
    Finding,
    NotScanned,
    Relation,
    Scan,
    Site,
    Status,
    Workload,
)  # fmt: skip
from interlock.model.meta import Confidence, Severity


def finding(workload: str, severity: Severity = Severity.HIGH, status: Status = Status.FAIL) -> Finding:
    """A finding of a workload."""
    return Finding(
        f"{workload}-{severity.value}-{status.value}", "a-check", status, severity, Confidence.HIGH, "Title",
        "Message.", "Fix it.", "model:gpt-4o", Site("a.py", 3), workload,
    )  # fmt: skip


def scan(*findings: Finding, workloads: tuple[Workload, ...] = ()) -> Scan:
    """A small scan."""
    sites = (Site("a.py", 3), Site("b.py", 1))
    model = Asset(
        "model:gpt-4o", AssetKind.MODEL, "gpt-4o", sites, Evidence.USED, ("python-code",), {"provider": "openai"}
    )
    return Scan(
        root="/srv/repo",
        at="2026-01-01T00:00:00Z",
        files=7,
        assets=(model,),
        relations=(Relation("agent:a", "uses", "model:gpt-4o"),),
        workloads=workloads,
        findings=findings,
        not_scanned=(NotScanned("c.py", "permission denied"),),
    )
