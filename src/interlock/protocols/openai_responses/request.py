"""A request: its instructions and items, the tools it offers, and its settings."""

from collections.abc import Iterator

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Path, Text, ToolDefinition
from interlock.protocols import Document, Request, Target
from interlock.protocols._json import decode, is_empty, list_, object_, opaque, text_, texts
from interlock.protocols.openai_responses.content import part_events
from interlock.protocols.openai_responses.fields import PARAMETERS, aside
from interlock.protocols.openai_responses.items import request_item, tool_name

LOGPROBS = "message.output_text.logprobs"


def read_request(data: bytes, _: Target) -> Request:
    """A request, understood."""
    document = decode(data)
    model = document.get("model")
    if not isinstance(model, str) or not model:
        raise ProtocolError("model is missing or not a text", where="model", hint="name the model to call")
    stream = document.get("stream")
    if not isinstance(stream, bool | None):
        raise ProtocolError("stream is neither true nor false", where="stream", hint="send true or false")
    included = list_(document.get("include") or [], ("include",))
    asks = frozenset({"logprobs"} if document.get("top_logprobs") or LOGPROBS in included else ())
    return Request(data, document, model, bool(stream), tuple(_events(document)), asks)


def _events(document: Document) -> Iterator[Event]:
    if instructions := document.get("instructions"):
        yield Text(("instructions",), Channel.SYSTEM, text_(instructions, ("instructions",)))
    given = document.get("input")
    if isinstance(given, str):
        yield Text(("input",), Channel.USER, given)
    elif given is not None:
        called: dict[str, str] = {}
        for index, item in enumerate(list_(given, ("input",))):
            yield from request_item(item, ("input", index), called)
    for key, value in document.items():
        if key not in ("model", "instructions", "input", "stream") and not is_empty(value):
            yield from _setting(key, value)


def _setting(key: str, value: object) -> Iterator[Event]:
    if key == "tools":
        for index, tool in enumerate(list_(value, (key,))):
            yield from _tool(tool, (key, index), "")
    elif key in ("previous_response_id", "conversation"):
        yield _kept(key, value)
    elif key == "prompt":
        yield from _prompt(object_(value, (key,)))
    elif key in PARAMETERS:
        for path, text in texts(value, (key,)):
            yield Text(path, Channel.PARAMETER, text)
    elif key != "background" or value is not False:
        yield opaque((key,), value)


def _kept(key: str, value: object) -> Event:
    """A conversation that the server keeps: who said what in it cannot be seen, so it is not understood.

    Its place is `conversation.id` or `conversation.previous_response_id`. Below the top of the request what is not
    understood counts as untrusted text, so where a policy lets it through, the conversation is tainted.
    """
    return opaque(("conversation", "id" if key == "conversation" else key), value)


def _prompt(prompt: Document) -> Iterator[Event]:
    """A template that the server keeps. Who wrote what is put into it is not said: it counts as untrusted."""
    path: Path = ("prompt", "variables")
    variables = object_(prompt.get("variables") or {}, path)
    yield opaque(("prompt", "id"), [prompt.get("id"), prompt.get("version"), *variables])
    for name, value in variables.items():
        if isinstance(value, str):
            yield Text((*path, name), Channel.RETRIEVED, value)
        else:
            yield from part_events(value, (*path, name), Channel.RETRIEVED)
    yield from aside(prompt, ("prompt",), {"id", "version", "variables"})


def _tool(value: object, path: Path, namespace: str) -> Iterator[Event]:
    tool = object_(value, path)
    kind = tool.get("type")
    if kind == "namespace" and not namespace:
        name = text_(tool.get("name"), (*path, "name"))
        if said := tool.get("description"):
            yield Text((*path, "description"), Channel.TOOL_DESCRIPTION, text_(said, (*path, "description")))
        for index, inner in enumerate(list_(tool.get("tools"), (*path, "tools"))):
            yield from _tool(inner, (*path, "tools", index), name)
        yield from aside(tool, path, {"type", "name", "description", "tools"})
    elif kind in ("function", "custom"):
        yield from _client_tool(tool, path, namespace)
    else:
        # Tools that the model's server runs itself, or that it defines.
        yield opaque((*path, kind if isinstance(kind, str) else "type"), tool)


def _client_tool(tool: Document, path: Path, namespace: str) -> Iterator[Event]:
    shape = "parameters" if tool["type"] == "function" else "format"
    yield ToolDefinition(
        path,
        tool_name({"name": tool.get("name"), "namespace": namespace}, path),
        text_(tool.get("description") or "", (*path, "description")),
        object_(tool.get(shape) or {}, (*path, shape)),
    )
    for at, text in texts(tool.get("output_schema"), (*path, "output_schema")):
        yield Text(at, Channel.PARAMETER, text)
    yield from aside(tool, path, {"type", "name", "description", "output_schema", shape})
