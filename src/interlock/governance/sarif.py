"""A scan as SARIF 2.1.0 (OASIS), which code scanning services and editors read."""

import json
import re
from collections.abc import Mapping
from typing import Any

from interlock import __version__
from interlock.model.asset import Finding, Scan, Status
from interlock.model.meta import Meta, Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.LOW: "note", Severity.MEDIUM: "warning", Severity.HIGH: "error", Severity.CRITICAL: "error"}
# What GitHub's code scanning sorts by: the middle of each of its ranges, on the scale of CVSS.
SECURITY_SEVERITY = {Severity.LOW: "2.0", Severity.MEDIUM: "5.5", Severity.HIGH: "8.0", Severity.CRITICAL: "9.5"}

# Everything else is escaped in a path (RFC 3986, section 3.3).
_NOT_IN_PATHS = re.compile(r"[^A-Za-z0-9._~/*!$&'()+,;=@-]")


def encode(scan: Scan, checks: Mapping[str, Meta]) -> str:
    """The scan as SARIF text. `checks` are all that were run, by id.

    A finding that could not be judged is of the kind `review`. With a baseline each result says whether it is new;
    what was not scanned stands under the run's notifications.
    """
    rules = list(checks)
    run = {
        "tool": {
            "driver": {
                "name": "interlock",
                "version": __version__,
                "rules": [_rule(meta) for meta in checks.values()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SCANROOT": {"description": {"text": "The folder that was scanned."}}},
        "invocations": [
            {
                "executionSuccessful": True,
                "endTimeUtc": scan.at,
                "toolExecutionNotifications": [
                    {
                        "level": "warning",
                        "message": {"text": f"not scanned: {missed.reason}"},
                        "locations": [{"physicalLocation": {"artifactLocation": _artifact(missed.path)}}],
                    }
                    for missed in scan.not_scanned
                ],
            }
        ],
        "results": [_result(finding, rules.index(finding.check)) for finding in scan.findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(meta: Meta) -> dict[str, Any]:
    severity = meta.severity or Severity.LOW
    return {
        "id": meta.id,
        "name": "".join(word.capitalize() for word in meta.id.split("-")),
        "shortDescription": {"text": meta.title},
        "fullDescription": {"text": meta.why},
        "help": {"text": meta.fix},
        "defaultConfiguration": {"level": LEVELS[severity]},
        "properties": {
            "tags": ["security", "ai", *meta.refs],
            "precision": meta.confidence.value,
            "security-severity": SECURITY_SEVERITY[severity],
        },
    }


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    judged = finding.status is Status.FAIL
    result: dict[str, Any] = {
        "ruleId": finding.check,
        "ruleIndex": rule,
        "kind": "fail" if judged else "review",
        # The standard: whatever did not fail has the level "none".
        "level": LEVELS[finding.severity] if judged else "none",
        "message": {"text": f"{finding.message} {finding.fix}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _artifact(finding.site.path),
                    "region": {"startLine": finding.site.line},
                },
                "logicalLocations": [{"fullyQualifiedName": finding.asset}],
            }
        ],
        "partialFingerprints": {"interlock/v1": finding.id},
        "properties": {
            "severity": finding.severity.value,
            "confidence": finding.confidence.value,
            "workload": finding.workload,
        },
    }
    if finding.known is not None:
        result["baselineState"] = "unchanged" if finding.known else "new"
    return result


def _artifact(path: str) -> dict[str, str]:
    return {"uri": _NOT_IN_PATHS.sub(_escaped, path), "uriBaseId": "SCANROOT"}


def _escaped(match: re.Match[str]) -> str:
    # A name in a file system may be bytes that are no text; they are escaped as what they are.
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape"))
