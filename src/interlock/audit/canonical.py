"""A record as the bytes that are hashed and signed, and back: one value, one spelling.

The bytes are JSON in the canonical form of RFC 8785 (JCS), for the part of JSON that a record needs:
objects with ASCII names in order, arrays, strings, and whole numbers from 0 to 2^53-1; never a float,
never null, never true or false. A field that has its default is left out. Three more fields
place the record: `log` and `n`, its number in that log, and `v`, the version of this format.
"""

from typing import Annotated, Final, Literal

import msgspec

from interlock.model.errors import AuditError
from interlock.model.record import Argument, Noted, Origin, Record, RecordKind, Step, Verdict

VERSION: Final = 1
# RFC 8785 section 3.2.2.3: numbers are IEEE 754 doubles; above this two whole numbers share one spelling.
MAX_INTEGER = 2**53 - 1
# A record has no text of a conversation, so it is a few KB; the bound keeps a reader of damaged files small.
MAX_BYTES = 16_777_216

Whole = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]


# The fields of each Struct are in alphabetical order: msgspec writes them in the order of their definition.
class _Argument(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    name: str
    origins: tuple[Origin, ...]
    seen_in: tuple[str, ...] = ()
    shown: str = ""


class _Noted(msgspec.Struct, forbid_unknown_fields=True):
    detector: str
    rule: str
    score: Whole


class _Step(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    arguments: tuple[_Argument, ...] = ()
    asked_in: str = ""
    call_id: str = ""
    digest: str = ""
    facts: tuple[str, ...] = ()
    kind: str
    origin: Origin | None = None
    policies: tuple[str, ...] = ()
    reason: str = ""
    signals: tuple[_Noted, ...] = ()
    sink: str = ""
    size: Whole = 0
    tool: str = ""
    verdict: Verdict = Verdict.ALLOWED


class _Record(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    at_us: Whole
    bytes_in: Whole = 0
    bytes_out: Whole = 0
    credential: str = ""
    kind: RecordKind
    latency_us: Whole = 0
    log: str
    model: str = ""
    n: Whole
    policies: tuple[str, ...] = ()
    policy_hash: str = ""
    protocol: str = ""
    reason: str = ""
    request: str = ""
    route: str = ""
    session: str = ""
    status: Whole = 0
    steps: tuple[_Step, ...] = ()
    tokens_in: Whole = 0
    tokens_out: Whole = 0
    upstream: str = ""
    v: Literal[1]
    verdict: Verdict = Verdict.ALLOWED
    workload: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Record).decode


def encode(record: Record, log: str, n: int) -> bytes:
    """The canonical bytes of a record, one line without its end.

    Whatever this gives, `decode` reads back. Raises: AuditError for a value that has no canonical form: a
    number out of range, a text with half a surrogate pair, a record over `MAX_BYTES`.
    """
    try:
        line = _encode(_to_wire(record, log, n))
        _decode(line)
    except (msgspec.MsgspecError, UnicodeError, TypeError) as error:
        raise AuditError(f"this record cannot be written: {error}", where=f"record {n} of log {log}") from error
    if len(line) > MAX_BYTES:
        raise AuditError(f"this record has {len(line)} bytes, more than {MAX_BYTES}", where=f"record {n} of log {log}")
    return line


def decode(line: bytes) -> tuple[str, int, Record]:
    """(log, n, record) of canonical bytes.

    Raises: AuditError for an unknown field, a wrong type, or any spelling but the canonical one.
    """
    wire = _canonical(line)
    return wire.log, wire.n, _from_wire(wire)


def place(line: bytes) -> tuple[str, int]:
    """(log, n) of canonical bytes: `decode` without the record, for a verifier that reads millions.

    Raises: AuditError as `decode` does.
    """
    wire = _canonical(line)
    return wire.log, wire.n


def _canonical(line: bytes) -> _Record:
    try:
        wire = _decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise AuditError(f"not a record: {error}") from error
    if _encode(wire) != line:
        raise AuditError("not in canonical form: interlock does not write a record like this")
    return wire


def _to_wire(r: Record, log: str, n: int) -> _Record:
    return _Record(
        at_us=r.at_us,
        bytes_in=r.bytes_in,
        bytes_out=r.bytes_out,
        credential=r.credential,
        kind=r.kind,
        latency_us=r.latency_us,
        log=log,
        model=r.model,
        n=n,
        policies=r.policies,
        policy_hash=r.policy_hash,
        protocol=r.protocol,
        reason=r.reason,
        request=r.request,
        route=r.route,
        session=r.session,
        status=r.status,
        steps=tuple([_step_to_wire(s) for s in r.steps]),
        tokens_in=r.tokens_in,
        tokens_out=r.tokens_out,
        upstream=r.upstream,
        v=VERSION,
        verdict=r.verdict,
        workload=r.workload,
    )


def _step_to_wire(s: Step) -> _Step:
    return _Step(
        arguments=tuple([_Argument(a.name, a.origins, a.seen_in, a.shown) for a in s.arguments]),
        asked_in=s.asked_in,
        call_id=s.call_id,
        digest=s.digest,
        facts=s.facts,
        kind=s.kind,
        origin=s.origin,
        policies=s.policies,
        reason=s.reason,
        signals=tuple([_Noted(x.detector, x.rule, x.score) for x in s.signals]),
        sink=s.sink,
        size=s.size,
        tool=s.tool,
        verdict=s.verdict,
    )


def _from_wire(w: _Record) -> Record:
    return Record(
        kind=w.kind,
        at_us=w.at_us,
        request=w.request,
        workload=w.workload,
        credential=w.credential,
        session=w.session,
        protocol=w.protocol,
        route=w.route,
        upstream=w.upstream,
        model=w.model,
        status=w.status,
        verdict=w.verdict,
        reason=w.reason,
        policies=w.policies,
        policy_hash=w.policy_hash,
        steps=tuple([_step_from_wire(s) for s in w.steps]),
        bytes_in=w.bytes_in,
        bytes_out=w.bytes_out,
        tokens_in=w.tokens_in,
        tokens_out=w.tokens_out,
        latency_us=w.latency_us,
    )


def _step_from_wire(s: _Step) -> Step:
    return Step(
        kind=s.kind,
        size=s.size,
        digest=s.digest,
        tool=s.tool,
        call_id=s.call_id,
        origin=s.origin,
        sink=s.sink,
        verdict=s.verdict,
        reason=s.reason,
        policies=s.policies,
        arguments=tuple([Argument(a.name, a.shown, a.origins, a.seen_in) for a in s.arguments]),
        signals=tuple([Noted(x.detector, x.rule, x.score) for x in s.signals]),
        facts=s.facts,
        asked_in=s.asked_in,
    )
