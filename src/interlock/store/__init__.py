"""Where posture and runtime meet: one `Store` for what is known, one `AuditLog` for what happened.

The audit log (`store/log.py`) is the truth about the runtime: append-only files that anybody can verify
offline. The database (`store/sql.py`) holds the newest scans, keys, and an index over the log that can be
rebuilt from it at any time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from interlock.mcp.labels import SetLabels
from interlock.mcp.pins import Pin
from interlock.model.approval import Approval
from interlock.model.asset import Scan
from interlock.model.record import Record


@dataclass(frozen=True, slots=True)
class Key:
    """A workload's credential as it is kept: `digest` is SHA-256 of the secret part, hex. Times in us."""

    id: str
    workload: str
    digest: str
    created_us: int
    expires_us: int | None = None
    revoked_us: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A record with its place in its log. `leaf` is the Merkle leaf hash, hex."""

    log: str
    n: int
    leaf: str
    record: Record


@dataclass(frozen=True, slots=True)
class Usage:
    """What one workload did through the gateway, from the index of the log."""

    workload: str
    first_us: int
    last_us: int
    requests: int
    blocked: int
    models: tuple[str, ...]
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """One conversation of one workload, summed up. `blocked` counts steps that were not permitted.

    `model`, `protocol` and `upstream` are those of its newest request.
    """

    id: str
    workload: str
    model: str
    first_us: int
    last_us: int
    requests: int
    calls: int
    blocked: int
    signals: int
    protocol: str = ""
    upstream: str = ""


@dataclass(frozen=True, slots=True)
class Used:
    """What one workload used of one model in some hours.

    The workload "" is callers who proved nothing; the model "" is what was not read so far, "*" is more models than
    are told apart. `blocked` counts steps that were not permitted, and requests that were refused.
    """

    workload: str
    model: str
    requests: int
    blocked: int
    tokens_in: int
    tokens_out: int


class Store(Protocol):
    """All that interlock keeps in a database. Every method is one transaction. Raises: StoreError."""

    def save_scan(self, scan: Scan) -> None:
        """Make `scan` the current one for its root."""
        ...

    def last_scan(self) -> Scan | None:
        """The newest scan, or None if nothing was ever scanned."""
        ...

    def scans(self) -> tuple[Scan, ...]:
        """The newest scan of each root, newest first."""
        ...

    def add_key(self, key: Key) -> None:
        """Keep a new key; an id that is taken is a StoreError."""
        ...

    def keys(self) -> tuple[Key, ...]:
        """All keys, revoked and expired ones too, newest first."""
        ...

    def revoke_key(self, key_id: str, at_us: int) -> bool:
        """Whether there was such a key; a second call keeps the first time."""
        ...

    def keep_pins(self, pins: Sequence[Pin]) -> None:
        """Keep what is offered now; what somebody has approved meanwhile stays approved."""
        ...

    def approve_pins(self, pins: Sequence[Pin]) -> tuple[str, ...]:
        """Approve these, each only if it is still what is offered; the names of those that are not."""
        ...

    def pins(self, server: str | None = None) -> tuple[Pin, ...]:
        """What is known of the tools of a server, or of all, by server and name."""
        ...

    def set_labels(self, one: SetLabels) -> None:
        """Keep labels that somebody has set for a tool, in place of any before."""
        ...

    def clear_labels(self, server: str, tool: str) -> bool:
        """Whether there were labels set for this tool; now there are none."""
        ...

    def labels(self) -> tuple[SetLabels, ...]:
        """The labels that somebody has set, by server and tool."""
        ...

    def ask_approvals(self, asked: Sequence[Approval], now_us: int) -> tuple[str, ...]:
        """Keep new requests for approval; the ids of those kept: what waits already makes no second one."""
        ...

    def decide_approval(self, decided: Approval) -> Approval | None:
        """Keep a decision, if it is the first one; what stands now, or None if there is no such request."""
        ...

    def use_approval(self, id_: str, now_us: int) -> bool:
        """Whether it was there to use. What was granted once is used up by it, in all processes."""
        ...

    def approvals(self, live_us: int | None = None) -> tuple[Approval, ...]:
        """The newest requests first, a bounded number; or every one that waits or holds at `live_us`."""
        ...

    def approval(self, id_: str) -> Approval | None:
        """One request, or None."""
        ...

    def indexed(self, log: str) -> int:
        """How many records of this log the index holds; the next one to add has that number."""
        ...

    def index(self, records: Sequence[Stored]) -> None:
        """Add the next records of a log to the index; a gap is a StoreError."""
        ...

    def usage(self) -> tuple[Usage, ...]:
        """What each workload did, by workload."""
        ...

    def sessions(
        self, *, workload: str | None = None, blocked: bool | None = None, before: int | None = None, limit: int = 50
    ) -> tuple[Session, ...]:
        """Newest first by `last_us`; `before` is the `last_us` to continue below."""
        ...

    def session(self, session_id: str) -> tuple[Stored, ...]:
        """The records of a session in order; empty if there is none."""
        ...

    def outside(self, *, workload: str | None = None, before: int | None = None, limit: int = 50) -> tuple[Stored, ...]:
        """The records of what belongs to no session: refused requests, and connections of the forward proxy.

        Newest first by `at_us`; `before` is the `at_us` to continue below. As with `sessions`, none is parted from
        those of the same moment.
        """
        ...

    def used(self, since_us: int) -> tuple[Used, ...]:
        """What was used from the hour of `since_us` on, by workload and model. Older than a day: not for sure all."""
        ...

    def refused(self) -> int:
        """How many requests came from callers that could not prove who they are."""
        ...

    def version(self) -> int:
        """A number that changes when anybody has written to the database."""
        ...

    def close(self) -> None:
        """Give all connections back."""
        ...
