"""A request: its messages, the tools it offers, and its settings."""

from collections.abc import Iterator, Mapping

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Path, Text, ToolCall, ToolDefinition
from interlock.protocols import Document, Request, Target, decode, named
from interlock.protocols._json import is_empty, list_, object_, opaque, text_, texts, where
from interlock.protocols._reading import Voice, is_number, is_switch, others
from interlock.protocols.bedrock_converse.blocks import (
    Block,
    audio_block,
    block_events,
    cache_block,
    call_block,
    change_block,
    citations_block,
    document_block,
    guard_block,
    image_block,
    json_block,
    list_events,
    reasoning_block,
    search_block,
    text_block,
    video_block,
)

# Settings whose strings are no part of the conversation.
PARAMETERS = frozenset(
    {
        "inferenceConfig", "guardrailConfig", "projectIdentifier", "additionalModelResponseFieldPaths",
        "requestMetadata", "performanceConfig", "serviceTier", "outputConfig",
    }
)  # fmt: skip
# What models understand beside the settings of Converse: of Claude, Nova, Llama, Mistral, Cohere. Not among them, so
# opaque if they are more than a number: `tools` and whatever else could speak to the model.
_MODEL_FIELDS = frozenset(
    {
        "anthropic_beta", "inferenceConfig", "k", "max_tokens", "output_config", "p", "reasoning_config",
        "reasoning_effort", "reasoningConfig", "stop_sequences", "thinking", "top_k", "topK",
    }
)  # fmt: skip
_VOICES = {"user": Channel.USER, "assistant": Channel.ASSISTANT, "system": Channel.SYSTEM}
_SYSTEM: Mapping[str, Block] = {"text": text_block, "guardContent": guard_block, "cachePoint": cache_block}
_CHANGES: Mapping[str, Block] = {"toolAddition": change_block, "toolRemoval": change_block}
_QUOTED: Mapping[str, Block] = {
    "image": image_block,
    "document": document_block,
    "video": video_block,
    "searchResult": search_block,
}
_BLOCKS: Mapping[str, Mapping[str, Block]] = {
    "user": {**_SYSTEM, **_QUOTED, "audio": audio_block, **_CHANGES},
    "assistant": {
        "text": text_block,
        "image": image_block,
        "cachePoint": cache_block,
        "reasoningContent": reasoning_block,
        "citationsContent": citations_block,
        "toolUse": call_block,
    },
    "system": {**_SYSTEM, **_CHANGES},
}
_RESULTS: Mapping[str, Block] = {"text": text_block, "json": json_block, **_QUOTED}
# A model's name that is a prompt kept at Amazon: what it says to the model, nobody here sees.
_PROMPT = ":prompt/"


def read_request(data: bytes, target: Target) -> Request:
    """A request, understood; the model's name is in its path."""
    document = decode(data)
    model = target.fields.get("model", "")
    messages = document.get("messages")
    events = tuple(_request_events(document, model))
    if not messages and _PROMPT not in model:
        raise ProtocolError("messages is missing or empty", where="messages", hint="send at least one message")
    _refuse_two_tools_of_one_name(events)
    return Request(data, document, model, target.path.endswith("-stream"), events)


def _request_events(document: Document, model: str) -> Iterator[Event]:
    if _PROMPT in model:
        yield opaque(("modelId",), model)
    if not is_empty(document.get("system")):
        yield from list_events(document["system"], ("system",), Voice(Channel.SYSTEM), _SYSTEM)
    called: dict[str, str] = {}
    for index, message in enumerate(list_(document.get("messages") or [], ("messages",))):
        yield from _message(object_(message, ("messages", index)), ("messages", index), called)
    for key, value in document.items():
        if key in ("messages", "system") or is_empty(value):
            continue
        if key == "toolConfig":
            yield from _tools(object_(value, (key,)), (key,))
        elif key == "additionalModelRequestFields":
            yield from _model_fields(value, (key,))
        elif key == "promptVariables":
            for name, inner in object_(value, (key,)).items():
                yield from block_events(inner, (key, name), Voice(Channel.USER), {"text": text_block})
        elif key in PARAMETERS:
            for path, text in texts(value, (key,)):
                yield Text(path, Channel.PARAMETER, text)
        else:
            yield opaque((key,), value)


