"""What every catalogue entry says of itself: `Meta`, and the examples that are its tests and its documentation."""

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

Given = TypeVar("Given")
Expected = TypeVar("Expected")


class Severity(Enum):
    """How bad it is if it is true; ordered by `rank`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low to 3 for critical."""
        return list(Severity).index(self)


class Confidence(Enum):
    """How sure the entry is when it speaks."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Maturity(Enum):
    """How far an entry has come. Only `STABLE` is on by default."""

    SANDBOX = "sandbox"
    INCUBATING = "incubating"
    STABLE = "stable"
    DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True)
class Meta:
    """What an entry is. `id` is its file name with `-` for `_`; `refs` are `framework_file:item_id`.

    `severity` and `fix` are set where the entry can accuse somebody (checks, detectors), else None and "".
    """

    id: str
    title: str
    why: str
    since: str
    maturity: Maturity = Maturity.STABLE
    confidence: Confidence = Confidence.HIGH
    severity: Severity | None = None
    fix: str = ""
    refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example(Generic[Given, Expected]):
    """One worked case of an entry: shown in the docs, run by `tests/test_catalog.py`."""

    name: str
    given: Given
    expect: Expected
