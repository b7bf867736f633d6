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
from interlock.protocols._json import decode, encode, list_, object_, opaque, rest, text_, texts, where
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
        else:
            yield opaque((key,), value)


def _message(message: Document, path: Path, called: dict[str, str]) -> Iterator[Event]:
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise ProtocolError(f"unknown role {role!r}", where=where((*path, "role")), hint=f"one of {', '.join(ROLES)}")
    channel = ROLES[role]
    call_id = text_(message.get("tool_call_id", ""), (*path, "tool_call_id"))
    tool = (
        called.get(call_id, "")
        if role == "tool"
        else text_(message.get("name", ""), path)
        if role == "function"
        else ""
    )
    for key, value in message.items():
        at = (*path, key)
        if key in ("role", "tool_call_id") or value is None:
            continue
        if key == "content":
            yield from _content(value, at, channel, tool, call_id)
        elif key in TEXTS and isinstance(value, str):
            yield Text(at, channel, value, tool, call_id)
        elif key == "name" and isinstance(value, str):
            yield Text(at, Channel.PARAMETER, value)
        elif key == "tool_calls" and role == "assistant":
            for index, call in enumerate(list_(value, at)):
                for event in _call(call, (*at, index)):
                    if isinstance(event, ToolCall):
                        called[event.call_id] = event.name
                    yield event
        elif key == "function_call" and role == "assistant":
            yield from _function(value, at, "")
        else:
            yield opaque(at, value)


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
            yield from rest(part, at, ("type", kind))
        else:
            yield opaque((*at, kind if isinstance(kind, str) else "type"), part)


def _call(value: object, path: Path) -> Iterator[Event]:
    call = object_(value, path)
    call_id = text_(call.get("id", ""), (*path, "id"))
    if call.get("type") == "custom":
        custom = object_(call.get("custom"), (*path, "custom"))
        name = text_(custom.get("name"), (*path, "custom", "name"))
        yield ToolCall(path, call_id, name, text_(custom.get("input"), (*path, "custom", "input")))
        yield from rest(custom, (*path, "custom"), ("name", "input"))
    else:
        for event in _function(call.get("function"), (*path, "function"), call_id):
            yield ToolCall(path, event.call_id, event.name, event.arguments) if isinstance(event, ToolCall) else event
    yield from rest(call, path, ("id", "type", "function", "custom", "index"))


def _function(value: object, path: Path, call_id: str) -> Iterator[Event]:
    function = object_(value, path)
    name = text_(function.get("name"), (*path, "name"))
    yield ToolCall(path, call_id, name, text_(function.get("arguments"), (*path, "arguments")))
    yield from rest(function, path, ("name", "arguments"))


def _tool(value: object, path: Path, *, bare: bool) -> Iterator[Event]:
    tool = object_(value, path)
    kind = "function" if bare else tool.get("type")
    if kind not in ("function", "custom"):
        yield opaque((*path, "type"), tool)
        return
    inner = tool if bare else object_(tool.get(kind), (*path, kind))
    at = path if bare else (*path, kind)
    schema = inner.get("parameters" if kind == "function" else "format") or {}
    yield ToolDefinition(
        path,
        text_(inner.get("name"), (*at, "name")),
        text_(inner.get("description") or "", (*at, "description")),
        object_(schema, (*at, "parameters")),
    )
    yield from rest(inner, at, ("name", "description", "parameters", "format", "strict"))
    if not bare:
        yield from rest(tool, path, ("type", kind))


def _read_answer(data: bytes) -> Answer:
    document = decode(data)
    events: list[Event] = [*rest(document, (), ENVELOPE), *_usage_words(document)]
    for position, value in enumerate(list_(document.get("choices"), ("choices",))):
        path: Path = ("choices", position)
        choice = object_(value, path)
        events += _message({"role": "assistant"} | _output(choice, path), (*path, "message"), {})
        events += _choice_rest(choice, path, "message")
    # What an answer says is output, whoever's role it carries.
    events = [Text(e.path, Channel.OUTPUT, e.text) if isinstance(e, Text) else e for e in events]
    return Answer(data, document, text_(document.get("model", ""), ("model",)), tuple(events), _usage(document))


def _output(choice: Document, path: Path) -> Document:
    message = dict(object_(choice.get("message"), (*path, "message")))
    if message.pop("role", "assistant") != "assistant":
        raise ProtocolError("an answer's role is not assistant", where=where((*path, "message", "role")), status=502)
    return message


def _choice_rest(choice: Document, path: Path, body: str) -> Iterator[Event]:
    finish = choice.get("finish_reason")
    if finish is not None and finish not in FINISHES:
        yield opaque((*path, "finish_reason"), finish)
    if logprobs := choice.get("logprobs"):
        # The tokens repeat the text: what is taken out there must not stay here.
        yield Text((*path, "logprobs"), Channel.OUTPUT, "".join(_tokens(logprobs)))
    yield from rest(choice, path, ("index", body, "finish_reason", "logprobs"))


def _tokens(logprobs: object) -> Iterator[str]:
    if isinstance(logprobs, dict):
        for entries in logprobs.values():
            for entry in entries if isinstance(entries, list) else [entries]:
                # One run of text per list: the chosen tokens in order, then whatever else holds strings.
                yield entry["token"] if isinstance(entry, dict) and isinstance(entry.get("token"), str) else ""
        yield "\n"
    yield from (text for path, text in texts(logprobs, ()) if path[-1] != text)


