"""What stands on both sides of an exchange: whoever waits for an answer, and whatever it comes from or goes to."""

from collections.abc import Callable
from typing import Protocol

from interlock.guard import Head
from interlock.model.errors import UpstreamError


class Answering(Protocol):
    """What an answer is read from."""

    @property
    def is_complete(self) -> bool:
        """Whether the whole answer has come."""
        ...

    def take(self) -> bytes | None:
        """What has come so far; b"" if there is nothing yet, None at the end of the answer."""
        ...

    def release(self) -> None:
        """The waiter needs nothing more."""
        ...


class Waiter(Protocol):
    """Whoever waits for an answer. After `on_error` nothing more is said."""

    def connected(self, connection: Answering) -> bool:
        """There is a connection, which may be at once; whether it is still wanted."""
        ...

    def on_head(self, head: Head, headers: list[tuple[bytes, bytes]]) -> None:
        """The answer has begun."""
        ...

    def on_data(self) -> None:
        """There is more to `take`, or the end."""
        ...

    def on_error(self, error: UpstreamError) -> None:
        """The answer will not come, or not whole."""
        ...


class Replying(Protocol):
    """The client of an exchange, over whatever wire. It calls `on_gone` when it is gone, `on_writable` when it reads.

    An answer is whole (`reply`), or comes in pieces (`begin_stream`, `write`, `end_stream`).
    """

    writable: bool
    on_gone: Callable[[], None] | None
    on_writable: Callable[[], None] | None

    def reply(self, status: int, body: bytes, headers: bytes = b"", *, close: bool = False) -> None:
        """A whole answer."""
        ...

    def begin_stream(self, media_type: bytes, headers: bytes = b"") -> None:
        """The head of a streamed answer."""
        ...

    def write(self, data: bytes) -> None:
        """A piece of it."""
        ...

    def end_stream(self) -> None:
        """Its end."""
        ...

    def abort(self) -> None:
        """The answer will not be whole."""
        ...
