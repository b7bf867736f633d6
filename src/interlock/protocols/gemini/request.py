"""A request: its contents, the tools it offers, and its settings; which of the methods it calls is in the path."""

import re
from collections.abc import Iterator
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Opaque, Path, ToolDefinition
from interlock.protocols import Request, Target
from interlock.protocols._json import decode, object_, opaque, where
from interlock.protocols.gemini.fields import (
    GENERATION,
    PARAMETERS,
    Field,
    fields,
    inside,
    is_plain,
    several,
    structure,
    unknown,
)
from interlock.protocols.gemini.parts import History, part_events, said

METHODS = ("generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents")
VERSIONS = frozenset({"v1", "v1beta", "v1beta1", "v1alpha"})
# How an answer may be written: `$alt` is the other name of `alt`, and Google's generated clients escape it.
ALT = frozenset({"alt", "$alt", "%24alt"})
_WHOLE = frozenset({"json", "json;enum-encoding=int"})
# A missing role is the user's, as Google's servers take it; `function` is the older name for who gives results.
ROLES = {
    "": Channel.USER,
    "user": Channel.USER,
    "model": Channel.ASSISTANT,
    "function": Channel.TOOL_RESULT,
}
# In `systemInstruction` the servers ignore the role, and clients write any.
_SYSTEM_ROLES = frozenset({*ROLES, "system"})
_NAME = re.compile(r"[A-Za-z0-9._@:-]+")
_EMBEDDING = frozenset({"model", "content"})
_EMBEDDING_SETTINGS = frozenset({"taskType", "title", "outputDimensionality", "embedContentConfig", "autoTruncate"})
_DECLARATION = frozenset(
    {"name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema"}
)


def read_request(data: bytes, target: Target) -> Request:
    """A request of any of the methods, understood."""
    resource, _, method = target.path.rpartition(":")
    stream = method == "streamGenerateContent"
    _check_query(target, stream=stream)
    document = decode(data)
    found = fields(document, ())
    names = _Names(resource, _model(target))
    names.check(found)
    if method in ("embedContent", "batchEmbedContents"):
        events = _embed_events(found, names, batch=method == "batchEmbedContents")
        return Request(data, document, names.model, False, tuple(events), frozenset({"embeddings"}))
    beside: list[Opaque] = []
    if method == "countTokens" and "generateContentRequest" in found:
        beside = unknown(found, frozenset({"model", "generateContentRequest"}))
        found = inside(found["generateContentRequest"])
        names.check(found)
    return Request(data, document, names.model, stream, (*_generate_events(found), *beside), _asks(found))


class _Names:
    """The model's name, and the longer ones by which a body may say it once more."""

    def __init__(self, resource: str, model: str) -> None:
        self.model = model
        self._resource = resource

    def check(self, found: dict[str, Field]) -> None:
        """Raises: ProtocolError if a body names another model than the path."""
        name = said(found, "model")
        if name and name != self.model and not self._resource.endswith(f"/{name}"):
            raise ProtocolError("the body names another model", where="model", hint="leave it out, or send the path's")


def _model(target: Target) -> str:
    """The model that a path names; what is no plain model has its kind before it: `tunedModels/mine`."""
    if target.fields.get("version") not in VERSIONS:
        raise ProtocolError("unknown version of the API", where="path", hint=f"one of {', '.join(sorted(VERSIONS))}")
    if not all(_NAME.fullmatch(value) for value in target.fields.values()) or ":" in target.fields["model"]:
        raise ProtocolError(
            "a name in the path holds signs that no name has", where="path", hint="send the model's name"
        )
    kind = target.path.rpartition("/")[0].rpartition("/")[2]
    return target.fields["model"] if kind == "models" else f"{kind}/{target.fields['model']}"


def _check_query(target: Target, *, stream: bool) -> None:
    given = list(target.query.values())
    if len(given) > 1:
        raise ProtocolError("the form of the answer is asked for twice", where="query", hint="send alt once")
    if stream and given != ["sse"]:
        raise ProtocolError(
            "a stream as a JSON array is not covered", where="query", hint="ask for server-sent events: ?alt=sse"
        )
    if not stream and given and given[0] not in _WHOLE:
        raise ProtocolError("the form of the answer is not covered", where="query", hint="leave alt out")


def _asks(found: dict[str, Field]) -> frozenset[str]:
    config = inside(found.get("generationConfig"))
    asked = any(name in config and config[name].value for name in ("responseLogprobs", "logprobs"))
    return frozenset({"logprobs"} if asked else ())


