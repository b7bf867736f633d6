"""What an operator overrides of a tool's derived labels."""

from dataclasses import dataclass

from interlock.model.settings import setting


@dataclass(frozen=True, slots=True)
class ToolOverride:
    """`[tools.<name>]`: labels that a person has reviewed; an empty one keeps what was derived."""

    output: str = setting("", '"internal" (only the organisation writes what it returns) or "untrusted".')
    sink: str = setting(
        "", "What it can do: read, send, publish, write, delete, money, credential, execute, fetch, admin."
    )
    recipients: tuple[str, ...] | None = setting(None, "Arguments that decide who receives or where it goes.")
