"""What a scripted model says, in the protocol of Anthropic messages: as the API's own servers write it.

If a request asks for thinking, the model has thought. A request without `max_tokens` is one to count its tokens.
"""

import json
from collections.abc import Iterator

from interlock.testing.model import Document, Say, Speech

USAGE = {"input_tokens": 40, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 12}
THOUGHT = "They want an answer."
SIGNATURE = "RXJVQktrZ0lCeEFC"


def whole(request: Document, say: Say) -> bytes:
    """A whole answer's body."""
    if "max_tokens" not in request:
        return b'{"input_tokens":40}'
    return json.dumps(message(request, say) | {"content": blocks(request, say)}).encode()


def message(request: Document, say: Say) -> Document:
    """A message without its content."""
    return {
        "id": f"msg_{len(request['messages'])}", "type": "message", "role": "assistant", "model": request["model"],
        "content": [], "stop_reason": "tool_use" if say.calls else "end_turn", "stop_sequence": None,
        "usage": USAGE | {"service_tier": "standard", "cache_creation": {"ephemeral_5m_input_tokens": 0}},
    }  # fmt: skip


def blocks(request: Document, say: Say) -> list[Document]:
    """The blocks of an answer: the thought, the text, then the calls."""
    made: list[Document] = []
    if request.get("thinking", {}).get("type") in ("enabled", "adaptive"):
        made.append({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE})
    if say.text:
        made.append({"type": "text", "text": say.text})
    for index, call in enumerate(say.calls):
        call_id = f"toolu_{len(request['messages'])}_{index}"
        made.append({"type": "tool_use", "id": call_id, "name": call.name, "input": call.arguments})
    return made


def stream(request: Document, say: Say) -> Iterator[bytes]:
    """The events of a streamed answer, each as the bytes of one event."""
    begun = message(request, say) | {"stop_reason": None, "usage": USAGE | {"output_tokens": 1}}
    yield event("message_start", message=begun)
    for index, block in enumerate(blocks(request, say)):
        empty, deltas = _pieces(block, say)
        yield event("content_block_start", index=index, content_block=empty)
        if index == 0:
            yield event("ping")
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    ended = {"stop_reason": message(request, say)["stop_reason"], "stop_sequence": None}
    yield event("message_delta", delta=ended, usage={"output_tokens": USAGE["output_tokens"]})
    yield event("message_stop")


def event(kind: str, **fields: object) -> bytes:
    """One event of a stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields}, separators=(',', ':'))}\n\n".encode()


def _pieces(block: Document, say: Say) -> tuple[Document, list[Document]]:
    """A block as it begins, and the deltas that fill it."""
    if block["type"] == "thinking":
        thought = {"type": "thinking_delta", "thinking": block["thinking"]}
        return block | {"thinking": "", "signature": ""}, [
            thought,
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    if block["type"] == "text":
        words = say.pieces if say.pieces is not None else tuple(word + " " for word in say.text.split(" "))
        return block | {"text": ""}, [{"type": "text_delta", "text": word} for word in words]
    arguments = json.dumps(block["input"], ensure_ascii=False) if block["input"] else ""
    # The API begins every call with an empty piece.
    cut = ["", *(arguments[at : at + 7] for at in range(0, len(arguments), 7))]
    return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in cut]


MESSAGES = Speech(whole, stream)
