"""What the guard asks of the gateway, and what it is told. The whole conversation between pure and shell."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from interlock.model.approval import Approval
from interlock.model.record import Record


class Note(NamedTuple):
    """Append `record` to the audit log; if `durable`, go on only when it is on the disk. Replied with None."""

    record: Record
    durable: bool = False


class Forward(NamedTuple):
    """Send `body` to the upstream. Replied with `Head`."""

    body: bytes


class Petition(NamedTuple):
    """Let people know that this waits for them. Replied with None at once."""

    approval: Approval


class Claim(NamedTuple):
    """Use an approval. Replied with whether it was there to use; what was granted once is used up by that."""

    id: str


@dataclass(frozen=True, slots=True)
class Read:
    """More of the answer: replied with the next bytes of a streamed one, the whole of another, or None at the end."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a streamed answer to the client. Replied with None."""


class Emit(NamedTuple):
    """Send these bytes of a streamed answer. Replied with None once the client can take more."""

    data: bytes


class Reply(NamedTuple):
    """The whole answer to the client. Replied with None; nothing may follow.

    `retry_after_s`: when to ask again; 0 says nothing of it.
    """

    status: int
    body: bytes
    retry_after_s: int = 0


class Head(NamedTuple):
    """The upstream's answer has begun."""

    status: int
    streamed: bool


Command: TypeAlias = Note | Forward | Read | Begin | Emit | Reply | Petition | Claim
Told: TypeAlias = Head | bytes | bool | None
Exchange: TypeAlias = Generator[Command, Told, None]


class ClientGoneError(Exception):
    """Thrown into an exchange whose client has closed the connection."""
