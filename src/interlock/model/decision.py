"""Who asks, and what is decided. Only `Allow` allows."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Principal:
    """A proven caller: the workload, and which credential proved it (an id, never the secret)."""

    workload: str
    credential: str


@dataclass(frozen=True, slots=True)
class Task:
    """What a user asked a workload to do: the request in the user's own words, and how far it reaches.

    `servers` and `tools` are what it may use, None for all that the workload may. Times in us.
    """

    id: str
    workload: str
    request: str
    issued_us: int
    expires_us: int
    servers: tuple[str, ...] | None = None
    tools: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Allow:
    """Permitted by these policies. `observed` would have refused it, but are only watched for now."""

    policies: tuple[str, ...]
    observed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deny:
    """Refused. `reason` is one sentence for the log and the console; the caller learns less."""

    reason: str
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask(Deny):
    """Refused until a person approves: so a `Deny` for whoever knows nothing of approvals."""


Decision: TypeAlias = Allow | Deny | Ask
