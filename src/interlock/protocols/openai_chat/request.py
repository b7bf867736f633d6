"""A request: its messages, the tools it offers, and its settings."""

from collections.abc import Iterator
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.model.event import Event, Path, Text, ToolDefinition
from interlock.protocols import (
    Document,
    Request,
    Target,
)
from interlock.protocols._json import (
    is_empty,
    list_,
    object_,
    opaque,
    rest,
    text_,
    texts,
    where,
)
from interlock.protocols._openai import addressed
from interlock.protocols._reading import others
from interlock.protocols.openai_chat import servers
from interlock.protocols.openai_chat.fields import (
    ROLES,
    SETTINGS,
    message_fields,
)

# OpenRouter: the model searches the web first.
SEARCHES = ":online"


def read_request(data: bytes, target: Target) -> Request:
    """A request, understood. Where the path names a deployment (Azure OpenAI), that is the model."""
    data, document, model = addressed(data, target)
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ProtocolError("messages is missing or empty", where="messages", hint="send at least one message")
    stream = document.get("stream")
    if not isinstance(stream, bool | None):
        raise ProtocolError("stream is neither true nor false", where="stream", hint="send true or false")
    asks = frozenset({"logprobs"} if document.get("logprobs") or document.get("top_logprobs") else ())
    return Request(data, document, model, bool(stream), tuple(_request_events(document, messages, model)), asks)


def _request_events(document: Document, messages: list[Any], model: str) -> Iterator[Event]:
    if model.endswith(SEARCHES):
        yield opaque(("model", "online"), model)
    called: dict[str, str] = {}
    for index, message in enumerate(messages):
        yield from _message(object_(message, ("messages", index)), ("messages", index), called)
    for key, value in document.items():
        if key in ("model", "messages", "stream"):
            continue
        if key in ("tools", "functions"):
            for index, tool in enumerate(list_(value, (key,))):
                yield from _tool(tool, (key, index), bare=key == "functions")
        elif key in SETTINGS:
            for path, text in texts(value, (key,)):
                yield Text(path, SETTINGS[key], text)
        elif key == "web_search_options" and value is not None:
            # It is asked for with `{}` too. Below the top: what the model reads there is untrusted text.
            yield opaque(("tools", key), value)
        elif not is_empty(value):
            yield opaque((key,), value)


def _message(message: Document, path: Path, called: dict[str, str]) -> Iterator[Event]:
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise ProtocolError("unknown role", where=where((*path, "role")), hint=f"one of {', '.join(ROLES)}")
    yield from message_fields(message, path, role, ROLES[role], called)


def _tool(value: object, path: Path, *, bare: bool) -> Iterator[Event]:
    tool = object_(value, path)
    kind = "function" if bare else tool.get("type")
    if kind not in ("function", "custom"):
        yield opaque((*path, "type"), tool)
        return
    inner = tool if bare else object_(tool.get(kind), (*path, kind))
    at = path if bare else (*path, kind)
    shape = "parameters" if kind == "function" else "format"
    schema = inner.get(shape) or {}
    yield ToolDefinition(
        path,
        text_(inner.get("name"), (*at, "name")),
        text_(inner.get("description") or "", (*at, "description")),
        object_(schema, (*at, shape)),
    )
    strict = ("strict",) if isinstance(inner.get("strict"), bool) else ()
    yield from rest(inner, at, {"name", "description", shape, *strict})
    if not bare:
        yield from others(tool, path, {"type", kind}, servers.MESSAGE)