def _generate_events(found: dict[str, Field]) -> Iterator[Event]:
    contents = several(found.get("contents"))
    if not contents:
        raise ProtocolError("contents is missing or empty", where="contents", hint="send at least one content")
    history = History(_answered(contents))
    if instruction := found.get("systemInstruction"):
        yield from _content(instruction.value, instruction.path, history, system=True)
    for at, content in contents:
        yield from _content(content, at, history)
    for at, tool in several(found.get("tools")):
        yield from _tool(tool, at)
    for name, field in found.items():
        if name == "generationConfig":
            yield from _generation(field)
        elif name in PARAMETERS:
            yield from structure(field, Channel.PARAMETER)
    yield from unknown(found, PARAMETERS | {"model", "contents", "systemInstruction", "tools", "generationConfig"})


def _answered(contents: list[tuple[Path, Any]]) -> frozenset[str]:
    """The ids that results name. Whatever is missed here only makes a call known by its tool's name."""
    parts = [content["parts"] for _, content in contents if isinstance(content, dict) and "parts" in content]
    results = [
        part.get("functionResponse", part.get("function_response"))
        for several_parts in parts
        if isinstance(several_parts, list)
        for part in several_parts
        if isinstance(part, dict)
    ]
    ids = [result.get("id") for result in results if isinstance(result, dict)]
    return frozenset(call_id for call_id in ids if isinstance(call_id, str) and call_id)


def _content(value: object, path: Path, history: History, *, system: bool = False) -> Iterator[Event]:
    found = fields(value, path)
    role = said(found, "role")
    if role not in (_SYSTEM_ROLES if system else ROLES):
        raise ProtocolError("unknown role", where=where((*path, "role")), hint="user, model or function")
    for at, part in several(found.get("parts")):
        yield from part_events(part, at, Channel.SYSTEM if system else ROLES[role], history)
    yield from unknown(found, frozenset({"role", "parts"}))


def _generation(field: Field) -> Iterator[Event]:
    found = inside(field)
    for name, setting in found.items():
        if name in GENERATION:
            yield from structure(setting, Channel.PARAMETER)
    yield from unknown(found, GENERATION)


def _tool(value: object, path: Path) -> Iterator[Event]:
    """A tool: functions of the client, or something that the server itself does, which nobody here understands."""
    for name, field in fields(value, path).items():
        if name == "functionDeclarations":
            for at, declaration in several(field):
                yield from _declaration(declaration, at)
        else:
            yield opaque(*field)


def _declaration(value: object, path: Path) -> Iterator[Event]:
    found = fields(value, path)
    for one, other in (("parameters", "parametersJsonSchema"), ("response", "responseJsonSchema")):
        if one in found and other in found:
            raise ProtocolError("a function has two schemas for one thing", where=where(path), hint="send one of them")
    schema: dict[str, object] = {}
    description = said(found, "description")
    for name, field in found.items():
        if name in ("parameters", "response"):
            _check_schema(field.value, field.path)
        if name in ("parameters", "parametersJsonSchema"):
            schema = object_(field.value, field.path)
        elif name in ("response", "responseJsonSchema"):
            # The model reads it like the description.
            description += "".join(f"\n{text.text}" for text in structure(field, Channel.TOOL_DESCRIPTION))
    if not (name := said(found, "name")):
        raise ProtocolError("a function has no name", where=where(path), hint="name each function")
    yield ToolDefinition(path, name, description, schema)
    behavior = frozenset({"behavior"} if "behavior" in found and is_plain(found["behavior"].value) else ())
    yield from unknown(found, _DECLARATION | behavior)


def _check_schema(value: object, path: Path) -> None:
    """A `Schema` is a message too, with both spellings of its fields. Raises: ProtocolError."""
    for name, field in fields(value, path).items():
        if name in ("properties", "defs"):
            for key, inner in object_(field.value, field.path).items():
                _check_schema(inner, (*field.path, key))
        elif name in ("items", "anyOf", "prefixItems", "additionalProperties") and not isinstance(field.value, bool):
            for at, inner in several(field):
                _check_schema(inner, at)


def _embed_events(found: dict[str, Field], names: _Names, *, batch: bool) -> Iterator[Event]:
    if not batch:
        yield from _embedding(found, ())
        return
    requests = several(found.get("requests"))
    if not requests:
        raise ProtocolError("requests is missing or empty", where="requests", hint="send at least one")
    for at, value in requests:
        inner = fields(value, at)
        names.check(inner)
        yield from _embedding(inner, at)
    yield from unknown(found, frozenset({"model", "requests"}))


def _embedding(found: dict[str, Field], path: Path) -> Iterator[Event]:
    if "content" not in found:
        raise ProtocolError("content is missing", where=where((*path, "content")), hint="send what to embed")
    yield from _content(found["content"].value, found["content"].path, History())
    for name, field in found.items():
        if name in _EMBEDDING_SETTINGS:
            yield from structure(field, Channel.PARAMETER)
    yield from unknown(found, _EMBEDDING | _EMBEDDING_SETTINGS)
