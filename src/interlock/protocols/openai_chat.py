"""OpenAI chat completions, as the official SDKs speak it and as most model servers answer it.

Source: the OpenAI API reference, `POST /v1/chat/completions`, and the types of `openai` 3.57. Images, audio
and files are not understood yet: they come out as `Opaque`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Opaque, Path, Text, ToolCall, ToolDefinition
from interlock.model.meta import Example, Meta
from interlock.protocols import (
    Adapter,
    Answer,
    AnswerEdit,
    CallDelta,
    Delta,
    Document,
    Finish,
    Frame,
    FrameEdit,
    Request,
    TextDelta,
    Usage,
    Wire,
)
from interlock.protocols._json import (
    decode,
    encode,
    is_empty,
    list_,
    object_,
    opaque,
    rest,
    text_,
    texts,
    values,
    where,
)
from interlock.protocols._sse import Events

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
# What a model's server says of an answer as a whole; never shown to anybody by the SDKs.
ENVELOPE = frozenset(
    {"id", "object", "created", "model", "system_fingerprint", "service_tier", "usage", "choices", "obfuscation"}
)
# Texts of an answer: `content` by the API; the others as reasoning models' servers (vLLM, DeepSeek) name them.
TEXTS = ("content", "refusal", "reasoning_content", "reasoning")
FINISHES = frozenset(("stop", "length", "tool_calls", "content_filter", "function_call"))
CALL_FINISHES = ("tool_calls", "function_call")
# What is made of `logprobs`: the tokens of the text itself, and the alternatives.
TOKENS = ("logprobs", "top_logprobs")
DELTA = frozenset({"role", "tool_calls", "function_call", *TEXTS})
# A chunk that is one piece of content.
CONTENT = frozenset({"content"})
ENDS = ("finish_reason", "logprobs")
PLAIN = frozenset({"index", "delta", *ENDS})
LEGACY_CALL = -1


def _read_request(data: bytes) -> Request:
    document = decode(data)
    model, messages = document.get("model"), document.get("messages")
    if not isinstance(model, str) or not model:
        raise ProtocolError("model is missing or not a text", where="model", hint="name the model to call")
    if not isinstance(messages, list) or not messages:
        raise ProtocolError("messages is missing or empty", where="messages", hint="send at least one message")
    stream = document.get("stream")
    if not isinstance(stream, bool | None):
        raise ProtocolError("stream is neither true nor false", where="stream", hint="send true or false")
    return Request(data, document, model, bool(stream), tuple(_request_events(document, messages)))


def _request_events(document: Document, messages: list[Any]) -> Iterator[Event]:
    called: dict[str, str] = {}
    for index, message in enumerate(messages):
        yield from _message(object_(message, ("messages", index)), ("messages", index), called)
    for key, value in document.items():
        if key in ("model", "messages", "stream"):
            continue
        if key in ("tools", "functions"):
            for index, tool in enumerate(list_(value, (key,))):
                yield from _tool(tool, (key, index), bare=key == "functions")
        elif key in PARAMETERS:
            for path, text in texts(value, (key,)):
                yield Text(path, Channel.PARAMETER, text)
        elif not is_empty(value):
            yield opaque((key,), value)


def _message(message: Document, path: Path, called: dict[str, str]) -> Iterator[Event]:
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise ProtocolError("unknown role", where=where((*path, "role")), hint=f"one of {', '.join(ROLES)}")
    yield from _fields(message, path, role, ROLES[role], called)


def _fields(message: Document, path: Path, role: str, channel: Channel, called: dict[str, str]) -> Iterator[Event]:
    call_id, tool = "", ""
    if role == "tool":
        call_id = text_(message.get("tool_call_id", ""), (*path, "tool_call_id"))
        tool = called.get(call_id, "")
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
            events = [event for n, call in enumerate(list_(value, at)) for event in _call(call, (*at, n))]
            called |= _names_by_id(events)
            yield from events
        elif key == "function_call" and role == "assistant":
            yield from _function(value, at, "")
        else:
            yield opaque(at, value)


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
            yield from rest(cited, (*at, "url_citation"), {"title", "url", *_numbers(cited)})
            yield from rest(note, at, {"type", "url_citation"})
        else:
            yield opaque(at, note)


def _content(value: object, path: Path, channel: Channel, tool: str, call_id: str) -> Iterator[Event]:
    if isinstance(value, str):
        yield Text(path, channel, value, tool, call_id)
        return
    for index, item in enumerate(list_(value, path)):
        at = (*path, index)
        part = object_(item, at)
        kind = part.get("type")
        text = part.get(kind) if kind in ("text", "refusal") else None
        if isinstance(kind, str) and isinstance(text, str):
            yield Text((*at, kind), channel, text, tool, call_id)
            yield from rest(part, at, {"type", kind})
        else:
            yield opaque((*at, kind if isinstance(kind, str) else "type"), part)


def _call(value: object, path: Path) -> Iterator[Event]:
    call = object_(value, path)
    call_id = text_(call.get("id") or "", (*path, "id"))
    kind = _kind(call, path)
    if kind == "custom":
        custom = object_(call.get("custom"), (*path, "custom"))
        name = text_(custom.get("name"), (*path, "custom", "name"))
        yield ToolCall(path, call_id, name, text_(custom.get("input"), (*path, "custom", "input")))
        yield from rest(custom, (*path, "custom"), {"name", "input"})
    else:
        for event in _function(call.get("function"), (*path, "function"), call_id):
            yield ToolCall(path, event.call_id, event.name, event.arguments) if isinstance(event, ToolCall) else event
    yield from rest(call, path, {"id", "type", kind, *_numbers(call)})


def _kind(call: Document, path: Path) -> str:
    """What sort of call it is. A call that could be read as both sorts is refused: clients differ in which they run."""
    kind = call.get("type") or ("custom" if "custom" in call else "function")
    if kind not in ("function", "custom"):
        raise ProtocolError("unknown type of call", where=where((*path, "type")), hint="function or custom")
    if not is_empty(call.get("custom" if kind == "function" else "function")):
        raise ProtocolError("a call is a function and custom at once", where=where(path), hint="send one of them")
    return str(kind)


def _function(value: object, path: Path, call_id: str) -> Iterator[Event]:
    function = object_(value, path)
    name = text_(function.get("name"), (*path, "name"))
    yield ToolCall(path, call_id, name, text_(function.get("arguments"), (*path, "arguments")))
    yield from rest(function, path, {"name", "arguments"})


def _tool(value: object, path: Path, *, bare: bool) -> Iterator[Event]:
    tool = object_(value, path)
    kind = "function" if bare else tool.get("type")
    if kind not in ("function", "custom"):
        yield opaque((*path, "type"), tool)
        return
    inner = tool if bare else object_(tool.get(kind), (*path, kind))
    at = path if bare else (*path, kind)
    shape = "parameters" if kind == "function" else "format"
    schema = inner.get(shape) or {}
    yield ToolDefinition(
        path,
        text_(inner.get("name"), (*at, "name")),
        text_(inner.get("description") or "", (*at, "description")),
        object_(schema, (*at, shape)),
    )
    strict = ("strict",) if isinstance(inner.get("strict"), bool) else ()
    yield from rest(inner, at, {"name", "description", shape, *strict})
    if not bare:
        yield from rest(tool, path, {"type", kind})


def _read_answer(data: bytes) -> Answer:
    document = decode(data)
    events: list[Event] = [*_envelope(document)]
    for position, value in enumerate(list_(document.get("choices"), ("choices",))):
        path: Path = ("choices", position)
        choice = object_(value, path)
        events += _fields(_output(choice, path), (*path, "message"), "assistant", Channel.OUTPUT, {})
        events += _choice_rest(choice, path, "message")
    return Answer(data, document, text_(document.get("model", ""), ("model",)), tuple(events), _usage(document))


def _output(choice: Document, path: Path) -> Document:
    message = object_(choice.get("message"), (*path, "message"))
    if message.get("role", "assistant") != "assistant":
        raise ProtocolError("an answer's role is not assistant", where=where((*path, "message", "role")), status=502)
    return message


def _choice_rest(choice: Document, path: Path, body: str) -> Iterator[Event]:
    finish = choice.get("finish_reason")
    if not is_empty(finish) and not (isinstance(finish, str) and finish in FINISHES):
        yield opaque((*path, "finish_reason"), finish)
    # The tokens repeat the text: what is taken out there must not stay here.
    if logprobs := choice.get("logprobs"):
        for key, text in zip(TOKENS, _tokens(logprobs), strict=True):
            if text:
                yield Text((*path, key), Channel.OUTPUT, text)
    yield from rest(choice, path, {*_numbers(choice), body, "finish_reason", "logprobs"})


def _numbers(value: Document) -> Iterator[str]:
    """The fields that are understood if they are numbers."""
    return (key for key in ("index", "start_index", "end_index") if isinstance(value.get(key), int))


def _tokens(logprobs: object) -> tuple[str, str]:
    """The chosen tokens in order, which a text can be read from, and whatever else holds strings."""
    chosen, other = "", ""
    for path, text in values(logprobs, ()):
        if len(path) == 3 and path[2] == "token":
            chosen += text
        else:
            other += text + "\n"
    return chosen, other


def _edit_answer(answer: Answer, edit: AnswerEdit) -> bytes:
    document = decode(answer.raw)
    for path, text in edit.texts.items():
        document["choices"][path[1]]["logprobs"] = None
        if path[-1] not in TOKENS:
            _replace(document, path, text)
    for position, choice in enumerate(document["choices"]):
        base: Path = ("choices", position, "message")
        if any(path[:3] == base for path in edit.refused):
            _take_out(choice, base, edit)
    return encode(document)


def _take_out(choice: Document, base: Path, edit: AnswerEdit) -> None:
    """The refused calls of one choice; the notice stands in for them."""
    message = choice["message"]
    calls = message.pop("tool_calls", None) or []
    kept = [call for index, call in enumerate(calls) if (*base, "tool_calls", index) not in edit.refused]
    if kept:
        message["tool_calls"] = kept
    if (*base, "function_call") in edit.refused:
        message.pop("function_call")
    if not kept and not message.get("function_call") and choice.get("finish_reason") in CALL_FINISHES:
        choice["finish_reason"] = "stop"
    said = message.get("content")
    message["content"] = f"{said}\n\n{edit.notice}" if isinstance(said, str) and said else edit.notice
    message["refusal"] = edit.notice


def _replace(document: Any, path: Path, text: str) -> None:
    *parents, last = path
    for part in parents:
        document = document[part]
    document[last] = text


class _Reader:
    """Chunks of a chat completion. Rules: `[DONE]` ends the stream and nothing may follow it."""

    def __init__(self) -> None:
        self._events = Events()
        self._done = False

    def feed(self, data: bytes) -> list[Frame]:
        return [self._frame(*event) for event in self._events.feed(data)]

    def end(self) -> None:
        self._events.end()

    def _frame(self, raw: bytes, data: bytes | None, fields: Mapping[str, str]) -> Frame:
        if self._done and (data is not None or fields):
            raise ProtocolError("the stream goes on after its end mark", status=502)
        aside = tuple(Opaque((name or "comment",), text) for name, text in fields.items() if text)
        if data is None:
            return Frame(raw, deltas=aside)
        if data == b"[DONE]":
            self._done = True
            return Frame(raw, deltas=aside, done=True)
        document = decode(data)
        if document.get("error"):
            return Frame(raw, document, (*aside, *rest(document, (), frozenset())), error=True)
        plain = _plain(document)
        deltas = (*aside, *(_chunk(document) if plain is None else plain))
        usage = _usage(document) if document.get("usage") else None
        return Frame(raw, document, deltas, usage, text_(document.get("model", ""), ("model",)))


def _plain(document: Document) -> tuple[Delta, ...] | None:
    """The deltas of a chunk with one piece of content and nothing else, or None. Most chunks of a stream are such."""
    choices = document.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choice := choices[0], dict):
        return None
    delta = choice.get("delta")
    if not isinstance(delta, dict) or delta.keys() != CONTENT or not isinstance(text := delta["content"], str):
        return None
    if not choice.keys() <= PLAIN or choice.get("index") != 0 or any(choice.get(key) for key in ENDS):
        return None
    if (
        document.get("usage") is not None
        or not document.keys() <= ENVELOPE
        or sum(isinstance(value, dict | list) for value in document.values()) > 1
    ):
        return None
    return (TextDelta(("content", 0), text),) if text else ()


def _chunk(document: Document) -> Iterator[Delta]:
    yield from _envelope(document)
    numbers = set()
    for position, value in enumerate(list_(document.get("choices"), ("choices",))):
        path: Path = ("choices", position)
        choice = object_(value, path)
        number = _index(choice, path)
        if number in numbers:
            raise ProtocolError("a choice stands twice in one event", where=where(path), status=502)
        numbers.add(number)
        yield from _delta(object_(choice.get("delta") or {}, (*path, "delta")), (*path, "delta"), number)
        for event in _choice_rest(choice, path, "delta"):
            if isinstance(event, Text):
                yield TextDelta((str(event.path[-1]), number), event.text)
            elif isinstance(event, Opaque):
                yield event
        if choice.get("finish_reason"):
            yield Finish(number)


def _delta(delta: Document, path: Path, number: int) -> Iterator[Delta]:
    if delta.get("role", "assistant") not in ("assistant", None, ""):
        raise ProtocolError("an answer's role is not assistant", where=where((*path, "role")), status=502)
    for key in TEXTS:
        if isinstance(text := delta.get(key), str) and text:
            yield TextDelta((key, number), text)
        elif not is_empty(text):
            yield opaque((*path, key), text)
    for index, value in enumerate(list_(delta.get("tool_calls") or [], (*path, "tool_calls"))):
        at = (*path, "tool_calls", index)
        call = object_(value, at)
        yield from _call_delta(call, at, number, _index(call, at))
    if legacy := delta.get("function_call"):
        yield from _call_delta({"function": legacy}, (*path, "function_call"), number, LEGACY_CALL)
    yield from rest(delta, path, DELTA)


def _call_delta(call: Document, path: Path, choice: int, index: int) -> Iterator[Delta]:
    kind = _kind(call, path)
    body = object_(call.get(kind) or {}, (*path, kind))
    arguments = "input" if kind == "custom" else "arguments"
    yield CallDelta(
        choice,
        index,
        text_(call.get("id") or "", (*path, "id")),
        text_(body.get("name") or "", (*path, kind, "name")),
        text_(body.get(arguments) or "", (*path, kind, arguments)),
    )
    yield from rest(body, (*path, kind), {"name", arguments})
    yield from rest(call, path, {"index", "id", "type", kind})


def _edit_frame(frame: Frame, edit: FrameEdit) -> bytes:
    if frame.document is None:
        return frame.raw
    document = decode(encode(frame.document))
    for choice in document.get("choices", []):
        number = choice.get("index", 0)
        delta = choice["delta"] = choice.get("delta") or {}
        changed = {key: text for (key, of), text in edit.texts.items() if of == number}
        delta |= {key: text for key, text in changed.items() if key not in TOKENS}
        if changed and "logprobs" in choice:
            choice["logprobs"] = None
        _edit_calls(delta, number, edit)
        if choice.get("finish_reason") and (notice := edit.notices.get(number)):
            said = delta.get("content")
            delta["content"] = said + notice if isinstance(said, str) else notice
            delta["refusal"] = notice.strip()
            if number in edit.emptied and choice["finish_reason"] in CALL_FINISHES:
                choice["finish_reason"] = "stop"
    return b"data: " + encode(document) + b"\n\n"


def _edit_calls(delta: Document, number: int, edit: FrameEdit) -> None:
    kept = []
    for call in delta.pop("tool_calls", None) or []:
        old = call.get("index", 0)
        index = edit.calls.get((number, old), old)
        if index is not None:
            kept.append(call | {"index": index})
    if kept:
        delta["tool_calls"] = kept
    if "function_call" in delta and edit.calls.get((number, LEGACY_CALL), LEGACY_CALL) is None:
        delta.pop("function_call")


def _error(status: int, code: str, message: str) -> bytes:
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def _stream_error(code: str, message: str) -> bytes:
    return b"data: " + _error(500, code, message) + b"\n\n"


def _envelope(document: Document) -> Iterator[Opaque]:
    """What is not expected around an answer; strings among the counts too, since no text belongs there."""
    for key, value in document.items():
        if key == "usage":
            for path, text in values(value, ("usage",)):
                yield Opaque(path, text)
        elif key != "choices" and (key not in ENVELOPE or isinstance(value, dict | list)) and not is_empty(value):
            yield opaque((key,), value)


def _usage(document: Document) -> Usage:
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return Usage()
    counts = [usage.get(key) for key in ("prompt_tokens", "completion_tokens")]
    return Usage(*(n if isinstance(n, int) and not isinstance(n, bool) and n >= 0 else 0 for n in counts))


def _index(value: Document, path: Path) -> int:
    index = value.get("index", 0)
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < 1024:
        raise ProtocolError("expected an index from 0", where=where((*path, "index")), hint="see the API reference")
    return index


_HELLO = b'{"model":"m","messages":[{"role":"system","content":"be kind"},{"role":"user","content":"hello"}]}'
_TOOLS = (
    b'{"model":"m","stream":true,"user":"u7","messages":[{"role":"user","content":[{"type":"text","text":"pay"}]},'
    b'{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"read",'
    b'"arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"INVOICE"}],"tools":[{"type":"function",'
    b'"function":{"name":"read","description":"reads","parameters":{"type":"object"}}}]}'
)
_ANSWER = (
    b'{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"ok","tool_calls":[{"id":"c1","type":"function","function":{"name":"pay","arguments":"{\\"to\\":1}"}}]},'
    b'"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'
)
_STREAM = (
    b'data: {"id":"x","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant",'
    b'"content":"o"},"finish_reason":null}]}\n\n'
    b'data: {"id":"x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":'
    b'{"name":"pay","arguments":"{"}}]}}]}\n\n'
    b'data: {"id":"x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]}\n\n'
    b'data: {"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n'
    b"data: [DONE]\n\n"
)

ADAPTER = Adapter(
    meta=Meta(
        id="openai-chat",
        title="OpenAI chat completions",
        why="The protocol that most SDKs and most model servers speak.",
        since="0.1.0",
    ),
    route="/chat/completions",
    request=_read_request,
    answer=_read_answer,
    reader=_Reader,
    edit_answer=_edit_answer,
    edit_frame=_edit_frame,
    error=_error,
    stream_error=_stream_error,
    examples=(
        Example("a system prompt and a question", Wire("request", _HELLO), ("system:be kind", "user:hello")),
        Example(
            "a tool's result comes back",
            Wire("request", _TOOLS),
            ("user:pay", "call:read({})", "tool_result:INVOICE", "parameter:u7", "tool:read"),
        ),
        Example("an answer with a call", Wire("answer", _ANSWER), ("output:ok", 'call:pay({"to":1})')),
        Example("the same, streamed", Wire("stream", _STREAM), ("output:o", "call:pay({})")),
        Example(
            "a field that nobody knows",
            Wire("request", b'{"model":"m","messages":[{"role":"user","content":"hi","mood":"bad"}]}'),
            ("user:hi", "opaque:messages[0].mood=bad"),
        ),
    ),
)
