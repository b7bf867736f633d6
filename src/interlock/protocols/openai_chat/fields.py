"""What requests and answers have in common: names of fields, and the parts of a message."""

from collections.abc import Callable, Iterator

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Media, Path, Text, ToolCall
from interlock.protocols import (
    Document,
)
from interlock.protocols._json import (
    is_empty,
    list_,
    object_,
    opaque,
    rest,
    text_,
    where,
)
from interlock.protocols._reading import Voice, is_count, is_name, others
from interlock.protocols.openai_chat import servers

ROLES = {
    "system": Channel.SYSTEM,
    "developer": Channel.SYSTEM,
    "user": Channel.USER,
    "assistant": Channel.ASSISTANT,
    "tool": Channel.TOOL_RESULT,
    "function": Channel.TOOL_RESULT,
}
# Settings of a request whose strings are no part of the conversation; numbers and switches carry no text.
# fmt: off
PARAMETERS = frozenset(
    {
        "audio", "frequency_penalty", "function_call", "logit_bias", "logprobs", "max_completion_tokens",
        "max_tokens", "metadata", "modalities", "moderation", "n", "parallel_tool_calls", "prediction",
        "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning_effort",
        "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream_options",
        "temperature", "tool_choice", "top_logprobs", "top_p", "user", "verbosity", "web_search_options"
    }
)
# fmt: on
# The same by channel: vLLM also takes a template, which writes the prompt, and documents to answer from.
SETTINGS = {
    **dict.fromkeys(PARAMETERS | servers.PARAMETERS, Channel.PARAMETER),
    "chat_template": Channel.SYSTEM,
    "documents": Channel.RETRIEVED,
}
# What a model's server says of an answer as a whole; never shown to anybody by the SDKs.
ENVELOPE = frozenset(
    {
        "id", "object", "created", "model", "system_fingerprint", "service_tier", "usage", "choices", "obfuscation",
        "provider",
    }
)  # fmt: skip
# Texts of an answer: `content` by the API; the others as reasoning models' servers (vLLM, DeepSeek) name them.
TEXTS = ("content", "refusal", "reasoning_content", "reasoning")
FINISHES = frozenset(("stop", "length", "tool_calls", "content_filter", "function_call"))
CALL_FINISHES = ("tool_calls", "function_call")
# What is made of `logprobs`: the tokens of the text itself, and the alternatives.
TOKENS = ("logprobs", "top_logprobs")
DELTA = frozenset({"role", "tool_calls", "function_call", "audio", "images", "reasoning_details", *TEXTS})
# A chunk that is one piece of content.
CONTENT = frozenset({"content"})
ENDS = ("finish_reason", "logprobs")
PLAIN = frozenset({"index", "delta", *ENDS})
# Parts that nobody looks into: the kind, where the data stands, and what else may stand beside it as a setting.
MEDIA: dict[str, tuple[str, tuple[str, ...], frozenset[str]]] = {
    "image_url": ("image", ("url",), frozenset({"detail"})),
    "input_audio": ("audio", ("data",), frozenset({"format"})),
    "audio_url": ("audio", ("url",), frozenset()),
    "video_url": ("video", ("url",), frozenset()),
    "file": ("file", ("file_data", "file_id"), frozenset({"filename"})),
}
LEGACY_CALL = -1
# By the API, `n` is at most 128.
MOST_CHOICES = 128
# The words of an error.
ERROR = ("message", "type", "param", "code")


