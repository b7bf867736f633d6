"""A whole answer, and what the events of a stream share with it."""

from collections.abc import Iterator, Mapping
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Opaque, Path, Text
from interlock.protocols import Answer, Document, Usage
from interlock.protocols._anthropic.blocks import (
    Block,
    block_events,
    call_block,
    compaction_block,
    redacted_block,
    text_block,
    thinking_block,
)
from interlock.protocols._anthropic.fields import figures
from interlock.protocols._json import is_empty, list_, opaque, text_
from interlock.protocols._reading import Voice, is_name, is_switch, is_token, others

OUTPUT = Voice(Channel.OUTPUT)
# By the API an answer has as many blocks as the model likes; a few dozen are many.
MOST_BLOCKS = 1_024
STOPS = frozenset(
    {
        "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "compaction", "refusal",
        "model_context_window_exceeded",
    }
)  # fmt: skip
BLOCKS: Mapping[str, Block] = {
    "text": text_block,
    "thinking": thinking_block,
    "redacted_thinking": redacted_block,
    "tool_use": call_block,
    "compaction": compaction_block,
}
# What an answer says of itself; counts and names for them.
_FIGURES = ("usage", "context_management", "diagnostics", "input_transformations")
_DETAILS = {
    "category": is_name, "recommended_model": is_name, "fallback_credit_token": is_token,
    "fallback_has_prefill_claim": is_switch,
}  # fmt: skip
_COUNTED = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def read_message(data: bytes, document: Document) -> Answer:
    """A whole answer, understood; `data` are the bytes of its document."""
    blocks = list_(document.get("content"), ("content",))
    if len(blocks) > MOST_BLOCKS:
        raise ProtocolError(f"an answer with over {MOST_BLOCKS} blocks", where="content", status=502)
    events: list[Event] = []
    for index, block in enumerate(blocks):
        events += block_events(block, ("content", index), OUTPUT, BLOCKS)
    events += envelope(document, ())
    return Answer(data, document, text_(document.get("model", ""), ("model",)), tuple(events), usage_of(document))


def envelope(message: Document, path: Path) -> Iterator[Text | Opaque]:
    """What stands around the content of a message."""
    if message.get("type") != "message" or message.get("role") != "assistant":
        raise ProtocolError("the answer is not an assistant's message", where="type", status=502)
    for key in _FIGURES:
        yield from figures(message.get(key), (*path, key))
    yield from ending(message, path)
    known = {"type", "role", "content", *_FIGURES, *ENDING}
    yield from others(message, path, known, {"id": is_name, "model": lambda value: isinstance(value, str)})


ENDING = ("stop_reason", "stop_sequence", "stop_details")


def ending(delta: Document, path: Path) -> Iterator[Text | Opaque]:
    """Why the model stopped."""
    reason = delta.get("stop_reason")
    if reason is not None and not (isinstance(reason, str) and reason in STOPS):
        yield opaque((*path, "stop_reason"), reason)
    if not is_empty(delta.get("stop_sequence")):
        yield OUTPUT.says((*path, "stop_sequence"), delta["stop_sequence"])
    details, at = delta.get("stop_details"), (*path, "stop_details")
    if isinstance(details, dict):
        if not is_empty(details.get("explanation")):
            yield OUTPUT.says((*at, "explanation"), details["explanation"])
        yield from others(details, at, {"explanation"}, {**_DETAILS, "type": is_name})
    elif details is not None:
        yield opaque(at, details)


def usage_of(document: Mapping[str, Any]) -> Usage:
    """The tokens that an answer counts; what was read from or written to the cache is input too."""
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return Usage()
    return Usage(sum(_count(usage.get(key)) for key in _COUNTED), _count(usage.get("output_tokens")))


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
