"""The same conversation in every protocol, and what a client makes of the answers, so that one test serves all."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from interlock.model.event import Text, ToolCall
from interlock.protocols import Adapter, CallDelta, Frame, TextDelta, adapters
from interlock.testing import anthropic, bedrock, gemini, model, ollama, openai_responses
from interlock.testing.model import Document, Say

SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}, "url": {"type": "string"}}}
NAMES = ("read_page", "send_mail")


@dataclass(frozen=True)
class Told:
    """What a client was told: its texts by stream, and its calls in order."""

    texts: dict[Any, str]
    calls: list[tuple[str, Any]]

    @property
    def text(self) -> str:
        return "\n".join(self.texts.values())


@dataclass(frozen=True)
class Spoken:
    """A protocol: where requests go, what a request looks like (user, page or None), and what a model answers."""

    adapter: Adapter
    path: Callable[[bool], str]
    request: Callable[[str, str | None, bool], Document]
    whole: Callable[[Document, Say], bytes]
    stream: Callable[[Document, Say], Iterator[bytes]]

    def body(self, user: str, page: str | None = None, *, stream: bool = False) -> bytes:
        return json.dumps(self.request(user, page, stream)).encode()

    def told(self, data: bytes, *, stream: bool) -> Told:
        """What a client reads: by the adapter itself, whose reading the SDKs' own tests compare with the SDKs'."""
        if stream:
            reader = self.adapter.reader()
            frames = reader.feed(data)
            reader.end()
            return _streamed(frames)
        events = self.adapter.answer(data).events
        texts = {e.path: e.text for e in events if isinstance(e, Text)}
        return Told(texts, [(e.name, json.loads(e.arguments or "{}")) for e in events if isinstance(e, ToolCall)])


def _streamed(frames: list[Frame]) -> Told:
    texts: dict[Any, str] = {}
    calls: dict[Any, list[str]] = {}
    for delta in (delta for frame in frames for delta in frame.deltas):
        if isinstance(delta, TextDelta):
            if delta.again and delta.stream in texts:
                assert delta.text == texts[delta.stream], "a client that takes the repeated text reads another one"
            else:
                texts[delta.stream] = texts.get(delta.stream, "") + delta.text
        elif isinstance(delta, CallDelta):
            call = calls.setdefault((delta.choice, delta.index), ["", ""])
            call[0] = call[0] or delta.name
            if delta.again and call[1]:
                assert delta.arguments in ("", call[1])
            else:
                call[1] += delta.arguments
    return Told(texts, [(name, json.loads(arguments or "{}")) for name, arguments in calls.values()])


def _chat(user: str, page: str | None, stream: bool) -> Document:
    messages: list[Document] = [{"role": "user", "content": user}]
    if page is not None:
        call = {"id": "c1", "type": "function", "function": {"name": "read_page", "arguments": "{}"}}
        messages += [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": page},
        ]
    tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in NAMES]
    return {"model": "m", "messages": messages, "tools": tools, "stream": stream}


def _responses(user: str, page: str | None, stream: bool) -> Document:
    items: list[Document] = [{"role": "user", "content": user}]
    if page is not None:
        items += [
            {"type": "function_call", "call_id": "c1", "name": "read_page", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": page},
        ]
    tools = [{"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in NAMES]
    return {"model": "m", "input": items, "tools": tools, "stream": stream}


def _anthropic(user: str, page: str | None, stream: bool) -> Document:
    messages: list[Document] = [{"role": "user", "content": user}]
    if page is not None:
        use = {"type": "tool_use", "id": "t1", "name": "read_page", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "t1", "content": page}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    tools = [{"name": name, "input_schema": SCHEMA} for name in NAMES]
    return {"model": "m", "max_tokens": 100, "messages": messages, "tools": tools, "stream": stream}


def _gemini(user: str, page: str | None, stream: bool) -> Document:  # noqa: ARG001 - its path says it
    contents: list[Document] = [{"role": "user", "parts": [{"text": user}]}]
    if page is not None:
        call = {"functionCall": {"name": "read_page", "args": {}}}
        result = {"functionResponse": {"name": "read_page", "response": {"output": page}}}
        contents += [{"role": "model", "parts": [call]}, {"role": "user", "parts": [result]}]
    return {"contents": contents, "tools": [{"functionDeclarations": [{"name": name} for name in NAMES]}]}


def _ollama(user: str, page: str | None, stream: bool) -> Document:
    messages: list[Document] = [{"role": "user", "content": user}]
    if page is not None:
        call = {"function": {"name": "read_page", "arguments": {}}}
        messages += [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_name": "read_page", "content": page},
        ]
    tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in NAMES]
    return {"model": "m", "messages": messages, "tools": tools, "stream": stream}


def _bedrock(user: str, page: str | None, stream: bool) -> Document:  # noqa: ARG001 - its path says it
    messages: list[Document] = [{"role": "user", "content": [{"text": user}]}]
    if page is not None:
        use = {"toolUse": {"toolUseId": "t1", "name": "read_page", "input": {}}}
        result = {"toolResult": {"toolUseId": "t1", "content": [{"text": page}]}}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    tools = [{"toolSpec": {"name": name, "inputSchema": {"json": SCHEMA}}} for name in NAMES]
    return {"messages": messages, "toolConfig": {"tools": tools}}


def _ollama_lines(request: Document, say: Say) -> Iterator[bytes]:
    return (json.dumps(line).encode() + b"\n" for line in ollama.lines("/api/chat", request, say))


_ADAPTERS = adapters()
SPOKEN = {
    "openai-chat": Spoken(
        _ADAPTERS["openai-chat"], lambda _: "/v1/chat/completions", _chat, model.whole, model.stream
    ),
    "openai-responses": Spoken(
        _ADAPTERS["openai-responses"], lambda _: "/v1/responses", _responses,
        openai_responses.whole, openai_responses.stream,
    ),
    "anthropic-messages": Spoken(
        _ADAPTERS["anthropic-messages"], lambda _: "/v1/messages", _anthropic, anthropic.whole, anthropic.stream
    ),
    "gemini": Spoken(
        _ADAPTERS["gemini"],
        lambda s: f"/v1beta/models/m:{'streamGenerateContent?alt=sse' if s else 'generateContent'}", _gemini,
        lambda _, say: gemini.whole("m", say), lambda _, say: gemini.stream("m", say),
    ),
    "ollama": Spoken(
        _ADAPTERS["ollama"], lambda _: "/api/chat", _ollama,
        lambda request, say: json.dumps(ollama.joined(list(ollama.lines("/api/chat", request, say)))).encode(),
        _ollama_lines,
    ),
    "bedrock-converse": Spoken(
        _ADAPTERS["bedrock-converse"], lambda s: f"/model/m/converse{'-stream' if s else ''}", _bedrock,
        lambda _, say: bedrock.whole(say), lambda _, say: bedrock.stream(say),
    ),
}  # fmt: skip