def message_fields(
    message: Document, path: Path, role: str, channel: Channel, called: dict[str, str]
) -> Iterator[Event]:
    """The events of one message. `called`, tool by call id, is read for results and grows by its calls."""
    call_id, tool = "", ""
    if role == "tool":
        call_id = text_(message.get("tool_call_id", ""), (*path, "tool_call_id"))
        # Some servers use an id again; one that is called twice before its result came stands for no tool.
        tool = called.pop(call_id, "")
    elif role == "function":
        tool = text_(message.get("name", ""), (*path, "name"))
    for key, value in message.items():
        at = (*path, key)
        if key == "role" or (key == "tool_call_id" and role == "tool") or is_empty(value):
            continue
        if key == "content":
            yield from _content(value, at, channel, tool, call_id)
        elif key in TEXTS and isinstance(value, str):
            yield Text(at, channel, value, tool, call_id)
        elif key == "name" and isinstance(value, str):
            yield Text(at, channel if channel is Channel.OUTPUT else Channel.PARAMETER, value)
        elif key == "annotations" and role == "assistant":
            yield from _annotations(value, at, channel)
        elif key == "tool_calls" and role == "assistant":
            events = [event for n, call in enumerate(list_(value, at)) for event in call_events(call, (*at, n))]
            for call_id, name in _names_by_id(events).items():
                called[call_id] = name if called.get(call_id, name) == name else ""
            yield from events
        elif key == "function_call" and role == "assistant":
            yield from function_events(value, at, "")
        else:
            yield from _beside(key, value, at, role, channel)


def _beside(key: str, value: object, path: Path, role: str, channel: Channel) -> Iterator[Event]:
    if role == "assistant" and key in BESIDE:
        yield from BESIDE[key](value, path, Voice(channel))
    else:
        yield from servers.unknown(
            {key: value}, path[:-1], servers.ASSISTANT if role == "assistant" else servers.MESSAGE
        )


def _names_by_id(events: list[Event]) -> dict[str, str]:
    """Which tool each id of one message's calls stands for; no tool where an id stands for two."""
    names: dict[str, str] = {}
    for event in events:
        if isinstance(event, ToolCall):
            same = names.get(event.call_id, event.name) == event.name
            names[event.call_id] = event.name if same and event.call_id else ""
    return names


def _annotations(value: object, path: Path, channel: Channel) -> Iterator[Event]:
    """Where a text cites a page: its title and address, which clients show."""
    for index, item in enumerate(list_(value, path)):
        at = (*path, index)
        note = object_(item, at)
        cited = note.get("url_citation")
        if note.get("type") == "url_citation" and isinstance(cited, dict):
            for key in ("title", "url"):
                yield Text((*at, "url_citation", key), channel, text_(cited.get(key), (*at, "url_citation", key)))
            yield from rest(cited, (*at, "url_citation"), {"title", "url", *numbers(cited)})
            yield from rest(note, at, {"type", "url_citation"})
        else:
            yield opaque(at, note)


def numbers(value: Document) -> Iterator[str]:
    """The fields that are understood if they are numbers."""
    return (key for key in ("index", "start_index", "end_index") if isinstance(value.get(key), int))


def _content(value: object, path: Path, channel: Channel, tool: str, call_id: str) -> Iterator[Event]:
    if isinstance(value, str):
        yield Text(path, channel, value, tool, call_id)
        return
    for index, item in enumerate(list_(value, path)):
        at = (*path, index)
        part = object_(item, at)
        kind = part.get("type")
        text = part.get(kind) if kind in ("text", "refusal") else None
        if media := _media(part, at, channel, tool, call_id):
            yield from media
        elif isinstance(kind, str) and isinstance(text, str):
            yield Text((*at, kind), channel, text, tool, call_id)
            yield from others(part, at, {"type", kind}, servers.PART)
        else:
            yield opaque((*at, kind if isinstance(kind, str) else "type"), part)


