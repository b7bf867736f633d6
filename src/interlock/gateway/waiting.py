"""What connects whoever waits for an answer with whatever it comes from."""

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
