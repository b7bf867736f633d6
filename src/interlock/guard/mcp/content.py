"""What a tool's result, a resource or a prompt holds: all of it is read, scanned and remembered before it goes on."""

from collections.abc import Iterator, Mapping
from typing import Any

from interlock.guard.mcp.visit import Visit
from interlock.model.event import Channel, Media, Path, Text, ToolCall
from interlock.model.record import Origin
from interlock.protocols import encode
from interlock.provenance import ToolLabels

# What stands in place of a result.
WITHHELD = "[interlock] The result was withheld."
_INLINE = {"image": "image", "audio": "audio"}


def received(
    visit: Visit, result: Mapping[str, Any], call: ToolCall, labels: ToolLabels | None = None
) -> dict[str, Any]:
    """A tool's result as it goes on; a notice in its place if something in it may not."""
    output = labels.output if labels else Origin.UNTRUSTED
    for event in events(result, call):
        if visit.receive(event, output, labels):
            return withheld()
    # `_meta` is for programs; but nobody has read it here, and it is no part of what a tool says.
    return {key: value for key, value in result.items() if key != "_meta"}


def withheld() -> dict[str, Any]:
    """What stands in place of a result that may not go on."""
    return {"content": [{"type": "text", "text": WITHHELD}], "isError": True}


def events(result: Mapping[str, Any], call: ToolCall) -> Iterator[Text | Media]:
    """Everything in a result that somebody can read: its texts one by one, what has a structure as JSON."""
    content = result.get("content", [])
    for index, one in enumerate(content if isinstance(content, list) else [content]):
        yield from block(one, ("content", index), call)
    for key, value in result.items():
        if key not in ("content", "isError", "_meta", "resultType", "ttlMs", "cacheScope") and value is not None:
            yield _text((key,), value, call)


def block(held: object, path: Path, call: ToolCall) -> Iterator[Text | Media]:
    """What one block of content holds: a text, an image or sound, a resource, and whatever else is in it."""
    kind = held.get("type") if isinstance(held, dict) else None
    if not isinstance(held, dict) or not isinstance(kind, str):
        yield _text(path, held, call)
        return
    known = {"type", "annotations", "_meta"}
    if kind == "text" and isinstance(held.get("text"), str):
        yield _text((*path, "text"), held["text"], call)
        known |= {"text"}
    elif kind in _INLINE and isinstance(held.get("data"), str):
        mime = held.get("mimeType")
        media_type = mime if isinstance(mime, str) else ""
        yield Media(
            (*path, "data"), Channel.TOOL_RESULT, kind, "inline", held["data"], media_type, call.name, call.call_id
        )
        known |= {"data", "mimeType"}
    elif kind == "resource" and isinstance(held.get("resource"), dict):
        yield from resource(held["resource"], (*path, "resource"), call)
        known |= {"resource"}
    rest = {key: value for key, value in held.items() if key not in known}
    if rest:
        yield _text(path, rest, call)


def resource(held: Mapping[str, Any], path: Path, call: ToolCall) -> Iterator[Text | Media]:
    """What a resource holds: its text, or bytes that nobody looks into, and what is said about it."""
    blob = held.get("blob")
    if isinstance(blob, str):
        yield Media((*path, "blob"), Channel.TOOL_RESULT, "file", "inline", blob, "", call.name, call.call_id)
    for key, value in held.items():
        if key != "blob" or not isinstance(blob, str):
            yield _text((*path, key), value, call)


def _text(path: Path, value: object, call: ToolCall) -> Text:
    text = value if isinstance(value, str) else encode(value).decode()
    return Text(path, Channel.TOOL_RESULT, text, call.name, call.call_id)
