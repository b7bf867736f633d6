"""The tools that a request offers, and what it says of them later."""

from collections.abc import Iterator, Mapping

from interlock.model.event import Channel, Event, Path, Text, ToolDefinition
from interlock.protocols import Document
from interlock.protocols._anthropic.blocks import Block
from interlock.protocols._anthropic.fields import CACHED, is_names, strings
from interlock.protocols._anthropic.schemas import BUILT_IN, TOOLSETS
from interlock.protocols._json import is_empty, list_, object_, opaque, text_
from interlock.protocols._reading import Fits, Voice, holds, is_number, is_switch, others

_SETTINGS: Mapping[str, Fits] = {
    **CACHED,
    "allowed_callers": is_names,
    "defer_loading": is_switch,
    "eager_input_streaming": is_switch,
    "strict": is_switch,
    "display_height_px": is_number,
    "display_number": is_number,
    "display_width_px": is_number,
    "enable_zoom": is_switch,
    "max_characters": is_number,
}


def tool_events(value: object, path: Path) -> Iterator[Event]:
    """One offered tool, or all the members of a toolset; what the API's own servers run is opaque."""
    tool = object_(value, path)
    kind = tool.get("type") or "custom"
    if kind == "custom":
        schema = object_(tool.get("input_schema"), (*path, "input_schema"))
        name = text_(tool.get("name"), (*path, "name"))
        yield ToolDefinition(path, name, text_(tool.get("description") or "", (*path, "description")), schema)
        yield from _more(tool, path, {"type", "name", "description", "input_schema"})
    elif isinstance(kind, str) and kind in BUILT_IN and tool.get("name") == BUILT_IN[kind].name:
        known = BUILT_IN[kind]
        yield ToolDefinition(path, known.name, known.description, known.schema)
        yield from _more(tool, path, {"type", "name"})
    elif isinstance(kind, str) and kind in TOOLSETS:
        yield from _members(tool, path, kind)
    else:
        yield opaque((*path, kind if isinstance(kind, str) else "type"), tool)


def _more(tool: Document, path: Path, known: set[str]) -> Iterator[Event]:
    """What a tool says beside its schema: examples of arguments, which the model reads, and settings."""
    if not is_empty(tool.get("input_examples")):
        at = (*path, "input_examples")
        yield from strings(list_(tool["input_examples"], at), at, Voice(Channel.TOOL_DESCRIPTION).says)
    yield from others(tool, path, {*known, "input_examples"}, _SETTINGS)


def _members(tool: Document, path: Path, kind: str) -> Iterator[Event]:
    family, members = TOOLSETS[kind]
    configs = object_(tool.get("configs") or {}, (*path, "configs"))
    for name, (description, schema) in members.items():
        config = configs.get(name)
        if not isinstance(config, dict) or config.get("enabled") is not False:
            yield ToolDefinition(path, f"{family}.{name}", description, schema)
    setting = holds(enabled=is_switch, defer_loading=is_switch)
    yield from others(configs, (*path, "configs"), frozenset(), dict.fromkeys(members, setting))
    yield from others(tool, path, {"type", "configs"}, CACHED)


def _change_block(block: Document, path: Path, _: Voice) -> Iterator[Event]:
    """A tool that is offered, or no longer, from here on; by its name, or by its definition."""
    at = (*path, "tool")
    tool = object_(block.get("tool"), at)
    if tool.get("type") == "tool_definition" and block["type"] == "tool_addition":
        yield from tool_events(tool.get("definition"), (*at, "definition"))
        yield from others(tool, at, {"type", "definition"}, {})
    elif tool.get("type") == "tool_reference":
        yield Text((*at, "name"), Channel.PARAMETER, text_(tool.get("name"), (*at, "name")))
        yield from others(tool, at, {"type", "name"}, {})
    else:
        yield opaque(at, tool)
    yield from others(block, path, {"type", "tool"}, CACHED)


CHANGES: Mapping[str, Block] = {"tool_addition": _change_block, "tool_removal": _change_block}
