"""A scan as an AI bill of materials: CycloneDX 1.7 (ECMA-424) in JSON.

Models are components with a model card, packages have a package URL, what is called over a network is a service, and
credentials are related key material, without their value. What an asset uses is its dependency, and a finding is an
annotation of it. What CycloneDX has no word for stands in properties that begin with `interlock:`.
"""

import hashlib
import json
import re
from collections import defaultdict
from typing import Any

from interlock import __version__
from interlock.governance.summary import headline
from interlock.model.asset import Asset, AssetKind, Finding, Scan, Workload

SERVICES = frozenset({AssetKind.MCP_SERVER, AssetKind.VECTOR_STORE, AssetKind.INFERENCE_SERVER, AssetKind.CLOUD})
TYPES = {
    AssetKind.MODEL: "machine-learning-model",
    AssetKind.EMBEDDING: "machine-learning-model",
    AssetKind.DATASET: "data",
    AssetKind.PROMPT: "data",
    AssetKind.DEPENDENCY: "library",
    AssetKind.CREDENTIAL: "cryptographic-asset",
}
# What nobody asked a server of ours for; the root of what was scanned.
ROOT = "scan"
_ADDRESS = re.compile(r"(?:https?|wss?)://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/=&+-]*)?")
TOOL = {"type": "application", "name": "interlock", "version": __version__}


def encode(scan: Scan) -> str:
    """The scan as CycloneDX text. Equal scans give equal texts."""
    described = {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": _serial(scan),
        "version": 1,
        "metadata": {
            "timestamp": scan.at,
            "tools": {"components": [TOOL]},
            "component": {
                "type": "application",
                "bom-ref": ROOT,
                "name": scan.root.rstrip("/").rpartition("/")[2] or ROOT,
                "description": headline(scan),
            },
            "properties": [
                {"name": "interlock:not-scanned", "value": f"{missed.path}: {missed.reason}"}
                for missed in scan.not_scanned
            ],
        },
        "components": [
            *(_workload(one) for one in scan.workloads),
            *(_component(one) for one in scan.assets if one.kind not in SERVICES),
        ],
        "services": [_service(one) for one in scan.assets if one.kind in SERVICES],
        "dependencies": _dependencies(scan),
        "annotations": [_annotation(one, scan.at) for one in scan.findings],
    }
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def _serial(scan: Scan) -> str:
    """A UUID (RFC 9562, version 8) of what was found, where and when."""
    said = "\0".join((scan.root, scan.at, *(asset.id for asset in scan.assets), *(one.id for one in scan.findings)))
    digits = list(hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32])
    digits[12], digits[16] = "8", "89ab"[int(digits[16], 16) % 4]
    text = "".join(digits)
    return f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _workload_ref(workload: Workload) -> str:
    return f"workload:{workload.id}:{workload.root}"


def _workload(workload: Workload) -> dict[str, Any]:
    owner = [{"name": "interlock:owner", "value": workload.owner}] if workload.owner else []
    return {
        "type": "application",
        "bom-ref": _workload_ref(workload),
        "name": workload.id,
        "properties": [
            {"name": "interlock:kind", "value": "workload"}, {"name": "interlock:root", "value": workload.root}, *owner
        ],
    }  # fmt: skip


def _component(asset: Asset) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": TYPES.get(asset.kind, "application"),
        "bom-ref": asset.id,
        "name": asset.name,
    }
    version = asset.facts.get("version")
    if isinstance(version, str):
        component["version"] = version
    match asset.kind:
        case AssetKind.DEPENDENCY:
            component["purl"] = _purl(asset, version)
        case AssetKind.MODEL | AssetKind.EMBEDDING:
            provider = asset.facts.get("provider")
            if isinstance(provider, str):
                component["publisher"] = provider
            sites = [{"name": "interlock:use", "value": f"{site.path}:{site.line}"} for site in asset.sites]
            component["modelCard"] = {"properties": sites}
        case AssetKind.DATASET | AssetKind.PROMPT:
            kind = "dataset" if asset.kind is AssetKind.DATASET else "other"
            component["data"] = [{"type": kind, "name": asset.name}]
        case AssetKind.CREDENTIAL:
            material = {"type": "credential"}
            component["cryptoProperties"] = {
                "assetType": "related-crypto-material", "relatedCryptoMaterialProperties": material
            }  # fmt: skip
    places = [{"location": site.path, "line": site.line} for site in asset.sites]
    return component | {"evidence": {"occurrences": places}, "properties": _properties(asset)}


def _service(asset: Asset) -> dict[str, Any]:
    endpoint = next((asset.facts[name] for name in ("url", "endpoint") if _is_address(asset.facts.get(name))), None)
    properties = _properties(asset)
    properties += [{"name": "interlock:site", "value": f"{site.path}:{site.line}"} for site in asset.sites]
    found: dict[str, Any] = {"bom-ref": asset.id, "name": asset.name, "properties": properties}
    return found | ({"endpoints": [endpoint]} if endpoint else {})


def _is_address(value: object) -> bool:
    """Whether the standard takes it: what stands in a file may be a template, or anything. It is a fact either way."""
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


def _purl(asset: Asset, version: object) -> str:
    """The package's URL (purl-spec, type pypi): its name in lower case, with `-` for `_`."""
    name = asset.name.lower().replace("_", "-")
    return f"pkg:pypi/{name}@{version}" if isinstance(version, str) else f"pkg:pypi/{name}"


def _properties(asset: Asset) -> list[dict[str, str]]:
    said = {"kind": asset.kind.value, "evidence": asset.evidence.value, "sources": ", ".join(asset.sources)}
    said |= {"owner": asset.owner} if asset.owner else {}
    said |= {f"fact:{name}": _plain(value) for name, value in sorted(asset.facts.items()) if value is not None}
    return [{"name": f"interlock:{name}", "value": value} for name, value in said.items()]


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _dependencies(scan: Scan) -> list[dict[str, Any]]:
    """Who uses what. What belongs to no workload is used by the root."""
    uses: dict[str, set[str]] = defaultdict(set)
    for relation in scan.relations:
        uses[relation.source].add(relation.target)
    placed: set[str] = set()
    for workload in scan.workloads:
        uses[ROOT].add(_workload_ref(workload))
        uses[_workload_ref(workload)] |= set(workload.assets)
        placed |= set(workload.assets)
    uses[ROOT] |= {asset.id for asset in scan.assets} - placed
    return [{"ref": ref, "dependsOn": sorted(targets)} for ref, targets in sorted(uses.items())]


def _annotation(finding: Finding, at: str) -> dict[str, Any]:
    said = (finding.title, finding.message, finding.fix)
    place = (
        f"{finding.status.value}, {finding.severity.value}, {finding.check}, {finding.site.path}:{finding.site.line}"
    )
    return {
        "bom-ref": f"finding:{finding.id}",
        "subjects": [finding.asset],
        "annotator": {"component": TOOL},
        "timestamp": at,
        "text": f"{'. '.join(part.rstrip('.') for part in said)}. ({place})",
    }