def _message(message: Document, path: Path, called: dict[str, str]) -> Iterator[Event]:
    """The events of one message. `called`, tool by call id, is read for results and grows by its calls."""
    role = message.get("role")
    if not isinstance(role, str) or role not in _VOICES:
        raise ProtocolError("unknown role", where=where((*path, "role")), hint=f"one of {', '.join(_VOICES)}")
    events: list[Event] = []
    for index, item in enumerate(list_(message.get("content"), (*path, "content"))):
        at = (*path, "content", index)
        results = {"toolResult": lambda value, path, _: _result(value, path, called)} if role == "user" else {}
        events += block_events(item, at, Voice(_VOICES[role]), {**_BLOCKS[role], **results})
    for call_id, name in _names_by_id(events).items():
        called[call_id] = name if called.get(call_id, name) == name else ""
    yield from events
    yield from others(message, path, {"role", "content"}, {})


def _names_by_id(events: list[Event]) -> dict[str, str]:
    """Which tool each id of one message's calls stands for; no tool where an id stands for two."""
    names: dict[str, str] = {}
    for event in events:
        if isinstance(event, ToolCall):
            same = names.get(event.call_id, event.name) == event.name
            names[event.call_id] = event.name if same and event.call_id else ""
    return names


def _result(value: object, path: Path, called: dict[str, str]) -> Iterator[Event]:
    """What a tool gave back, whatever it is."""
    result = object_(value, path)
    call_id = text_(result.get("toolUseId"), (*path, "toolUseId"))
    # An id that is called twice before its result came stands for no tool.
    voice = Voice(Channel.TOOL_RESULT, called.pop(call_id, ""), call_id)
    yield from list_events(result.get("content") or [], (*path, "content"), voice, _RESULTS)
    quiet = {"status": lambda status: status in ("success", "error")}
    yield from others(result, path, {"toolUseId", "content"}, quiet)


def _tools(config: Document, path: Path) -> Iterator[Event]:
    """The tools that are offered; those that Bedrock runs itself are opaque."""
    for index, tool in enumerate(list_(config.get("tools") or [], (*path, "tools"))):
        at = (*path, "tools", index)
        yield from block_events(tool, at, Voice(Channel.TOOL_DESCRIPTION), _TOOLS)
    for place, text in texts(config.get("toolChoice"), (*path, "toolChoice")):
        yield Text(place, Channel.PARAMETER, text)
    yield from others(config, path, {"tools", "toolChoice"}, {})


def _tool(value: object, path: Path, _: Voice) -> Iterator[Event]:
    tool, at = object_(value, path), (*path, "inputSchema")
    given = object_(tool.get("inputSchema"), at)
    name, description = text_(tool.get("name"), (*path, "name")), tool.get("description") or ""
    schema = object_(given.get("json"), (*at, "json"))
    yield ToolDefinition(path, name, text_(description, (*path, "description")), schema)
    yield from others(given, at, {"json"}, {})
    yield from others(tool, path, {"name", "description", "inputSchema"}, {"strict": is_switch})


_TOOLS: Mapping[str, Block] = {"toolSpec": _tool, "cachePoint": cache_block}


def _model_fields(value: object, path: Path) -> Iterator[Event]:
    """What goes to the model's own server as it is: known settings, and numbers under any name.

    Not switches, which may turn on a search, nor what asks for logprobs: nobody would take them out of the answer.
    """
    for key, inner in object_(value, path).items():
        if key in _MODEL_FIELDS:
            for place, text in texts(inner, (*path, key)):
                yield Text(place, Channel.PARAMETER, text)
        elif not (is_number(inner) and named(key) == key and "logprob" not in key.lower()) and not is_empty(inner):
            yield opaque((*path, key), inner)


def _refuse_two_tools_of_one_name(events: tuple[Event, ...]) -> None:
    """Bedrock refuses them too; which of the two a call means, nobody could say."""
    offered: set[str] = set()
    for event in events:
        if isinstance(event, ToolDefinition):
            if event.name in offered:
                raise ProtocolError("two tools have one name", where=where(event.path), hint="offer each tool once")
            offered.add(event.name)
