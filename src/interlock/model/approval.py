"""A refused call that waits for a person: what it would do, where its values came from, and what was decided."""

from dataclasses import dataclass
from enum import Enum

from interlock.model.record import Origin


class Reach(Enum):
    """How far a yes goes. ONCE: this very call, one time. TASK: it, and its values, until the task is over."""

    ONCE = "once"
    TASK = "task"


class Standing(Enum):
    """What stands behind a request. GRANTED can still be used; USED was granted once; an EXPIRED one means no."""

    WAITING = "waiting"
    GRANTED = "granted"
    DENIED = "denied"
    USED = "used"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Shown:
    """An argument as somebody who decides sees it: whole, but for secrets and the middle of what is very long.

    `size` is the value's length in characters, `digest` its keyed hash. Of a very long one `text` is the beginning and
    `end` the end. `judged`: it decides who receives or what is done. `origins` are all places where the value was seen,
    `seen_in` the tools whose results held it. `warnings` are the ways in which it may look like something else.
    """

    name: str
    text: str
    size: int
    digest: str
    judged: bool
    origins: tuple[Origin, ...]
    seen_in: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    end: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """One request, and what became of it. Times in us.

    `binding` is a keyed hash of the workload, the task or session, the server, the tool and its exact arguments: the
    approval holds for nothing else. `session` is the task's id (MCP, `is_task`) or the conversation's; `beginning` is
    by what that conversation is known again. `expires_us` is when a request that nobody answered means no, or when
    what was granted ends; `ends_us` is when the task does, 0 if nobody knows.
    """

    id: str
    binding: str
    workload: str
    credential: str
    session: str
    is_task: bool
    beginning: str
    server: str
    tool: str
    sink: str
    arguments: tuple[Shown, ...]
    left_out: int
    policies: tuple[str, ...]
    reason: str
    asked_us: int
    expires_us: int
    ends_us: int = 0
    granted: bool | None = None
    reach: Reach = Reach.ONCE
    decided_us: int = 0
    decided_by: str = ""
    why: str = ""
    used_us: int = 0

    def standing(self, now_us: int) -> Standing:
        """What stands behind it now."""
        if self.granted is False:
            return Standing.DENIED
        if self.used_us:
            return Standing.USED
        if now_us >= self.expires_us:
            return Standing.EXPIRED
        return Standing.WAITING if self.granted is None else Standing.GRANTED

    @property
    def endorses(self) -> frozenset[tuple[str, str]]:
        """(name, digest) of the values that it speaks for; `?` stands for any odd name, and so speaks for none."""
        return frozenset((one.name, one.digest) for one in self.arguments if one.judged and "?" not in one.name)
