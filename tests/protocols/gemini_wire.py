"""Short ways to write documents of Gemini's protocol, and to read what the adapter made of them."""

import json
from typing import Any

from interlock.model.event import Event, Media, Opaque, Text, ToolCall, ToolDefinition
from interlock.protocols import CallDelta, Delta, Frame, Request, TextDelta
from interlock.protocols._json import where
from interlock.protocols.gemini import ADAPTER

PATH = "/v1beta/models/gemini-2.5-flash:generateContent"


def content(*parts: Any, role: str | None = "user", **more: Any) -> dict[str, Any]:
    said = [{"text": part} if isinstance(part, str) else part for part in parts]
    return {"parts": said, **({} if role is None else {"role": role}), **more}


def body(*contents: Any, **more: Any) -> bytes:
    return json.dumps({"contents": list(contents) or [content("hi")], **more}).encode()


def call(name: str, args: Any = None, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {} if args is None else args, **more}}


def result(name: str, response: Any, **more: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": response, **more}}


def request(data: bytes, path: str = PATH) -> Request:
    target = ADAPTER.target(path)
    assert target
    return ADAPTER.request(data, target)


def candidate(*parts: Any, finish: str | None = "STOP", index: int | None = None, **more: Any) -> dict[str, Any]:
    out: dict[str, Any] = {"content": content(*parts, role="model"), **more}
    if finish:
        out["finishReason"] = finish
    if index is not None:
        out["index"] = index
    return out


def answer(*candidates: Any, **more: Any) -> bytes:
    return json.dumps({"candidates": list(candidates), "modelVersion": "m", "responseId": "r", **more}).encode()


def chunk(*candidates: Any, **more: Any) -> bytes:
    return b"data: " + answer(*candidates, **more) + b"\r\n\r\n"


def frames(data: bytes) -> list[Frame]:
    reader = ADAPTER.reader()
    found = reader.feed(data)
    reader.end()
    return found


def deltas(data: bytes) -> list[Delta]:
    return [delta for frame in frames(data) for delta in frame.deltas]


def streamed(data: bytes) -> list[str]:
    """Each text that grew, and each call, in short."""
    texts: dict[tuple[str, int], str] = {}
    calls = []
    for delta in deltas(data):
        if isinstance(delta, TextDelta):
            texts[delta.stream] = texts.get(delta.stream, "") + delta.text
        elif isinstance(delta, CallDelta):
            calls.append(f"call {delta.choice}.{delta.index}:{delta.name}({delta.arguments})")
    return [f"{name} {choice}:{text}" for (name, choice), text in texts.items()] + calls


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


def asked(data: bytes, path: str = PATH) -> list[str]:
    return short(request(data, path).events)


def answered(data: bytes) -> list[str]:
    return short(ADAPTER.answer(data).events)
