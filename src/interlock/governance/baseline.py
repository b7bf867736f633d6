"""What was already known: the findings of an earlier scan, by their fingerprints, which survive moved lines."""

from dataclasses import replace

import msgspec

from interlock.governance.document import ScanDocument
from interlock.model.asset import Scan
from interlock.model.errors import ScanError

_decode = msgspec.json.Decoder(ScanDocument).decode


def known(text: bytes, where: str) -> frozenset[str]:
    """The ids of the findings in a document of `interlock scan --format json`. Raises: ScanError."""
    try:
        return frozenset(finding.id for finding in _decode(text).findings)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "make one with: interlock scan PATH --format json --out FILE"
        raise ScanError(f"this is no baseline: {error}", where=where, hint=hint) from error


def compared(scan: Scan, ids: frozenset[str]) -> Scan:
    """The scan with each finding marked: whether the baseline has it."""
    return replace(scan, findings=tuple(replace(one, known=one.id in ids) for one in scan.findings))
