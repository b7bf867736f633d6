"""What an operator overrides of a tool's derived labels."""

from dataclasses import dataclass

from interlock.model.settings import setting

# What a call can cause, by the harm; `unknown` is for what nobody has labelled.
SINKS = ("none", "read", "write", "fetch", "send", "publish", "admin", "credential", "delete", "money", "execute")


@dataclass(frozen=True, slots=True)
class ToolOverride:
    """`[tools.<name>]`: labels that a person has reviewed; an empty one keeps what was derived.

    `[tools."server/tool"]` is for the tool of one MCP server alone, and goes before what is said of the name.
    """

    output: str = setting(
        "",
        '"internal" (only the organisation writes what it returns) or "untrusted".',
        choices=("internal", "untrusted"),
    )
    sink: str = setting("", f"What it can do: {', '.join(SINKS)}.", choices=SINKS)
    recipients: tuple[str, ...] | None = setting(None, "Arguments that decide who receives or where it goes.")
    arguments: tuple[str, ...] = setting(
        (), 'Arguments that policies read, such as "amount: Long", "note?: String", for a tool that is not pinned.'
    )
