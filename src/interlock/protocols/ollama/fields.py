"""Names of fields, and what requests and answers have in common: the parts of a message, and lines of a stream.

Ollama's server and its own client are written in Go, which reads a field's name in upper and lower case alike.
"""

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Media, Opaque, Path, ToolCall
from interlock.protocols import Document
from interlock.protocols._json import encode, is_empty, list_, object_, opaque, text_, where
from interlock.protocols._reading import Fits, Voice, is_count, others

ROLES = {
    "system": Channel.SYSTEM,
    "user": Channel.USER,
    "assistant": Channel.ASSISTANT,
    "tool": Channel.TOOL_RESULT,
}
TEXTS = ("content", "thinking")
_MESSAGE = frozenset({"role", "images", *TEXTS})
_BY_CHANNEL = {
    Channel.ASSISTANT: _MESSAGE | {"tool_calls"},
    Channel.OUTPUT: _MESSAGE | {"tool_calls"},
    Channel.TOOL_RESULT: _MESSAGE | {"tool_name", "tool_call_id"},
}
_CALL: Mapping[str, Fits] = {"type": lambda value: value == "function"}
_FUNCTION: Mapping[str, Fits] = {"index": is_count}
# What some readers of lines take for the end of one, inside of JSON too: str.splitlines, which Python's client uses.
_OTHER_ENDS = re.compile("[\x85\u2028\u2029]")


def unknown(value: Document, path: Path, known: Set[str], quiet: Mapping[str, Fits]) -> list[Opaque]:
    """What stands under keys that are not `known`, and `quiet` ones that are not as they should be.

    Raises: ProtocolError for a known name in other letters, which Go would read as that field.
    """
    if value.keys() <= known:
        return []
    for key in value.keys() - known - quiet.keys():
        if key.casefold() in known or key.casefold() in quiet:
            raise ProtocolError("a field's name is not in lower case", where=where((*path, key)), hint="write it so")
    return list(others(value, path, known, quiet))


def message_events(message: Document, path: Path, channel: Channel, called: dict[str, str]) -> Iterator[Event]:
    """The events of one message. `called`, tool by call id, is read for results and grows by its calls."""
    voice = Voice(channel, *_answered(message, path, called)) if channel is Channel.TOOL_RESULT else Voice(channel)
    for key in TEXTS:
        if isinstance(text := message.get(key), str) and text:
            yield voice.says((*path, key), text)
        elif not is_empty(text):
            yield opaque((*path, key), text)
    yield from images(message, path, voice)
    known = _BY_CHANNEL.get(channel, _MESSAGE)
    if "tool_calls" in known:
        calls = list(calls_of(message, path))
        called |= _names_by_id(calls, called)
        yield from calls
    yield from unknown(message, path, known, {})


def _answered(message: Document, path: Path, called: dict[str, str]) -> tuple[str, str]:
    """(tool, call id) of a result; no tool if its name and its id stand for two."""
    call_id = text_(message.get("tool_call_id") or "", (*path, "tool_call_id"))
    name = text_(message.get("tool_name") or "", (*path, "tool_name"))
    tool = called.pop(call_id, name) if call_id else name
    return tool if name in ("", tool) else "", call_id


def _names_by_id(calls: list[Event], called: Mapping[str, str]) -> dict[str, str]:
    """Which tool each id stands for; no tool where an id stands for two, or was used before its result came."""
    names: dict[str, str] = {}
    for call in calls:
        if isinstance(call, ToolCall) and call.call_id:
            before = names.get(call.call_id, called.get(call.call_id, call.name))
            names[call.call_id] = call.name if before == call.name else ""
    return names


def images(value: Document, path: Path, voice: Voice) -> Iterator[Event]:
    """The pictures of a message, or of what is generated: base64, of no said type."""
    given = value.get("images")
    for index, data in enumerate(list_([] if given is None else given, (*path, "images"))):
        at = (*path, "images", index)
        if isinstance(data, str):
            yield Media(at, voice.channel, "image", "inline", data, "", voice.tool, voice.call_id)
        else:
            yield opaque(at, data)


def calls_of(value: Document, path: Path) -> Iterator[Event]:
    """The tool calls of a message, or of what was generated."""
    given = value.get("tool_calls")
    for index, item in enumerate(list_([] if given is None else given, (*path, "tool_calls"))):
        at = (*path, "tool_calls", index)
        call = object_(item, at)
        function = object_(call.get("function"), (*at, "function"))
        arguments = function.get("arguments")
        arguments = object_({} if arguments is None else arguments, (*at, "function", "arguments"))
        name = text_(function.get("name"), (*at, "function", "name"))
        yield ToolCall(at, text_(call.get("id") or "", (*at, "id")), name, encode(arguments).decode())
        yield from unknown(function, (*at, "function"), frozenset({"name", "arguments"}), _FUNCTION)
        yield from unknown(call, at, frozenset({"id", "function"}), _CALL)


def line(document: Any) -> bytes:
    """A line of a stream that every reader takes for one line."""
    text: str = encode(document).decode()
    return _OTHER_ENDS.sub(lambda end: f"\\u{ord(end[0]):04x}", text).encode() + b"\n"
