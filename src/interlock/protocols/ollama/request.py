"""A request: its messages or its prompt, the tools it offers, and its settings."""

from collections.abc import Iterator
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Path, Text, ToolDefinition
from interlock.protocols import Document, Request, Target
from interlock.protocols._json import decode, is_empty, list_, object_, opaque, text_, texts, where
from interlock.protocols._reading import Fits, Voice
from interlock.protocols.ollama.fields import ROLES, images, message_events, unknown

CHAT, GENERATE, EMBED, EMBEDDINGS = "/api/chat", "/api/generate", "/api/embed", "/api/embeddings"
# Settings whose strings are no part of the conversation; numbers and switches carry no text.
_SETTINGS = frozenset({"options", "keep_alive", "truncate"})
_ANSWERED = _SETTINGS | {"format", "think", "shift", "logprobs", "top_logprobs"}
_PARAMETERS = {
    CHAT: _ANSWERED,
    GENERATE: _ANSWERED | {"raw", "width", "height", "steps"},
    EMBED: _SETTINGS | {"dimensions"},
    EMBEDDINGS: _SETTINGS,
}
_TOOL: dict[str, Fits] = {"type": lambda value: value == "function"}


def read_request(data: bytes, target: Target) -> Request:
    """A request of any of the methods, understood."""
    document = decode(data)
    model, stream = document.get("model"), document.get("stream")
    if not isinstance(model, str) or not model:
        raise ProtocolError("model is missing or not a text", where="model", hint="name the model to call")
    if not isinstance(stream, bool | None):
        raise ProtocolError("stream is neither true nor false", where="stream", hint="send true or false")
    match target.path:
        case "/api/chat":
            events, known = [*_chat(document)], {"messages", "tools", "stream"}
        case "/api/generate":
            events, known = [*_generate(document)], {*_PROMPT, "prompt", "images", "stream"}
        case "/api/embed":
            events, known = [*_input(document)], {"input"}
        case _:
            events, known = [*_voiced(document, "prompt", Channel.RETRIEVED)], {"prompt"}
    parameters = _PARAMETERS[target.path]
    for key, value in document.items():
        if key in parameters:
            events += (Text(path, Channel.PARAMETER, text) for path, text in texts(value, (key,)))
    events += unknown(document, (), known | parameters | {"model"}, {})
    answered = target.path in (CHAT, GENERATE)
    return Request(data, document, model, answered and stream is not False, tuple(events), _asks(document, answered))


def _asks(document: Document, answered: bool) -> frozenset[str]:
    if not answered:
        return frozenset({"embeddings"})
    return frozenset({"logprobs"} if document.get("logprobs") or document.get("top_logprobs") else ())


def _voiced(document: Document, key: str, channel: Channel) -> Iterator[Event]:
    if isinstance(text := document.get(key), str) and text:
        yield Text((key,), channel, text)
    elif not is_empty(text):
        yield opaque((key,), text)


def _chat(document: Document) -> Iterator[Event]:
    called: dict[str, str] = {}
    given = document.get("messages")
    # Without messages a model is only loaded, or unloaded.
    for index, value in enumerate(list_([] if given is None else given, ("messages",))):
        path: Path = ("messages", index)
        message = object_(value, path)
        role = message.get("role")
        if not isinstance(role, str) or role not in ROLES:
            raise ProtocolError("unknown role", where=where((*path, "role")), hint=f"one of {', '.join(ROLES)}")
        yield from message_events(message, path, ROLES[role], called)
    tools = document.get("tools")
    for index, tool in enumerate(list_([] if tools is None else tools, ("tools",))):
        yield from _tool(object_(tool, ("tools", index)), ("tools", index))


def _tool(tool: Document, path: Path) -> Iterator[Event]:
    at = (*path, "function")
    function = object_(tool.get("function"), at)
    parameters: Any = function.get("parameters")
    yield ToolDefinition(
        path,
        text_(function.get("name"), (*at, "name")),
        text_(function.get("description") or "", (*at, "description")),
        object_({} if parameters is None else parameters, (*at, "parameters")),
    )
    yield from unknown(function, at, frozenset({"name", "description", "parameters"}), {})
    yield from unknown(tool, path, frozenset({"function"}), _TOOL)


_PROMPT = {"system": Channel.SYSTEM, "template": Channel.SYSTEM, "suffix": Channel.USER}


def _generate(document: Document) -> Iterator[Event]:
    """A prompt and what stands around it. Of one that is sent as it is, `raw`, nobody says who wrote which part."""
    raw = document.get("raw")
    channel = Channel.USER if raw is None or raw is False else Channel.RETRIEVED
    for key, other in _PROMPT.items():
        yield from _voiced(document, key, other)
    yield from _voiced(document, "prompt", channel)
    yield from images(document, (), Voice(channel))


def _input(document: Document) -> Iterator[Event]:
    """Texts to embed. Nobody says who wrote them, so they count as retrieved ones."""
    given = document.get("input")
    if isinstance(given, list):
        for index, text in enumerate(given):
            if isinstance(text, str):
                yield Text(("input", index), Channel.RETRIEVED, text)
            else:
                yield opaque(("input", index), text)
    else:
        yield from _voiced(document, "input", Channel.RETRIEVED)