def _edit_answer(answer: Answer, edit: AnswerEdit) -> bytes:
    document = decode(answer.raw)
    for path, text in edit.texts.items():
        _replace(document, path, text)
    for position, choice in enumerate(document["choices"]):
        base: Path = ("choices", position, "message")
        if not any(path[:3] == base for path in edit.refused):
            continue
        message = choice["message"]
        if (*base, "function_call") in edit.refused:
            message.pop("function_call")
        calls = message.pop("tool_calls", None) or []
        kept = [call for index, call in enumerate(calls) if (*base, "tool_calls", index) not in edit.refused]
        if kept:
            message["tool_calls"] = kept
        elif choice.get("finish_reason") in ("tool_calls", "function_call"):
            choice["finish_reason"] = "stop"
        said = message.get("content")
        message["content"] = f"{said}\n\n{edit.notice}" if isinstance(said, str) and said else edit.notice
        message["refusal"] = edit.notice
    return encode(document)


def _replace(document: Any, path: Path, text: str) -> None:
    *parents, last = path
    for part in parents:
        document = document[part]
    document[last] = None if last == "logprobs" else text
    if isinstance(document, dict) and "logprobs" in document and last != "logprobs":
        document["logprobs"] = None


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
        if "error" in document:
            return Frame(raw, document, (*aside, opaque(("error",), document["error"])), error=True)
        deltas = (*aside, *_chunk(document))
        usage = _usage(document) if document.get("usage") else None
        return Frame(raw, document, deltas, usage, text_(document.get("model", ""), ("model",)))


def _chunk(document: Document) -> Iterator[Delta]:
    yield from rest(document, (), ENVELOPE)
    yield from _usage_words(document)
    for position, value in enumerate(list_(document.get("choices"), ("choices",))):
        path: Path = ("choices", position)
        choice = object_(value, path)
        number = _index(choice, path)
        delta = object_(choice.get("delta") or {}, (*path, "delta"))
        if delta.get("role", "assistant") not in ("assistant", None, ""):
            raise ProtocolError("an answer's role is not assistant", where=where((*path, "delta", "role")), status=502)
        for key in TEXTS:
            if isinstance(text := delta.get(key), str) and text:
                yield TextDelta((key, number), text)
            elif text:
                yield opaque((*path, "delta", key), text)
        for call in list_(delta.get("tool_calls") or [], (*path, "delta", "tool_calls")):
            yield from _call_delta(object_(call, path), (*path, "delta", "tool_calls"), number)
        if legacy := delta.get("function_call"):
            yield from _call_delta(
                {"index": LEGACY_CALL, "function": legacy}, (*path, "delta", "function_call"), number
            )
        yield from rest(delta, (*path, "delta"), ("role", "tool_calls", "function_call", *TEXTS))
        for event in _choice_rest(choice, path, "delta"):
            yield TextDelta(("logprobs", number), event.text) if isinstance(event, Text) else event  # type: ignore[misc]
        if choice.get("finish_reason"):
            yield Finish(number)


def _call_delta(call: Document, path: Path, choice: int) -> Iterator[Delta]:
    kind = "custom" if "custom" in call else "function"
    body = object_(call.get(kind) or {}, (*path, kind))
    arguments = "input" if kind == "custom" else "arguments"
    yield CallDelta(
        choice,
        call["index"] if call.get("index") == LEGACY_CALL else _index(call, path),
        text_(call.get("id") or "", (*path, "id")),
        text_(body.get("name") or "", (*path, kind, "name")),
        text_(body.get(arguments) or "", (*path, kind, arguments)),
    )
    yield from rest(body, (*path, kind), ("name", arguments))
    yield from rest(call, path, ("index", "id", "type", kind))


def _edit_frame(frame: Frame, edit: FrameEdit) -> bytes:
    if frame.document is None:
        return frame.raw
    document = decode(encode(frame.document))
    for choice in document.get("choices", []):
        number = choice.get("index", 0)
        delta = choice.setdefault("delta", {}) or {}
        for (key, of), text in edit.texts.items():
            if of == number and key in delta:
                delta[key] = text
                choice["logprobs"] = None
            elif of == number and key == "logprobs" and choice.get("logprobs"):
                choice["logprobs"] = None
        kept = []
        for call in delta.pop("tool_calls", None) or []:
            index = edit.calls.get((number, call["index"]), call["index"])
            if index is not None:
                kept.append(call | {"index": index})
        if kept:
            delta["tool_calls"] = kept
        if "function_call" in delta and edit.calls.get((number, LEGACY_CALL), LEGACY_CALL) is None:
            delta.pop("function_call")
        if choice.get("finish_reason") and (notice := edit.notices.get(number)):
            delta["content"] = f"{delta.get('content') or ''}{notice}"
            delta["refusal"] = notice.strip()
            if number in edit.emptied and choice["finish_reason"] in ("tool_calls", "function_call"):
                choice["finish_reason"] = "stop"
        choice["delta"] = delta
    return b"data: " + encode(document) + b"\n\n"


def _error(status: int, code: str, message: str) -> bytes:
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def _stream_error(code: str, message: str) -> bytes:
    return b"data: " + _error(500, code, message) + b"\n\n"


def _usage_words(document: Document) -> Iterator[Opaque]:
    """Strings among the counts: no text belongs there, so none passes there unseen."""
    for path, text in texts(document.get("usage"), ("usage",)):
        if path[-1] != text:  # a key's own place ends with the key
            yield Opaque(path, text)


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
