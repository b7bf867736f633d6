"""Short ways to write documents of the responses protocol, and to read what its adapter made of them."""

import json
import re
from typing import Any

from interlock.model.event import Event, Media, Opaque, Text, ToolCall, ToolDefinition
from interlock.protocols import Answer, CallDelta, Frame, FrameEdit, Request, TextDelta
from interlock.protocols._json import where
from interlock.protocols.openai_responses import ADAPTER
from interlock.testing.model import ModelCall, Say
from interlock.testing.openai_responses import items, response, stream

Document = dict[str, Any]
ASK: Document = {"model": "m", "input": "hi", "instructions": "be kind"}
TWO = Say("hello you", (ModelCall("pay", {"to": "bob", "sum": 5}), ModelCall("read", {})))


def request(given: Any = "hi", **more: Any) -> bytes:
    return json.dumps({"model": "m", "input": given, **more}).encode()


def read(data: bytes) -> Request:
    target = ADAPTER.target("/v1/responses")
    assert target
    return ADAPTER.request(data, target)


def asked(given: Any = "hi", **more: Any) -> list[str]:
    return short(read(request(given, **more)).events)


def message(*content: Any, role: str = "user", **more: Any) -> Document:
    return {"type": "message", "role": role, "content": list(content), **more}


def said(text: str = "ok", **more: Any) -> Document:
    """A part of output text."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **more}


def call(name: str = "pay", arguments: str = "{}", call_id: str = "c1", **more: Any) -> Document:
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    } | more


def answer(*output: Document, **more: Any) -> bytes:
    return json.dumps(response(ASK, "completed", list(output)) | more).encode()


def answered(*output: Document, **more: Any) -> list[str]:
    return short(ADAPTER.answer(answer(*output, **more)).events)


def answer_of(say: Say) -> Answer:
    return ADAPTER.answer(json.dumps(response(ASK, "completed", items(ASK, say))).encode())


def event(name: str, /, **fields: Any) -> bytes:
    """An event of a stream; the type is `response.<name>`."""
    return raw({"type": f"response.{name}", "sequence_number": 1, **fields})


def raw(document: Document) -> bytes:
    return f"event: {document['type']}\ndata: {json.dumps(document)}\n\n".encode()


def begun(item: Document, index: int = 0) -> bytes:
    return event("output_item.added", output_index=index, item=item)


COMPLETED = event("completed", response={"id": "resp_1", "model": "m", "output": []})
FIRST = begun({"type": "message", "id": "msg_1", "role": "assistant", "content": []})


def wire(say: Say = TWO) -> bytes:
    return b"".join(stream(ASK, say))


def frames(data: bytes, *, ends: bool = True) -> list[Frame]:
    reader = ADAPTER.reader()
    found = reader.feed(data)
    if ends:
        reader.end()
    return found


def edited(data: bytes, edit: FrameEdit) -> bytes:
    """A stream of which every frame is edited."""
    return b"".join(ADAPTER.edit_frame(frame, edit) for frame in frames(data))


def documents(data: bytes) -> list[Document]:
    return [json.loads(found) for found in re.findall(rb"(?m)^data: (\{.*\})$", data)]


def texts(found: list[Frame]) -> dict[str, str]:
    """Every text of a stream by its name, as it grew."""
    grown: dict[str, str] = {}
    for delta in (delta for frame in found for delta in frame.deltas):
        if isinstance(delta, TextDelta) and not (delta.again and delta.stream[0] in grown):
            grown[delta.stream[0]] = grown.get(delta.stream[0], "") + delta.text
    return grown


def calls(found: list[Frame]) -> dict[int, tuple[str, str]]:
    """(name, arguments) of each call of a stream by its index, without what is said again."""
    grown: dict[int, tuple[str, str]] = {}
    for delta in (delta for frame in found for delta in frame.deltas):
        if isinstance(delta, CallDelta) and not (delta.again and delta.index in grown):
            name, arguments = grown.get(delta.index, ("", ""))
            grown[delta.index] = (name + delta.name, arguments + delta.arguments)
    return grown


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
