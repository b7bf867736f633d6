"""Short ways to write documents of Anthropic messages, and to read what the adapter and the SDK make of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import httpx2

from interlock.protocols import Frame, Request, Target
from interlock.protocols.anthropic_messages import ADAPTER
from tests.protocols.wire import short

PAY: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "pay", "input": {"to": "x"}}
READ: dict[str, Any] = {"type": "tool_use", "id": "t2", "name": "read", "input": {}}
CITATION: dict[str, Any] = {
    "type": "web_search_result_location", "cited_text": "quoted", "encrypted_index": "RXE=", "title": "A title",
    "url": "https://example.org/a",
}  # fmt: skip


def request(messages: list[Any] | None = None, **more: Any) -> bytes:
    given = [{"role": "user", "content": "hi"}] if messages is None else messages
    return json.dumps({"model": "m", "max_tokens": 9, "messages": given, **more}).encode()


def requested(data: bytes, path: str = "/v1/messages") -> Request:
    return ADAPTER.request(data, Target(path))


def asked(messages: list[Any] | None = None, **more: Any) -> list[str]:
    """The events of a request, but for the settings that every request has."""
    return short(requested(request(messages, **more)).events)


def said(*blocks: Any, role: str = "user") -> list[str]:
    """The events of one message with these blocks."""
    return asked([{"role": role, "content": list(blocks)}])


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def answer(*blocks: dict[str, Any], stop: str | None = None, **more: Any) -> bytes:
    called = any(block.get("type") == "tool_use" for block in blocks)
    envelope = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": list(blocks),
        "stop_reason": stop or ("tool_use" if called else "end_turn"), "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }  # fmt: skip
    return json.dumps({**envelope, **more}).encode()


def answered(data: bytes) -> list[str]:
    return short(ADAPTER.answer(data).events)


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def start(**more: Any) -> bytes:
    message = json.loads(answer()) | {"stop_reason": None, **more}
    return event("message_start", message=message)


def begin(index: int, block: dict[str, Any]) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def piece(index: int, kind: str, **delta: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **delta})


def stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


def finish(reason: str | None = "end_turn", **more: Any) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", **{"delta": delta, "usage": {"output_tokens": 4}, **more})


END = event("message_stop")


def say(index: int, *words: str) -> bytes:
    """A whole text block."""
    return begin(index, text("")) + b"".join(piece(index, "text_delta", text=word) for word in words) + stop(index)


def call(index: int, name: str, *arguments: str, call_id: str = "") -> bytes:
    """A whole call; its arguments come in these pieces."""
    block = {"type": "tool_use", "id": call_id or f"t{index}", "name": name, "input": {}}
    pieces = b"".join(piece(index, "input_json_delta", partial_json=part) for part in arguments)
    return begin(index, block) + pieces + stop(index)


def stream(*blocks: bytes, reason: str = "end_turn") -> bytes:
    return start() + b"".join(blocks) + finish(reason) + END


def frames(data: bytes) -> list[Frame]:
    reader = ADAPTER.reader()
    found = reader.feed(data)
    reader.end()
    return found


def deltas(data: bytes) -> list[object]:
    return [delta for frame in frames(data) for delta in frame.deltas]


@contextmanager
def client(data: bytes, status: int = 200, *, streams: bool = False) -> Iterator[anthropic.Anthropic]:
    """The official SDK, which gets these bytes for an answer, whatever it asks."""
    kind = "text/event-stream" if streams else "application/json"

    def handle(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, headers={"content-type": kind}, content=data)

    with (
        httpx2.Client(transport=httpx2.MockTransport(handle)) as http,
        anthropic.Anthropic(api_key="none", base_url="http://127.0.0.1", http_client=http, max_retries=0) as made,
    ):
        yield made


def received(data: bytes) -> anthropic.types.beta.BetaMessage:
    """A whole answer, as the official SDK reads it."""
    with client(data) as made:
        message: anthropic.types.beta.BetaMessage = made.beta.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
        )
    return type(message).model_validate(message.to_dict(), strict=False)


def accumulated(data: bytes) -> anthropic.types.Message:
    """A stream, as the official SDK puts it together."""
    with (
        client(data, streams=True) as made,
        made.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as events,
    ):
        message: anthropic.types.Message = events.get_final_message()
    return message
