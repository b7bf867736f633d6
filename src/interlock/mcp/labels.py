"""Labels of tools that a person has set: in interlock.toml or on the console, and which of them counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from interlock.provenance.settings import ToolOverride


@dataclass(frozen=True, slots=True)
class SetLabels:
    """What somebody has set on the console for one tool of one server. `set_us` is in us."""

    server: str
    tool: str
    labels: ToolOverride
    set_by: str
    set_us: int

    @property
    def key(self) -> str:
        """As `[tools]` in interlock.toml would call it."""
        return key(self.server, self.tool)


def key(server: str, tool: str) -> str:
    """What a tool of one server is called in `[tools]`; a server's name holds no slash.

    >>> key("github", "create_issue")
    'github/create_issue'
    """
    return f"{server}/{tool}"


def overrides(file: Mapping[str, ToolOverride], console: Iterable[SetLabels]) -> dict[str, ToolOverride]:
    """What counts of both. What the file says of this very tool wins over the console; the console over the file's
    table for a tool of that name on any server.

    >>> file = {"a/x": ToolOverride(sink="read"), "x": ToolOverride(sink="send")}
    >>> set_ = [SetLabels(server, "x", ToolOverride(sink="write"), "", 0) for server in ("a", "b")]
    >>> {name: override.sink for name, override in overrides(file, set_).items()}
    {'a/x': 'read', 'b/x': 'write', 'x': 'send'}
    """
    return {one.key: one.labels for one in console} | dict(file)
