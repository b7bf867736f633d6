"""The items of which a conversation is made: messages, calls, their results, reasoning."""

from collections.abc import Iterator

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Path, Text, ToolCall
from interlock.protocols import Document
from interlock.protocols._json import is_empty, list_, object_, opaque, text_, where
from interlock.protocols.openai_responses.content import content_events, part_events
from interlock.protocols.openai_responses.fields import CALLS, CLIENT_RUN, RESULTS, ROLES, aside


def request_item(value: object, path: Path, called: dict[str, str]) -> Iterator[Event]:
    """An item of a request. `called`, tool by call id, is read for results and grows by calls."""
    item = object_(value, path)
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    if kind == "message":
        role = item.get("role")
        if not isinstance(role, str) or role not in ROLES:
            raise ProtocolError("unknown role", where=where((*path, "role")), hint=f"one of {', '.join(ROLES)}")
        yield from _message(item, path, ROLES[role])
    elif kind == "reasoning":
        yield from _reasoning(item, path, Channel.ASSISTANT)
    elif isinstance(kind, str) and kind in CALLS:
        call = call_of(item, path)
        if call.call_id:
            called[call.call_id] = call.name if called.get(call.call_id, call.name) == call.name else ""
        yield call
        yield from _call_rest(item, path)
    elif isinstance(kind, str) and kind in RESULTS:
        yield from _result(item, path, called)
    else:
        # What the server ran itself, and what stands for items that are not in the request.
        yield opaque((*path, kind if isinstance(kind, str) else "type"), item)


def answer_item(value: object, path: Path) -> Iterator[Event]:
    """An item of an answer."""
    item = object_(value, path)
    kind = item.get("type")
    if not isinstance(kind, str) or kind in CLIENT_RUN:
        raise ProtocolError("an item of the answer is not covered", where=where((*path, "type")), status=502)
    if kind == "message":
        if item.get("role", "assistant") != "assistant":
            raise ProtocolError("an answer's role is not assistant", where=where((*path, "role")), status=502)
        yield from _message(item, path, Channel.OUTPUT)
    elif kind == "reasoning":
        yield from _reasoning(item, path, Channel.OUTPUT)
    elif kind in CALLS:
        yield call_of(item, path)
        yield from _call_rest(item, path)
    else:
        yield opaque((*path, kind), item)


def _message(item: Document, path: Path, channel: Channel) -> Iterator[Event]:
    if (content := item.get("content")) is not None:
        yield from content_events(content, (*path, "content"), channel)
    yield from aside(item, path, {"type", "role", "content"})


def _reasoning(item: Document, path: Path, channel: Channel) -> Iterator[Event]:
    """What the model thought. The encrypted form is a text too, though one that nobody can read."""
    for key in ("summary", "content"):
        for index, part in enumerate(list_(item.get(key) or [], (*path, key))):
            yield from part_events(part, (*path, key, index), channel)
    if encrypted := item.get("encrypted_content"):
        yield Text((*path, "encrypted_content"), channel, text_(encrypted, (*path, "encrypted_content")))
    yield from aside(item, path, {"type", "summary", "content", "encrypted_content"})


def call_of(item: Document, path: Path) -> ToolCall:
    """The call that an item is. One that could be read as both sorts is refused: clients differ in which they run."""
    field = CALLS[item["type"]]
    if not is_empty(item.get("input" if field == "arguments" else "arguments")):
        raise ProtocolError("a call is a function and custom at once", where=where(path), hint="send one of them")
    call_id = text_(item.get("call_id"), (*path, "call_id"))
    arguments = "" if item.get(field) is None else text_(item[field], (*path, field))
    return ToolCall(path, call_id, tool_name(item, path), arguments)


def tool_name(value: Document, path: Path) -> str:
    """A tool's name; one of a namespace has that before it, unless the two are the same."""
    name = text_(value.get("name"), (*path, "name"))
    namespace = text_(value.get("namespace") or "", (*path, "namespace"))
    return f"{namespace}.{name}" if namespace not in ("", name) else name


def _call_rest(item: Document, path: Path) -> Iterator[Event]:
    yield from aside(item, path, {"type", "call_id", "name", "namespace", CALLS[item["type"]]})


def _result(item: Document, path: Path, called: dict[str, str]) -> Iterator[Event]:
    """A tool's result. It may name its tool; where that is not the one that was called, it is refused."""
    call_id = text_(item.get("call_id") or "", (*path, "call_id"))
    # Some clients use an id again; one that is called twice before its result came stands for no tool.
    tool = called.pop(call_id, "")
    said = tool_name(item, path) if item.get("name") else ""
    if said and tool and said != tool:
        raise ProtocolError("a result names another tool than its call", where=where(path), hint="name the same")
    if (output := item.get("output")) is not None:
        yield from content_events(output, (*path, "output"), Channel.TOOL_RESULT, tool or said, call_id)
    yield from aside(item, path, {"type", "call_id", "output", "name", "namespace"})
