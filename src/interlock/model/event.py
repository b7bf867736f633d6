"""The nouns of the wire: what a protocol adapter makes of bytes, and what a detector says of text.

`path` is where an event stands in the message's JSON document, as keys and indexes from the root, so
that an edit can be put back at the same place. Events and records are made many times in each exchange, so they
are named tuples, which cost a fifth of a frozen dataclass.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]


class Channel(Enum):
    """Who wrote a text. Labels come from the channel, never from what the text says of itself.

    PARAMETER is text in a setting of the request, such as `user` or `stop`: no part of the conversation.
    """

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL_RESULT = "tool_result"
    TOOL_DESCRIPTION = "tool_description"
    RETRIEVED = "retrieved"
    OUTPUT = "output"
    PARAMETER = "parameter"


class Text(NamedTuple):
    """A text that somebody wrote. `tool` names the tool whose result it is."""

    path: Path
    channel: Channel
    text: str
    tool: str = ""
    call_id: str = ""


class ToolDefinition(NamedTuple):
    """A tool that the caller offers to the model. `schema` is its parameters, as decoded JSON.

    `annotations` are what its MCP server claims of it, and `server` is that one's name; elsewhere there are none.
    """

    path: Path
    name: str
    description: str
    schema: Mapping[str, object]
    annotations: Mapping[str, object] = MappingProxyType({})
    server: str = ""


class ToolCall(NamedTuple):
    """A call that the model asks for. `arguments` is the JSON text as it stood, whole."""

    path: Path
    call_id: str
    name: str
    arguments: str


class Media(NamedTuple):
    """An image, a sound, a film or a file, which is not looked into: `kind` is image, audio, video or file.

    `source` says how it is given: `inline` (`data` is its text form, mostly base64), `url` or `id` (`data` is that).
    """

    path: Path
    channel: Channel
    kind: str
    source: str
    data: str
    media_type: str = ""
    tool: str = ""
    call_id: str = ""


class Opaque(NamedTuple):
    """Something that the adapter does not understand. Policy decides what becomes of it."""

    path: Path
    text: str


Event: TypeAlias = Text | ToolDefinition | ToolCall | Media | Opaque


class Span(NamedTuple):
    """A half-open range of characters [start, end) of the text that was inspected."""

    start: int
    end: int


class Signal(NamedTuple):
    """What a detector says: `score` is a probability in thousandths (0 to 1000), so that records hold no floats."""

    detector: str
    rule: str
    score: int
    span: Span
