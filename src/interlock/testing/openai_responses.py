"""What a scripted model says, in the protocol of OpenAI responses: as the API's own servers write it.

An answer repeats its request's instructions, tools and settings, and a stream says each text and each call again:
in an event of its own, with its part, with its item and with the whole response.
"""

import json
from collections.abc import Iterator
from itertools import count

from interlock.testing.model import Document, Say, Speech

_ECHOED = ("instructions", "metadata", "previous_response_id", "store", "tool_choice", "tools")


def whole(request: Document, say: Say) -> bytes:
    """A whole answer's body, with line breaks, as the API sends it."""
    return json.dumps(response(request, "completed", items(request, say)), indent=2).encode()


def response(request: Document, status: str, output: list[Document]) -> Document:
    """A response object."""
    usage = {"input_tokens": 40, "output_tokens": 12, "total_tokens": 52}
    details: Document = {
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "background": False, "error": None,
        "incomplete_details": None, "instructions": None, "max_output_tokens": None, "metadata": {},
        "model": request["model"], "output": output, "parallel_tool_calls": True, "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None}, "service_tier": "default", "store": True, "temperature": 1.0,
        "text": request.get("text", {"format": {"type": "text"}, "verbosity": "medium"}), "tool_choice": "auto",
        "tools": [], "top_logprobs": 0, "top_p": 1.0, "truncation": "disabled", "user": None,
        "usage": usage | details if status == "completed" else None,
    } | {key: request[key] for key in _ECHOED if key in request}  # fmt: skip


def items(request: Document, say: Say) -> list[Document]:
    """The items of an answer: a message if there is a text, then the calls."""
    turn = len(request["input"]) if isinstance(request["input"], list) else 1
    made: list[Document] = []
    if say.text:
        part = {"type": "output_text", "text": say.text, "annotations": [], "logprobs": []}
        made.append(
            {"id": f"msg_{turn}", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
        )
    for index, call in enumerate(say.calls):
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        ids = {"id": f"fc_{turn}_{index}", "call_id": f"call_{turn}_{index}"}
        made.append({"type": "function_call", "status": "completed", **ids, "name": call.name, "arguments": arguments})
    return made


def stream(request: Document, say: Say) -> Iterator[bytes]:
    """The events of a streamed answer, each as the bytes of one event."""
    numbers = count()

    def event(name: str, **fields: object) -> bytes:
        document = {"type": f"response.{name}", "sequence_number": next(numbers), **fields}
        return f"event: response.{name}\ndata: {json.dumps(document, separators=(',', ':'))}\n\n".encode()

    begun = response(request, "in_progress", [])
    yield event("created", response=begun)
    yield event("in_progress", response=begun)
    made = items(request, say)
    for index, item in enumerate(made):
        place = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "message":
            part = item["content"][0]
            empty = {"status": "in_progress", "content": []}
            yield event("output_item.added", output_index=index, item=item | empty)
            at = place | {"content_index": 0}
            yield event("content_part.added", **at, part=part | {"text": ""})
            for piece in pieces(say):
                yield event("output_text.delta", **at, delta=piece, logprobs=[], obfuscation="x7Kq2")
            yield event("output_text.done", **at, text=part["text"], logprobs=[])
            yield event("content_part.done", **at, part=part)
        else:
            empty = {"status": "in_progress", "arguments": ""}
            yield event("output_item.added", output_index=index, item=item | empty)
            for start in range(0, len(item["arguments"]), 7):
                delta = item["arguments"][start : start + 7]
                yield event("function_call_arguments.delta", **place, delta=delta, obfuscation="a")
            yield event("function_call_arguments.done", **place, arguments=item["arguments"])
        yield event("output_item.done", output_index=index, item=item)
    yield event("completed", response=response(request, "completed", made))


def pieces(say: Say) -> tuple[str, ...]:
    """The pieces of a streamed text; together they are the text."""
    if say.pieces is not None:
        return say.pieces
    words = say.text.split(" ")
    return (*(f"{word} " for word in words[:-1]), words[-1])


RESPONSES = Speech(whole, stream)
