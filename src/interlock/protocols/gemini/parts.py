"""The parts of a content: texts, media, calls and results, in requests and in answers."""

from collections.abc import Iterator

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Media, Path, Text, ToolCall
from interlock.protocols._json import encode, is_empty, object_, opaque, text_, where
from interlock.protocols.gemini.fields import (
    DATA,
    NOTES,
    SETTINGS,
    Field,
    check_base64,
    fields,
    inside,
    is_plain,
    several,
    structure,
    unknown,
)

SAID_BY_MODEL = (Channel.ASSISTANT, Channel.OUTPUT)
_KINDS = frozenset({"image", "audio", "video"})
# Under which key the SDKs put a result that is but a text.
_RESULTS = frozenset({"result", "output", "error", "content", "text"})
_CALL = frozenset({"name", "args", "id", "partialArgs", "willContinue"})
_RESULT = frozenset({"name", "id", "response", "parts", "willContinue", "scheduling"})


class History:
    """Which tool each call was of, so that its result is known as that tool's.

    Calls of this protocol mostly have no id, and clients leave ids out of results: then the tool's name stands for the
    id, so that a result counts as one of any of the tool's calls. `answered` are the ids that results name. A result
    whose name is not its call's belongs to no tool.
    """

    def __init__(self, answered: frozenset[str] = frozenset()) -> None:
        self._answered = answered
        self._names: dict[str, str] = {}

    def call(self, call_id: str, name: str) -> str:
        """The id of a call."""
        if call_id not in self._answered:
            return name
        self._names[call_id] = name if self._names.get(call_id, name) == name else ""
        return call_id

    def result(self, call_id: str, name: str) -> tuple[str, str]:
        """(tool, id) of a result."""
        if call_id not in self._names:
            return name, name
        called = self._names[call_id]
        return called if name in ("", called) else "", call_id


def part_events(value: object, path: Path, channel: Channel, history: History | None = None) -> Iterator[Event]:
    """The events of one part. `history` is that of a request; an answer has none."""
    found = fields(value, path)
    if len(found.keys() & DATA) > 1:
        raise ProtocolError("a part is two things at once", where=where(path), hint="send two parts")
    for name, field in found.items():
        at, inner = field
        if name == "text":
            yield Text(at, channel, text_(inner, at))
        elif name == "thoughtSignature":
            check_base64(field)
        elif name in ("inlineData", "fileData"):
            yield from _media(name, field, channel)
        elif name == "functionCall" and channel in SAID_BY_MODEL:
            yield from _call(field, path, history)
        elif name == "functionResponse" and history is not None and channel not in SAID_BY_MODEL:
            yield from _result(field, history)
        elif name in SETTINGS:
            yield from structure(field, channel if channel is Channel.OUTPUT else Channel.PARAMETER)
        elif name in NOTES:
            yield from structure(field, channel)
        elif name == "thought":
            _check_switch(field)
        elif name in DATA or not is_empty(inner):
            yield opaque(at, inner)


def _check_switch(field: Field) -> None:
    if not isinstance(field.value, bool):
        raise ProtocolError("expected true or false", where=where(field.path), hint="see the API reference")


def _media(name: str, field: Field, channel: Channel, tool: str = "", call_id: str = "") -> Iterator[Event]:
    """Bytes that nobody looks into, or where they are kept."""
    found = inside(field)
    bytes_or_place = "data" if name == "inlineData" else "fileUri"
    data, media_type, shown = found.get(bytes_or_place), said(found, "mimeType"), found.get("displayName")
    if data is None:
        raise ProtocolError("a part has no data", where=where(field.path), hint="see the API reference")
    text = text_(data.value, data.path)
    if name == "inlineData":
        check_base64(data)
        source = "inline"
    else:
        source = "url" if ":" in text else "id"
    family = media_type.partition("/")[0].lower()
    yield Media(data.path, channel, family if family in _KINDS else "file", source, text, media_type, tool, call_id)
    if shown:
        yield Text(shown.path, channel, text_(shown.value, shown.path), tool, call_id)
    yield from unknown(found, frozenset({bytes_or_place, "mimeType", "displayName"}))


def _call(field: Field, path: Path, history: History | None) -> Iterator[Event]:
    found = inside(field)
    pieces = found.get("partialArgs")
    going_on = found.get("willContinue")
    if (pieces and pieces.value != []) or (going_on and going_on.value is not False):
        raise ProtocolError("a call is not whole", where=where(field.path), hint="send the call with all its arguments")
    name = said(found, "name")
    if not name:
        raise ProtocolError("a call names no function", where=where(field.path), hint="see the API reference")
    args = object_(found["args"].value, found["args"].path) if "args" in found else {}
    call_id = said(found, "id")
    yield ToolCall(path, call_id if history is None else history.call(call_id, name), name, encode(args).decode())
    yield from unknown(found, _CALL)


def _result(field: Field, history: History) -> Iterator[Event]:
    found = inside(field)
    tool, call_id = history.result(said(found, "id"), said(found, "name"))
    response = found.get("response", Field((*field.path, "response"), {}))
    told = object_(response.value, response.path)
    if len(told) == 1 and isinstance(text := told.get(key := next(iter(told))), str) and key in _RESULTS:
        yield Text((*response.path, key), Channel.TOOL_RESULT, text, tool, call_id)
    else:
        yield from structure(response, Channel.TOOL_RESULT, tool, call_id)
    for at, part in several(found.get("parts")):
        inner = fields(part, at)
        for name, of in inner.items():
            if name in ("inlineData", "fileData"):
                yield from _media(name, of, Channel.TOOL_RESULT, tool, call_id)
            elif name in SETTINGS:
                yield from structure(of, Channel.PARAMETER)
        yield from unknown(inner, SETTINGS | {"inlineData", "fileData"})
    plain = frozenset(name for name in ("willContinue", "scheduling") if name in found and is_plain(found[name].value))
    yield from unknown(found, _RESULT - {"willContinue", "scheduling"} | plain)


def said(found: dict[str, Field], name: str) -> str:
    """The text of a field, empty if it is not set. Raises: ProtocolError if it is something else."""
    return text_(found[name].value, found[name].path) if name in found else ""
