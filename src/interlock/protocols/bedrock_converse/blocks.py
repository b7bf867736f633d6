"""The content blocks of messages, in requests and in answers: objects of one field, whose name says what it is."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Media, Path, Text, ToolCall
from interlock.protocols import Document, encode
from interlock.protocols._json import is_empty, list_, object_, opaque, text_, where
from interlock.protocols._reading import (
    Fits,
    Voice,
    holds,
    is_count,
    is_name,
    is_switch,
    is_token,
    others,
    readable,
)

Block: TypeAlias = Callable[[Any, Path, Voice], Iterator[Event]]

CACHE_POINT = holds(type=is_name, ttl=is_name)
CITABLE: Mapping[str, Fits] = {"citations": holds(enabled=is_switch)}
# Where a passage stands in a document; of a place in the web there are words.
_SPAN = ("documentChar", "documentPage", "documentChunk", "searchResultLocation")
_PLACES: Mapping[str, Fits] = dict.fromkeys(
    _SPAN, holds(documentIndex=is_count, searchResultIndex=is_count, start=is_count, end=is_count)
)
_WEB = ("url", "domain")
# What a block, or a part of one, can be. One that is two of them is read by some as this, by others as that.
_MEMBERS = frozenset(
    {
        "text", "image", "document", "video", "audio", "toolUse", "toolResult", "guardContent", "cachePoint",
        "reasoningContent", "citationsContent", "searchResult", "toolAddition", "toolRemoval", "json", "reasoningText",
        "redactedContent", "toolSpec", "systemTool", "bytes", "s3Location", "content",
    }
)  # fmt: skip


def block_events(value: object, path: Path, voice: Voice, blocks: Mapping[str, Block]) -> Iterator[Event]:
    """The events of one block, if what it is is among `blocks`; else it is opaque as a whole."""
    block = object_(value, path)
    name = member(block, path)
    if name in blocks:
        yield from blocks[name](block[name], (*path, name), voice)
        yield from others(block, path, {name}, {})
    else:
        yield opaque((*path, name or next(iter(block), "block")), block)


def member(block: Document, path: Path) -> str:
    """What a block is; empty if that is not known. Raises: ProtocolError if it is two things at once."""
    names = [name for name, inner in block.items() if inner is not None and name in _MEMBERS]
    if len(names) > 1:
        raise ProtocolError("a block is two things at once", where=where(path), hint="send two blocks")
    return names[0] if names else ""


def list_events(value: object, path: Path, voice: Voice, blocks: Mapping[str, Block]) -> Iterator[Event]:
    """The events of a list of blocks."""
    for index, block in enumerate(list_(value, path)):
        yield from block_events(block, (*path, index), voice, blocks)


def text_block(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """A text."""
    yield voice.says(path, value)


def cache_block(value: object, path: Path, _: Voice) -> Iterator[Event]:
    """A mark that says what of the request is worth to be kept."""
    if not CACHE_POINT(value):
        yield opaque(path, value)


def image_block(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """An image."""
    yield from _media(value, path, voice, "image")


def video_block(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """A film."""
    yield from _media(value, path, voice, "video")


def audio_block(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """A sound."""
    yield from _media(value, path, voice, "audio")


def _media(value: object, path: Path, voice: Voice, kind: str) -> Iterator[Event]:
    media = object_(value, path)
    form = media.get("format")
    media_type = f"{kind}/{form}" if is_name(form) else ""
    if not is_empty(media.get("source")):
        yield from source_events(media["source"], (*path, "source"), voice, kind, media_type)
    if not is_empty(media.get("error")):
        yield from _error(media["error"], (*path, "error"), voice)
    yield from others(media, path, {"source", "error"}, {"format": is_name})


def _error(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    error = object_(value, path)
    if not is_empty(error.get("message")):
        yield voice.says((*path, "message"), error["message"])
    yield from others(error, path, {"message"}, {})


def source_events(value: object, path: Path, voice: Voice, kind: str, media_type: str) -> Iterator[Event]:
    """Bytes that nobody looks into, or where they are kept."""
    source = object_(value, path)
    name = member(source, path)
    if name == "bytes" and is_token(source["bytes"]):
        data = str(source["bytes"])
        yield Media((*path, name), voice.channel, kind, "inline", data, media_type, voice.tool, voice.call_id)
    elif name == "s3Location":
        place, at = object_(source[name], (*path, name)), (*path, name, "uri")
        uri = text_(place.get("uri"), at)
        yield Media(at, voice.channel, kind, "url", uri, media_type, voice.tool, voice.call_id)
        yield from others(place, (*path, name), {"uri"}, {"bucketOwner": is_name})
    else:
        yield opaque(path, source)
        return
    yield from others(source, path, {name}, {})


def document_block(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """A document: its text, or the file, and what is said of it."""
    document, quoted, at = object_(value, path), voice.quoting(), (*path, "source")
    source = object_(document.get("source"), at)
    name = member(source, at)
    if name == "text":
        yield quoted.says((*at, name), source[name])
        yield from others(source, at, {name}, {})
    elif name == "content":
        yield from list_events(source[name], (*at, name), quoted, {"text": text_block})
        yield from others(source, at, {name}, {})
    else:
        form = document.get("format")
        yield from source_events(source, at, quoted, "file", str(form) if is_name(form) else "")
    for key in ("name", "context"):
        if not is_empty(document.get(key)):
            yield quoted.says((*path, key), document[key])
    yield from others(document, path, {"source", "name", "context"}, {**CITABLE, "format": is_name})


def search_block(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """A search result that the client found."""
    found, quoted = object_(value, path), voice.quoting()
    for key in ("title", "source"):
        yield quoted.says((*path, key), found.get(key))
    yield from list_events(found.get("content"), (*path, "content"), quoted, {"text": text_block})
    yield from others(found, path, {"title", "source", "content"}, CITABLE)


def guard_block(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """Content for a guardrail to look at; the model reads it as any other, and a source as a document."""
    yield from block_events(value, path, voice, {"text": _guarded_text, "image": image_block})


def _guarded_text(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    guarded, at = object_(value, path), (*path, "qualifiers")
    qualifiers = list_(guarded.get("qualifiers") or [], at)
    speaker = voice.quoting() if "grounding_source" in qualifiers else voice
    yield speaker.says((*path, "text"), guarded.get("text"))
    for index, qualifier in enumerate(qualifiers):
        if qualifier not in ("grounding_source", "query", "guard_content"):
            yield opaque((*at, index), qualifier)
    yield from others(guarded, path, {"text", "qualifiers"}, {})


def reasoning_block(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """What a model thought; it may be encrypted."""
    yield from block_events(value, path, voice, {"reasoningText": _reasoning_text, "redactedContent": _redacted})


def _reasoning_text(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    said = object_(value, path)
    yield voice.says((*path, "text"), said.get("text"))
    yield from others(said, path, {"text"}, {"signature": is_token})


def _redacted(value: object, path: Path, _: Voice) -> Iterator[Event]:
    if not is_token(value):
        yield opaque(path, value)


def citations_block(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """A text, and the passages that it cites."""
    cited, at = object_(value, path), (*path, "citations")
    yield from list_events(cited.get("content") or [], (*path, "content"), voice, {"text": text_block})
    for index, citation in enumerate(list_(cited.get("citations") or [], at)):
        yield from citation_events(citation, (*at, index), voice.quoting())
    yield from others(cited, path, {"content", "citations"}, {})


def citation_events(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """The words that a text cites, and where they are from, which clients show."""
    citation = object_(value, path)
    for key in ("title", "source"):
        if not is_empty(citation.get(key)):
            yield voice.says((*path, key), citation[key])
    if not is_empty(citation.get("sourceContent")):
        yield from list_events(citation["sourceContent"], (*path, "sourceContent"), voice, {"text": text_block})
    if not is_empty(citation.get("location")):
        yield from _location(citation["location"], (*path, "location"), voice)
    yield from others(citation, path, {"title", "source", "sourceContent", "location"}, {})


def _location(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    location = object_(value, path)
    if not is_empty(location.get("web")):
        web, at = object_(location["web"], (*path, "web")), (*path, "web")
        for key in _WEB:
            if not is_empty(web.get(key)):
                yield voice.says((*at, key), web[key])
        yield from others(web, at, {*_WEB}, {})
    yield from others(location, path, {"web"}, _PLACES)


def call_block(value: object, path: Path, _: Voice) -> Iterator[Event]:
    """A call of a tool. One that Bedrock runs itself (`type`) is not understood, and judged like any other.

    Clients run what is called `toolUse`, and older ones do not know `type`.
    """
    call = object_(value, path)
    if not is_empty(call.get("type")):
        yield opaque((*path, "type"), call["type"])
    arguments = {} if is_empty(call.get("input")) else object_(call["input"], (*path, "input"))
    call_id, name = text_(call.get("toolUseId"), (*path, "toolUseId")), text_(call.get("name"), (*path, "name"))
    yield ToolCall(path, call_id, name, encode(arguments).decode())
    yield from others(call, path, {"type", "toolUseId", "name", "input"}, {})


def json_block(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """A structure, as one text: itself if it is one, else its JSON."""
    if not is_empty(value):
        yield voice.says(path, value if isinstance(value, str) else readable(value))


def change_block(value: object, path: Path, _: Voice) -> Iterator[Event]:
    """A tool that is offered, or no longer, from here on; by its name. One of another server is opaque."""
    change, at = object_(value, path), (*path, "tool")
    tool = object_(change.get("tool"), at)
    yield Text((*at, "name"), Channel.PARAMETER, text_(tool.get("name"), (*at, "name")))
    yield from others(tool, at, {"name"}, {"type": is_name})
    yield from others(change, path, {"tool"}, {})
