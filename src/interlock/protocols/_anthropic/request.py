"""What a request says: its messages, the tools it offers, and its settings."""

from collections.abc import Iterator, Mapping, Set

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Path, Text, ToolCall, ToolDefinition
from interlock.protocols import Document
from interlock.protocols._anthropic.blocks import (
    Block,
    block_events,
    call_block,
    compaction_block,
    content_events,
    document_block,
    image_block,
    redacted_block,
    search_block,
    text_block,
    thinking_block,
    upload_block,
)
from interlock.protocols._anthropic.fields import CACHED, strings
from interlock.protocols._anthropic.tools import CHANGES, tool_events
from interlock.protocols._json import is_empty, list_, object_, opaque, text_, texts, where
from interlock.protocols._reading import Voice, is_name, is_switch, others

# Settings whose strings are no part of the conversation. Not among them, so opaque: `fallbacks` (other models),
# `mcp_servers` and `container` (tools that the API runs).
PARAMETERS = frozenset(
    {
        "billing_policy", "cache_control", "compaction", "diagnostics", "fallback_credit_token", "inference_geo",
        "max_tokens", "metadata", "output_config", "output_format", "service_tier", "speed", "stop_sequences",
        "temperature", "thinking", "tool_choice", "top_k", "top_p",
    }
)  # fmt: skip
# What the API may do with the conversation before the model reads it.
_EDITS = frozenset({"clear_tool_uses_20250919", "clear_thinking_20251015", "compact_20260112"})
_VOICES = {"user": Channel.USER, "assistant": Channel.ASSISTANT, "system": Channel.SYSTEM}
_SYSTEM: Mapping[str, Block] = {"text": text_block}
_QUOTED: Mapping[str, Block] = {"image": image_block, "document": document_block, "search_result": search_block}
_BLOCKS: Mapping[str, Mapping[str, Block]] = {
    "user": {"text": text_block, **_QUOTED, "container_upload": upload_block, **CHANGES},
    "assistant": {
        "text": text_block,
        "thinking": thinking_block,
        "redacted_thinking": redacted_block,
        "tool_use": call_block,
        "compaction": compaction_block,
    },
    "system": {"text": text_block, **CHANGES},
}


def conversation(document: Document, beside: Set[str]) -> tuple[Event, ...]:
    """The events of a request: all that is not under the keys `beside`, of which the caller knows more."""
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ProtocolError("messages is missing or empty", where="messages", hint="send at least one message")
    events = tuple(_request_events(document, messages, beside))
    _refuse_two_tools_of_one_name(events)
    return events


def _request_events(document: Document, messages: list[object], beside: Set[str]) -> Iterator[Event]:
    if "system" in document and not is_empty(document["system"]):
        yield from content_events(document["system"], ("system",), Voice(Channel.SYSTEM), _SYSTEM)
    called: dict[str, str] = {}
    for index, message in enumerate(messages):
        yield from _message(object_(message, ("messages", index)), ("messages", index), called)
    for key, value in document.items():
        if key in ("messages", "system") or key in beside or is_empty(value):
            continue
        if key == "tools":
            for index, tool in enumerate(list_(value, ("tools",))):
                yield from tool_events(tool, ("tools", index))
        elif key in PARAMETERS or (key == "context_management" and _is_known_edit(value)):
            for path, text in texts(value, (key,)):
                yield Text(path, Channel.PARAMETER, text)
        else:
            yield opaque((key,), value)


def _is_known_edit(value: object) -> bool:
    edits = value.get("edits") if isinstance(value, dict) else None
    kinds = (
        [edit.get("type") if isinstance(edit, dict) else None for edit in edits] if isinstance(edits, list) else [None]
    )
    return all(isinstance(kind, str) and kind in _EDITS for kind in kinds)


def _message(message: Document, path: Path, called: dict[str, str]) -> Iterator[Event]:
    """The events of one message. `called`, tool by call id, is read for results and grows by its calls."""
    role = message.get("role")
    if not isinstance(role, str) or role not in _VOICES:
        raise ProtocolError("unknown role", where=where((*path, "role")), hint=f"one of {', '.join(_VOICES)}")
    at, content = (*path, "content"), message.get("content")
    known = {"role", "content"}
    if role == "system":
        known |= {"output_config", "clear_at"}
        for key in ("output_config", "clear_at"):
            for place, text in texts(message.get(key), (*path, key)):
                yield Text(place, Channel.PARAMETER, text)
    if content is not None or role != "system":
        events = list(_content(content, at, role, called))
        for call_id, name in _names_by_id(events).items():
            called[call_id] = name if called.get(call_id, name) == name else ""
        yield from events
    yield from others(message, path, known, {})


def _content(value: object, path: Path, role: str, called: dict[str, str]) -> Iterator[Event]:
    voice = Voice(_VOICES[role])
    if isinstance(value, str):
        yield voice.says(path, value)
        return
    for index, item in enumerate(list_(value, path)):
        at = (*path, index)
        block = object_(item, at)
        if role == "user" and block.get("type") == "tool_result":
            yield from _result(block, at, called)
        else:
            yield from block_events(block, at, voice, _BLOCKS[role])


def _names_by_id(events: list[Event]) -> dict[str, str]:
    """Which tool each id of one message's calls stands for; no tool where an id stands for two."""
    names: dict[str, str] = {}
    for event in events:
        if isinstance(event, ToolCall):
            same = names.get(event.call_id, event.name) == event.name
            names[event.call_id] = event.name if same and event.call_id else ""
    return names


def _result(block: Document, path: Path, called: dict[str, str]) -> Iterator[Event]:
    """What a tool gave back, whatever it is."""
    call_id = text_(block.get("tool_use_id"), (*path, "tool_use_id"))
    # An id that is called twice before its result came stands for no tool.
    voice = Voice(Channel.TOOL_RESULT, called.pop(call_id, ""), call_id)
    if not is_empty(block.get("content")):
        yield from content_events(block["content"], (*path, "content"), voice, _RESULTS)
    quiet = {**CACHED, "is_error": is_switch, "toolset_name": is_name}
    yield from others(block, path, {"type", "tool_use_id", "content"}, quiet)


def _told_block(block: Document, path: Path, voice: Voice) -> Iterator[Event]:
    """A block that names tools, or the tabs of a browser: every string in it is the tool's word."""
    for key, value in block.items():
        if key not in ("type", "cache_control"):
            yield from strings(value, (*path, key), voice.says)
    yield from others(block, path, {*block} - {"cache_control"}, CACHED)


_RESULTS: Mapping[str, Block] = {
    "text": text_block,
    **_QUOTED,
    "tool_reference": _told_block,
    "browser_state": _told_block,
}


def _refuse_two_tools_of_one_name(events: tuple[Event, ...]) -> None:
    """The API refuses them too; which of the two a call means, nobody could say."""
    offered: dict[str, ToolDefinition] = {}
    for event in events:
        if isinstance(event, ToolDefinition):
            other = offered.setdefault(event.name, event)
            if other is not event and (other.path[0] == event.path[0] == "tools" or other[1:] != event[1:]):
                raise ProtocolError("two tools have one name", where=where(event.path), hint="offer each tool once")