def _media(part: Document, path: Path, channel: Channel, tool: str, call_id: str) -> list[Event]:
    """The events of an image, a sound or a file among the parts of a message; none if the part is no such thing."""
    name = part.get("type")
    inner = part.get(name) if isinstance(name, str) and name in MEDIA else None
    if not isinstance(inner, dict) or not isinstance(name, str):
        return []
    kind, sources, known = MEDIA[name]
    given = [key for key in sources if isinstance(inner.get(key), str) and inner[key]]
    if len(given) != 1:
        return []
    at, data = (*path, name, given[0]), inner[given[0]]
    source = "id" if given[0] == "file_id" else "inline"
    if given[0] == "url" and not data.startswith("data:"):
        source = "url"
    events: list[Event] = [Media(at, channel, kind, source, data, _media_type(inner, data), tool, call_id)]
    if isinstance(filename := inner.get("filename"), str) and filename:
        events.append(Text((*path, name, "filename"), channel, filename, tool, call_id))
    return [*events, *rest(inner, (*path, name), known | {given[0]}), *others(part, path, {"type", name}, servers.PART)]


def _audio(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """What was spoken: in an answer the sound and its words, in the history an id that stands for both."""
    audio = object_(value, path)
    if not is_empty(audio.get("transcript")):
        yield voice.says((*path, "transcript"), audio["transcript"])
    if not is_empty(audio.get("data")):
        yield Media((*path, "data"), voice.channel, "audio", "inline", text_(audio["data"], (*path, "data")))
    elif voice.channel is not Channel.OUTPUT:
        yield Media((*path, "id"), voice.channel, "audio", "id", text_(audio.get("id"), (*path, "id")))
    yield from others(audio, path, {"transcript", "data"}, {"id": is_name, "expires_at": is_count})


def _pictures(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """Pictures that a model made, as OpenRouter gives them: parts like those of a request."""
    yield from _content(list_(value, path), path, voice.channel, "", "")


# What an assistant's message can have beside its texts and calls.
BESIDE: dict[str, Callable[[object, Path, Voice], Iterator[Event]]] = {
    "audio": _audio,
    "images": _pictures,
    "reasoning_details": servers.reasoning,
}


def _media_type(inner: Document, data: str) -> str:
    declared = data[5:100].partition(";")[0] if data.startswith("data:") else inner.get("format")
    return declared if isinstance(declared, str) and len(declared) < 100 else ""


def call_events(value: object, path: Path) -> Iterator[Event]:
    """One entry of `tool_calls`."""
    call = object_(value, path)
    call_id = text_(call.get("id") or "", (*path, "id"))
    kind = kind_of(call, path)
    if kind == "custom":
        custom = object_(call.get("custom"), (*path, "custom"))
        name = text_(custom.get("name"), (*path, "custom", "name"))
        yield ToolCall(path, call_id, name, text_(custom.get("input"), (*path, "custom", "input")))
        yield from rest(custom, (*path, "custom"), {"name", "input"})
    else:
        for event in function_events(call.get("function"), (*path, "function"), call_id):
            yield ToolCall(path, event.call_id, event.name, event.arguments) if isinstance(event, ToolCall) else event
    yield from others(call, path, {"id", "type", kind}, servers.CALL)


def kind_of(call: Document, path: Path) -> str:
    """What sort of call it is. A call that could be read as both sorts is refused: clients differ in which they run."""
    kind = call.get("type") or ("custom" if "custom" in call else "function")
    if kind not in ("function", "custom"):
        raise ProtocolError("unknown type of call", where=where((*path, "type")), hint="function or custom")
    if not is_empty(call.get("custom" if kind == "function" else "function")):
        raise ProtocolError("a call is a function and custom at once", where=where(path), hint="send one of them")
    return str(kind)


def function_events(value: object, path: Path, call_id: str) -> Iterator[Event]:
    """The function of a call, or a whole `function_call` as older clients have it."""
    function = object_(value, path)
    name = text_(function.get("name"), (*path, "name"))
    yield ToolCall(path, call_id, name, text_(function.get("arguments"), (*path, "arguments")))
    yield from rest(function, path, {"name", "arguments"})


def index_of(value: Document, path: Path) -> int:
    """The `index` of a choice or a call, 0 if it has none."""
    index = value.get("index", 0)
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < 1024:
        raise ProtocolError("expected an index from 0", where=where((*path, "index")), hint="see the API reference")
    return index
