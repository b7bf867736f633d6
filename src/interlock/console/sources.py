"""What the console is given to read from. It opens nothing itself."""

from collections.abc import Callable
from dataclasses import dataclass, field

from interlock.governance.coverage import Coverage
from interlock.governance.exceptions import Loosening
from interlock.mcp.review import Reviewed
from interlock.model.record import Record
from interlock.policy.approvals import ApprovalSettings
from interlock.store import Store


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """Whether the audit log holds, as it was last verified; None: nobody has looked yet.

    `problem` is one sentence when it does not hold. `checkpoint_us` is when the newest checkpoint was signed.
    """

    holds: bool | None
    records: int = 0
    checkpoint_us: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything a page reads. The calls come from worker threads, `refresh` from one at a time.

    `refresh` brings the index over the audit log up to date; it is called before a page is made, so it must be
    quick when there is nothing new. `record` writes what a person is about to do, and comes back when that is on
    disk: without it nothing is done. `tools` is all that is known of MCP servers' tools. `now_us` is microseconds
    since 1970 UTC. `title` names the organisation.
    `approvals` is how long what a person grants holds; `untold` says which request the webhook could not tell.
    What cannot be read raises an InterlockError; the page then says so and shows the rest.
    """

    store: Store
    refresh: Callable[[], object]
    coverage: Callable[[], Coverage]
    exceptions: Callable[[], tuple[Loosening, ...]]
    audit_status: Callable[[], AuditStatus]
    now_us: Callable[[], int]
    title: str
    record: Callable[[Record], object]
    tools: Callable[[], tuple[Reviewed, ...]]
    approvals: ApprovalSettings = field(default_factory=ApprovalSettings)
    untold: Callable[[], str] = lambda: ""
