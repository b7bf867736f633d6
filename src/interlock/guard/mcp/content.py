"""What a tool's result, a resource or a prompt holds: all of it is read, scanned and remembered before it goes on.

Not read is only what can say nothing: a switch that is one, the name of an image's format, marks of the protocol.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from interlock.guard.mcp.visit import Visit
from interlock.model.event import Channel, Media, Path, Text, ToolCall
from interlock.model.record import Origin
from interlock.protocols import encode
from interlock.provenance import ToolLabels

# What stands in place of a result.
WITHHELD = "[interlock] The result was withheld."
_INLINE = ("image", "audio")
# The names of formats such as image/svg+xml. A point would let an address through.
_FORMAT = re.compile(r"(image|audio)/[A-Za-z0-9+-]{1,24}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9:]{2,5})?)?"
)
_SILENT = ("content", "_meta", "resultType", "ttlMs", "cacheScope")
# Parts of one result, each of which is a step on record.
MOST_BLOCKS = 1_000
# A whole number above this has digits enough to be a text.
MOST_NUMBER = 2**53


def received(
    visit: Visit, result: Mapping[str, Any], call: ToolCall, labels: ToolLabels | None = None
) -> dict[str, Any]:
    """A tool's result as it goes on; a notice in its place if something in it may not."""
    output = labels.output if labels else Origin.UNTRUSTED
    content = result.get("content")
    if isinstance(content, list) and len(content) > MOST_BLOCKS:
        visit.block("tool_result", call.name, f"It has {len(content):,} parts, and may have {MOST_BLOCKS:,}.")
        return withheld()
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
        if key not in _SILENT and value is not None and not (key == "isError" and isinstance(value, bool)):
            yield _text((key,), value, call)


def block(held: object, path: Path, call: ToolCall) -> Iterator[Text | Media]:
    """What one block of content holds: a text, an image or sound, a resource, and whatever else is in it."""
    kind = held.get("type") if isinstance(held, dict) else None
    if not isinstance(held, dict) or not isinstance(kind, str):
        yield _text(path, held, call)
        return
    known = {"type"} | ({"annotations"} if _says_nothing(held.get("annotations")) else set())
    if kind == "text" and isinstance(held.get("text"), str):
        yield _text((*path, "text"), held["text"], call)
        known |= {"text"}
    elif kind in _INLINE and isinstance(held.get("data"), str):
        mime = held.get("mimeType")
        format_ = _FORMAT.fullmatch(mime) if isinstance(mime, str) else None
        media_type = mime if isinstance(mime, str) and format_ and format_[1] == kind else ""
        yield Media(
            (*path, "data"), Channel.TOOL_RESULT, kind, "inline", held["data"], media_type, call.name, call.call_id
        )
        known |= {"data", "mimeType"} if media_type else {"data"}
    elif kind == "resource" and isinstance(held.get("resource"), dict):
        yield from resource(held["resource"], (*path, "resource"), call)
        known |= {"resource"}
    rest = {key: value for key, value in held.items() if key not in known}
    if rest:
        yield _text(path, rest, call)


def is_number(value: object) -> bool:
    """Whether it is a number, and no text of digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= MOST_NUMBER if isinstance(value, int) else math.isfinite(value)


def _says_nothing(annotations: object) -> bool:
    """Whether a block's annotations hold only what MCP knows: for whom it is, how important, and from when."""
    if not isinstance(annotations, dict):
        return annotations is None
    for key, value in annotations.items():
        match key:
            case "audience":
                known = (
                    isinstance(value, list) and len(value) <= 2 and all(one in ("user", "assistant") for one in value)
                )
            case "priority":
                known = is_number(value)
            case "lastModified":
                known = isinstance(value, str) and _TIME.fullmatch(value) is not None
            case _:
                known = False
        if not known:
            return False
    return True


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
