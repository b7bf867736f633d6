"""The parts of a message, a reasoning or a tool's result: texts with what they cite, images, sounds and files."""

from collections.abc import Iterator

from interlock.model.event import Channel, Event, Media, Path, Text
from interlock.protocols import Document
from interlock.protocols._json import is_empty, list_, object_, opaque, text_, values
from interlock.protocols._json import texts as strings
from interlock.protocols.openai_responses.fields import TOKENS, aside

# Which field of a part holds its text.
TEXTS = {
    "input_text": "text",
    "output_text": "text",
    "reasoning_text": "text",
    "summary_text": "text",
    "refusal": "refusal",
}
# The kind of what a part brings, and how each of its fields gives that.
_MEDIA = {
    "input_image": ("image", {"image_url": "url", "file_id": "id"}),
    "input_file": ("file", {"file_data": "inline", "file_url": "url", "file_id": "id"}),
}
_CITED = ("title", "url", "filename")
_CITATIONS = ("url_citation", "file_citation", "container_file_citation", "file_path")
# The longest media type that is kept.
_LONGEST = 100


def content_events(value: object, path: Path, channel: Channel, tool: str = "", call_id: str = "") -> Iterator[Event]:
    """The events of a text, or of a list of parts."""
    if isinstance(value, str):
        yield Text(path, channel, value, tool, call_id)
        return
    for index, part in enumerate(list_(value, path)):
        yield from part_events(part, (*path, index), channel, tool, call_id)


def part_events(value: object, path: Path, channel: Channel, tool: str = "", call_id: str = "") -> Iterator[Event]:
    """The events of one part."""
    part = object_(value, path)
    kind = part.get("type")
    if not isinstance(kind, str):
        yield opaque((*path, "type"), part)
    elif kind in TEXTS:
        yield Text((*path, TEXTS[kind]), channel, text_(part.get(TEXTS[kind]), (*path, TEXTS[kind])), tool, call_id)
        for index, note in enumerate(list_(part.get("annotations") or [], (*path, "annotations"))):
            yield from annotation_events(note, (*path, "annotations", index), channel)
        yield from token_events(part.get("logprobs"), path, channel)
        yield from _breakpoint(part, path)
        yield from aside(part, path, {"type", TEXTS[kind], "annotations", "logprobs", _BREAKPOINT})
    elif kind in _MEDIA:
        yield from _media(part, path, kind, channel, tool, call_id)
    elif kind == "input_audio" and isinstance(sound := part.get(kind), dict) and isinstance(sound.get("data"), str):
        at = (*path, kind)
        media_type = f"audio/{text_(sound.get('format') or '', (*at, 'format'))[:_LONGEST]}"
        yield Media((*at, "data"), channel, "audio", "inline", sound["data"], media_type, tool, call_id)
        yield from aside(sound, at, {"data", "format"})
        yield from aside(part, path, {"type", kind})
    else:
        yield opaque((*path, kind), part)


def _media(part: Document, path: Path, kind: str, channel: Channel, tool: str, call_id: str) -> Iterator[Event]:
    """An image or a file. Each way in which it is given is one: servers differ in which of two they read."""
    name, sources = _MEDIA[kind]
    given = [key for key in sources if isinstance(part.get(key), str) and part[key]]
    if not given:
        yield opaque((*path, kind), part)
        return
    for key in given:
        data = part[key]
        inline = data[: len("data:")].lower() == "data:"
        media_type = data[len("data:") : _LONGEST].partition(",")[0].partition(";")[0] if inline else ""
        source = "inline" if inline else sources[key]
        yield Media((*path, key), channel, name, source, data, media_type, tool, call_id)
    if filename := text_(part.get("filename") or "", (*path, "filename")):
        yield Text((*path, "filename"), channel, filename, tool, call_id)
    yield from _breakpoint(part, path)
    yield from aside(part, path, {"type", "filename", _BREAKPOINT, *given})


_BREAKPOINT = "prompt_cache_breakpoint"


def _breakpoint(part: Document, path: Path) -> Iterator[Event]:
    """Where the server is to keep what was read so far: a setting."""
    for at, text in strings(part.get(_BREAKPOINT), (*path, _BREAKPOINT)):
        yield Text(at, Channel.PARAMETER, text)


def annotation_events(value: object, path: Path, channel: Channel) -> Iterator[Event]:
    """Where a text cites a page or a file: its title, address or name, which clients show."""
    note = object_(value, path)
    if note.get("type") not in _CITATIONS:
        yield opaque(path, note)
        return
    for key in _CITED:
        if not is_empty(note.get(key)):
            yield Text((*path, key), channel, text_(note[key], (*path, key)))
    yield from aside(note, path, {"type", *_CITED})


def token_events(logprobs: object, path: Path, channel: Channel) -> Iterator[Event]:
    """The tokens that repeat the text, in order, and whatever else holds strings: two texts, if there are tokens."""
    if not logprobs:
        return
    chosen, other = "", ""
    for at, text in values(list_(logprobs, (*path, "logprobs")), ()):
        if len(at) == 2 and at[1] == "token":
            chosen += text
        else:
            other += text + "\n"
    for key, text in zip(TOKENS, (chosen, other), strict=True):
        yield Text((*path, key), channel, text)
