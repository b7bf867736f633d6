"""What every exchange goes by. One value for a loaded configuration; a reload makes a new one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from interlock.detectors import Engine
from interlock.guard.sessions import Sessions
from interlock.model.decision import Principal
from interlock.model.event import Signal
from interlock.policy import Policies
from interlock.provenance.settings import ToolOverride


@dataclass(frozen=True, slots=True)
class Rules:
    """`digest` is a keyed hash of a text, for the log; `now_us` the clock, in microseconds since 1970 UTC.

    `limit` bounds the bytes of an answer that are held back, and those of a whole one. `descriptions` remembers
    what was found in tools' descriptions, which come again with every request.
    """

    policies: Policies
    engine: Engine
    digest: Callable[[str], str]
    now_us: Callable[[], int]
    limit: int
    tools: Mapping[str, ToolOverride] = field(default_factory=dict)
    sessions: Sessions = field(default_factory=Sessions)
    descriptions: dict[str, tuple[Signal, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks for what: the facts of one exchange that stand before its body was read."""

    principal: Principal
    request: str
    protocol: str
    route: str
    upstream: str
    began_us: int
