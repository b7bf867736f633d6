"""A scan as the JSON document that `interlock scan --format json` prints, and the schema of that document."""

from collections.abc import Mapping
from typing import Any

import msgspec

from interlock.model.asset import Fact, Scan


class SiteDocument(msgspec.Struct, frozen=True):
    """Where something was seen: `path` relative to the scanned root with `/`, `line` 1-based."""

    path: str
    line: int


class AssetDocument(msgspec.Struct, frozen=True):
    """One thing, once. `id` is stable from scan to scan; `owner` is null if nobody is named."""

    id: str
    kind: str
    name: str
    sites: tuple[SiteDocument, ...]
    owner: str | None
    evidence: str
    sources: tuple[str, ...]
    facts: Mapping[str, Fact]


class RelationDocument(msgspec.Struct, frozen=True):
    """`source` and `target` are ids of assets."""

    source: str
    verb: str
    target: str


class WorkloadDocument(msgspec.Struct, frozen=True):
    """An application that uses AI; `root` is its folder, `assets` are ids."""

    id: str
    root: str
    owner: str | None
    assets: tuple[str, ...]


class FindingDocument(msgspec.Struct, frozen=True):
    """What a check found. `status` is fail, or unknown where the check could not judge.

    `known` is whether the baseline has it, null if there was none.
    """

    id: str
    check: str
    status: str
    severity: str
    confidence: str
    title: str
    message: str
    fix: str
    asset: str
    site: SiteDocument
    workload: str | None
    known: bool | None = None


class NotScannedDocument(msgspec.Struct, frozen=True):
    """What was not read, and why; a `path` such as `*.ts` stands for all files of a kind that no source reads."""

    path: str
    reason: str


class ScanDocument(msgspec.Struct, frozen=True):
    """The whole result of one scan, in a stable order."""

    root: str
    at: str
    files: int
    assets: tuple[AssetDocument, ...]
    findings: tuple[FindingDocument, ...]
    workloads: tuple[WorkloadDocument, ...]
    relations: tuple[RelationDocument, ...]
    not_scanned: tuple[NotScannedDocument, ...]


def document(scan: Scan) -> ScanDocument:
    """The scan as its document."""
    return ScanDocument(
        root=scan.root,
        at=scan.at,
        files=scan.files,
        assets=tuple(
            AssetDocument(
                id=a.id,
                kind=a.kind.value,
                name=a.name,
                sites=tuple(SiteDocument(site.path, site.line) for site in a.sites),
                owner=a.owner,
                evidence=a.evidence.value,
                sources=a.sources,
                facts=dict(a.facts),
            )
            for a in scan.assets
        ),
        findings=tuple(
            FindingDocument(
                id=f.id,
                check=f.check,
                status=f.status.value,
                severity=f.severity.value,
                confidence=f.confidence.value,
                title=f.title,
                message=f.message,
                fix=f.fix,
                asset=f.asset,
                site=SiteDocument(f.site.path, f.site.line),
                workload=f.workload,
                known=f.known,
            )
            for f in scan.findings
        ),
        workloads=tuple(WorkloadDocument(w.id, w.root, w.owner, w.assets) for w in scan.workloads),
        relations=tuple(RelationDocument(r.source, r.verb, r.target) for r in scan.relations),
        not_scanned=tuple(NotScannedDocument(n.path, n.reason) for n in scan.not_scanned),
    )


def encode(scan: Scan) -> str:
    """The document as JSON text, indented, with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(document(scan)), indent=2).decode() + "\n"


def schema() -> dict[str, Any]:
    """The JSON schema of the document (docs/reference/scan.schema.json)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "interlock scan",
        **msgspec.json.schema(ScanDocument),
    }
