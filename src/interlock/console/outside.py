"""What belongs to no session: requests that were refused before they were read, and the forward proxy's connections.

Pure: records in, rows out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from interlock.console.timeline import Outcome
from interlock.model.record import RecordKind, Verdict
from interlock.store import Stored

# What the gateway answers with, in a word; the record's reason has the rest.
_REFUSALS = {
    400: "Not understood",
    401: "No valid key",
    403: "Not permitted",
    404: "Not covered",
    405: "Not covered",
    407: "No valid key",
    408: "Too slow",
    413: "Too large",
    421: "Misdirected",
    429: "Limit used up",
    431: "Too large",
    503: "No room",
}
# How the last record of a connection that passed unread says so.
_ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Row:
    """A refused request or a connection. `to` is its host or route; `began`, that it was let through just then.

    `sent` and `received` are the bytes of a connection as the client saw them, None as long as they are not known.
    """

    record: Stored
    outcome: Outcome
    said: str
    to: str
    reason: str
    sent: int | None = None
    received: int | None = None
    lasted_us: int | None = None
    began: bool = False


def rows(records: Iterable[Stored]) -> tuple[Row, ...]:
    """A row for each refusal and each connection, in the order of `records`, which is newest first.

    A connection that ended is one row at its end, where its beginning is among them.
    """
    found: list[Row] = []
    ends: dict[str, int] = {}
    for stored in records:
        row, request = _row(stored), stored.record.request
        if row.began and request in ends:
            end = ends.pop(request)
            if found[end].outcome is Outcome.RECORDED:
                found[end] = replace(found[end], said=row.said, outcome=row.outcome)
            continue
        if not row.began and request and stored.record.kind is RecordKind.CONNECT:
            ends[request] = len(found)
        found.append(row)
    return tuple(found)


def _row(stored: Stored) -> Row:
    record = stored.record
    if record.kind is not RecordKind.CONNECT:
        said = _REFUSALS.get(record.status, "Refused")
        return Row(stored, Outcome.BLOCKED, said, record.route or record.upstream, record.reason)
    if record.verdict is not Verdict.ALLOWED:
        return Row(stored, Outcome.FAILED, "No connection", record.upstream, record.reason)
    if record.reason == _ENDED:
        row = Row(stored, Outcome.RECORDED, "Ended", record.upstream, "")
        return replace(row, sent=record.bytes_in, received=record.bytes_out, lasted_us=record.latency_us)
    if record.reason == "read":
        return Row(stored, Outcome.ALLOWED, "Read", record.upstream, "", began=True)
    return Row(stored, Outcome.OBSERVED, "Passed unread", record.upstream, "", began=True)
