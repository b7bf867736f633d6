"""What tools say of themselves: text that an outsider may have written, as whoever runs an MCP server."""

import re
from collections.abc import Iterator

from interlock.model.event import ToolDefinition

# The form of a recipient: an address of mail or of the web, a number of an account or a telephone. Not a host's bare
# name: names of files look like it, and many a description has one.
_PLACE = re.compile(r"@|//|^www\.|(?:\d\D{0,3}){6}|^\w[\w-]*(?:\.\w[\w-]*)+/")
# What a schema lets choose from: a plain value there is the tool's own.
_CHOICES = frozenset({"const", "default", "enum", "example", "examples"})


def is_place(value: str) -> bool:
    """Whether a value can be somewhere to send to; ordinary words stand in descriptions by nature.

    >>> is_place("eve@evil.example"), is_place("evil.example/x"), is_place("+49 30 123456"), is_place("README.md")
    (True, True, True, False)
    """
    return _PLACE.search(value) is not None


def said_by(tool: ToolDefinition) -> str:
    """Its name, its description and the words of its schema, but not the plain values to choose from."""
    return "\n".join((tool.name, tool.description, *_words(tool.schema)))


def _words(schema: object) -> Iterator[str]:
    left: list[tuple[object, bool]] = [(schema, False)]
    while left:
        value, chosen = left.pop()
        if isinstance(value, str):
            if not chosen or len(value.split()) > 1:
                yield value
        elif isinstance(value, dict):
            yield from value
            left += [(inner, chosen or key in _CHOICES) for key, inner in value.items()]
        elif isinstance(value, list):
            left += [(inner, chosen) for inner in value]
