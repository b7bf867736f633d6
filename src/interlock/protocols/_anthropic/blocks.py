"""The content blocks of messages, in requests and in answers."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Media, Path, ToolCall
from interlock.protocols import Document, encode
from interlock.protocols._anthropic.fields import CACHED, CALLED, CITABLE
from interlock.protocols._json import is_empty, list_, object_, opaque, rest, text_, where
from interlock.protocols._reading import Fits, Voice, holds, is_name, is_number, is_token, others

# What a citation says: the words, and where they are from.
CITED = ("cited_text", "document_title", "title", "url", "source")
_CITATIONS = frozenset(
    {
        "char_location", "page_location", "content_block_location", "web_search_result_location",
        "search_result_location",
    }
)  # fmt: skip
_CITATION: Mapping[str, Fits] = {
    "document_index": is_number, "start_char_index": is_number, "end_char_index": is_number,
    "start_page_number": is_number, "end_page_number": is_number, "start_block_index": is_number,
    "end_block_index": is_number, "search_result_index": is_number, "file_id": is_name, "encrypted_index": is_token,
}  # fmt: skip


Block: TypeAlias = Callable[[Document, Path, Voice], Iterator[Event]]


def block_events(value: object, path: Path, voice: Voice, blocks: Mapping[str, Block]) -> Iterator[Event]:
    """The events of one block, if its type is among `blocks`; else it is opaque as a whole."""
    block = object_(value, path)
    kind = block.get("type")
    if isinstance(kind, str) and kind in blocks:
        yield from blocks[kind](block, path, voice)
    else:
        yield opaque((*path, kind if isinstance(kind, str) else "type"), block)


def content_events(value: object, path: Path, voice: Voice, blocks: Mapping[str, Block]) -> Iterator[Event]:
    """The events of a content, which is a text or a list of blocks."""
    if isinstance(value, str):
        yield voice.says(path, value)
    else:
        for index, block in enumerate(list_(value, path)):
            yield from block_events(block, (*path, index), voice, blocks)


def text_block(block: Document, path: Path, voice: Voice) -> Iterator[Event]:
    """A text, and what it cites."""
    yield voice.says((*path, "text"), block.get("text"))
    if block.get("citations"):
        at = (*path, "citations")
        for index, citation in enumerate(list_(block["citations"], at)):
            yield from citation_events(citation, (*at, index), voice.quoting())
    yield from others(block, path, {"type", "text", "citations"}, CACHED)


def citation_events(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """The words that a text cites, and their title and address, which clients show."""
    citation = object_(value, path)
    kind = citation.get("type")
    if not isinstance(kind, str) or kind not in _CITATIONS:
        yield opaque(path, citation)
        return
    for key in CITED:
        if not is_empty(citation.get(key)):
            yield voice.says((*path, key), citation[key])
    yield from others(citation, path, {"type", *CITED}, _CITATION)


def thinking_block(block: Document, path: Path, voice: Voice) -> Iterator[Event]:
    """What a model thought."""
    yield voice.says((*path, "thinking"), block.get("thinking"))
    yield from others(block, path, {"type", "thinking"}, {**CACHED, "signature": is_token})


def redacted_block(block: Document, path: Path, _: Voice) -> Iterator[Event]:
    """What a model thought, encrypted."""
    yield from others(block, path, {"type"}, {**CACHED, "data": is_token})


def compaction_block(block: Document, path: Path, voice: Voice) -> Iterator[Event]:
    """A summary of what was said before: whatever tools brought may be in it, so that it is a document."""
    if not is_empty(block.get("content")):
        yield voice.quoting().says((*path, "content"), block["content"])
    yield from others(
        block, path, {"type", "content"}, {**CACHED, "encrypted_content": is_token, "signature": is_token}
    )


def call_block(block: Document, path: Path, _: Voice) -> Iterator[Event]:
    """A call of a tool that the client runs."""
    arguments = encode(object_(block.get("input"), (*path, "input"))).decode()
    yield ToolCall(path, text_(block.get("id"), (*path, "id")), call_name(block, path), arguments)
    yield from others(block, path, {"type", "id", "name", "input"}, CALLED)


def call_name(block: Document, path: Path) -> str:
    """The name of a called tool. A member of a toolset has the set's name before it, with a dot, as no tool has."""
    name = text_(block.get("name"), (*path, "name"))
    family = block.get("toolset_name")
    if is_empty(family):
        return name
    if not is_name(family):
        raise ProtocolError("the name of a toolset is none", where=where((*path, "toolset_name")))
    return f"{family}.{name}"


def image_block(block: Document, path: Path, voice: Voice) -> Iterator[Event]:
    """An image."""
    yield from _source(block, path, voice, "image")
    yield from others(block, path, {"type", "source"}, {**CACHED, "transformations": holds(oversized_image=is_name)})


def document_block(block: Document, path: Path, voice: Voice) -> Iterator[Event]:
    """A document: its text, or the file, and what is said of it."""
    quoted = voice.quoting()
    yield from _source(block, path, quoted, "file")
    for key in ("title", "context"):
        if not is_empty(block.get(key)):
            yield quoted.says((*path, key), block[key])
    yield from others(block, path, {"type", "source", "title", "context"}, CITABLE)


def search_block(block: Document, path: Path, voice: Voice) -> Iterator[Event]:
    """A search result that the client found."""
    quoted = voice.quoting()
    for key in ("title", "source"):
        yield quoted.says((*path, key), block.get(key))
    yield from content_events(block.get("content"), (*path, "content"), quoted, {"text": text_block})
    yield from others(block, path, {"type", "title", "source", "content"}, CITABLE)


def upload_block(block: Document, path: Path, _: Voice) -> Iterator[Event]:
    """A file that goes into a container."""
    file_id = text_(block.get("file_id"), (*path, "file_id"))
    yield Media((*path, "file_id"), Channel.RETRIEVED, "file", "id", file_id)
    yield from others(block, path, {"type", "file_id"}, CACHED)


def _source(block: Document, path: Path, voice: Voice, kind: str) -> Iterator[Event]:
    """Where the content of an image or a document is."""
    path = (*path, "source")
    source = object_(block.get("source"), path)
    given = source.get("type")
    held = _SOURCES.get(given) if isinstance(given, str) else None
    if given == "text" and kind == "file":
        yield voice.says((*path, "data"), source.get("data"))
        yield from others(source, path, {"type", "data"}, {"media_type": is_name})
    elif given == "content" and kind == "file":
        inner = {"text": text_block, "image": image_block}
        yield from content_events(source.get("content"), (*path, "content"), voice, inner)
        yield from rest(source, path, {"type", "content"})
    elif held:
        key, how = held
        media_type = source.get("media_type")
        said = str(media_type) if is_name(media_type) else ""
        at = (*path, key)
        yield Media(at, voice.channel, kind, how, text_(source.get(key), at), said, voice.tool, voice.call_id)
        yield from others(source, path, {"type", key}, {"media_type": is_name})
    else:
        yield opaque(path, source)


_SOURCES = {"base64": ("data", "inline"), "url": ("url", "url"), "file": ("file_id", "id")}
