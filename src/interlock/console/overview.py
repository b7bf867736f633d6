"""Coverage as the first page tells it: one answer, the open gaps, and a row of marks for each workload.

Pure: what `governance.coverage` found in, what is shown out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """A mark; the value is its style. `UNKNOWN` is never drawn as zero, as fine or as missing."""

    YES = "yes"
    PART = "part"
    NO = "no"
    UNKNOWN = "unk"
    NONE = "na"


class Half(Enum):
    """How one half of the lockup is drawn."""

    ON = "on"
    PART = "half"
    OFF = "off"
    UNKNOWN = "unk"


@dataclass(frozen=True, slots=True)
class Mark:
    """A state and the word that goes with it: never colour alone."""

    state: State
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One workload. `known`: the inventory has it; `about` says what it is; `busy`: it has sessions to look at."""

    name: str
    about: str
    known: bool
    busy: bool
    owner: Mark
    scope: Mark
    enforced: Mark
    audited: Mark
    clean: Mark

    @property
    def posture(self) -> Half:
        """The left half of its lockup."""
        return Half.OFF if not self.known else _half(self.owner, self.scope, self.clean)

    @property
    def runtime(self) -> Half:
        """The right half of its lockup."""
        return _half(self.enforced, self.audited)

    @property
    def interlocked(self) -> bool:
        """Whether both halves hold."""
        return self.posture is Half.ON and self.runtime is Half.ON


@dataclass(frozen=True, slots=True)
class Gap:
    """One way in which posture and runtime do not meet. `key` is its name in the address."""

    key: str
    title: str
    detail: str
    grave: bool
    holds: Callable[[Row], bool]


GAPS = (
    Gap(
        "not-enforced",
        "Discovered, not enforced",
        "In the inventory, past the gateway",
        True,
        lambda row: row.known and row.enforced.state in (State.NO, State.PART),
    ),
    Gap("shadow", "Enforced, not in inventory", "Traffic of a workload no scan found", True, lambda row: not row.known),
    Gap("no-owner", "No owner", "Nobody answers for it", False, lambda row: row.owner.state is State.NO),
    Gap("no-scope", "No explicit scope", "Any model, any tool", False, lambda row: row.scope.state is State.NO),
)


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page shows. Workloads with the widest gap come first."""

    rows: tuple[Row, ...]

    @property
    def known(self) -> int:
        """How many workloads the inventory has."""
        return sum(row.known for row in self.rows)

    @property
    def shadow(self) -> int:
        """How many have traffic and are not in the inventory."""
        return len(self.rows) - self.known

    @property
    def interlocked(self) -> int:
        """How many hold in both layers."""
        return sum(row.interlocked for row in self.rows)

    @property
    def open(self) -> int:
        """How many hold in neither layer."""
        return sum(row.posture is Half.OFF and row.runtime is Half.OFF for row in self.rows)

    def behind(self, gap: Gap) -> tuple[Row, ...]:
        """The workloads that this gap is about."""
        return tuple(row for row in self.rows if gap.holds(row))


def ordered(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Worst first: outside the inventory, then by how much is missing, then by name."""
    return tuple(sorted(rows, key=lambda row: (row.known, -_missing(row), row.name)))


def _half(*marks: Mark) -> Half:
    states = {mark.state for mark in marks}
    if State.NO in states:
        return Half.OFF
    if State.UNKNOWN in states:
        return Half.UNKNOWN
    return Half.PART if State.PART in states else Half.ON


def _missing(row: Row) -> int:
    weight = {State.NO: 4, State.UNKNOWN: 2, State.PART: 1}
    return sum(weight.get(mark.state, 0) for mark in (row.owner, row.scope, row.enforced, row.audited, row.clean))
