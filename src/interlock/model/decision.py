"""Who asks, and what is decided. Only `Allow` allows."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Principal:
    """A proven caller: the workload, and which credential proved it (an id, never the secret)."""

    workload: str
    credential: str


@dataclass(frozen=True, slots=True)
class Allow:
    """Permitted by these policies."""

    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deny:
    """Refused. `reason` is one sentence for the log and the console; the caller learns less."""

    reason: str
    policies: tuple[str, ...] = ()


Decision: TypeAlias = Allow | Deny
