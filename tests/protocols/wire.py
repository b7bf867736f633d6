"""Short ways to write documents of the chat protocol, and to read what an adapter made of them."""

import json
from typing import Any

from interlock.model.event import Event, Media, Opaque, Text, ToolCall, ToolDefinition
from interlock.protocols import Frame, Request, Target
from interlock.protocols._json import where
from interlock.protocols.openai_chat import ADAPTER


def request(messages: list[Any] | None = None, **more: Any) -> bytes:
    given = [{"role": "user", "content": "hi"}] if messages is None else messages
    return json.dumps({"model": "m", "messages": given, **more}).encode()


def call(name: str, arguments: str = "{}", call_id: str = "c1", **more: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def choice(content: str | None = None, calls: list[Any] | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content, **more}
    if calls:
        message["tool_calls"] = calls
    finish = "tool_calls" if calls else "function_call" if "function_call" in more else "stop"
    return {"index": index, "message": message, "finish_reason": finish}


def answer(*choices: dict[str, Any], **more: Any) -> bytes:
    envelope = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
    return json.dumps({**envelope, "choices": list(choices), **more}).encode()


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish, **more}]
    envelope = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**envelope, "choices": choices}).encode() + b"\n\n"


def piece(index: int, arguments: str = "", name: str = "", call_id: str = "") -> dict[str, Any]:
    """A delta with one piece of a tool call; with a name it is the call's first piece."""
    first = {"id": call_id or f"c{index}", "type": "function"} if name else {}
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    return {"tool_calls": [{"index": index, **first, "function": function}]}


DONE = b"data: [DONE]\n\n"


def frames(data: bytes) -> list[Frame]:
    return ADAPTER.reader().feed(data)


def short(events: tuple[Event, ...]) -> list[str]:
    """Events as the adapter's examples write them."""
    out = []
    for event in events:
        match event:
            case Text():
                out.append(f"{event.channel.value}:{event.text}")
            case ToolCall():
                out.append(f"call:{event.name}({event.arguments})")
            case ToolDefinition():
                out.append(f"tool:{event.name}")
            case Media():
                out.append(f"{event.kind}:{event.source}")
            case Opaque():
                out.append(f"opaque:{where(event.path)}={event.text}")
    return out


def requested(data: bytes) -> Request:
    return ADAPTER.request(data, Target("/v1/chat/completions"))


def asked(data: bytes) -> list[str]:
    return short(requested(data).events)


def answered(data: bytes) -> list[str]:
    return short(ADAPTER.answer(data).events)
