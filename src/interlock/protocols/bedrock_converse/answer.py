"""A whole answer, and what the events of a stream share with it."""

from collections.abc import Iterator, Mapping
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Opaque, Path, Text
from interlock.protocols import Answer, Document, Usage, decode
from interlock.protocols._bedrock import is_figures
from interlock.protocols._json import is_empty, list_, object_, opaque, values
from interlock.protocols._reading import Fits, Voice, holds, is_count, is_name, others
from interlock.protocols.bedrock_converse.blocks import (
    Block,
    audio_block,
    block_events,
    call_block,
    citations_block,
    image_block,
    reasoning_block,
    text_block,
    video_block,
)

OUTPUT = Voice(Channel.OUTPUT)
# By the API an answer has as many blocks as the model likes; a few dozen are many.
MOST_BLOCKS = 1_024
STOPS = frozenset(
    {
        "end_turn", "tool_use", "max_tokens", "stop_sequence", "guardrail_intervened", "content_filtered",
        "malformed_model_output", "malformed_tool_use", "model_context_window_exceeded",
    }
)  # fmt: skip
BLOCKS: Mapping[str, Block] = {
    "text": text_block,
    "image": image_block,
    "video": video_block,
    "audio": audio_block,
    "toolUse": call_block,
    "reasoningContent": reasoning_block,
    "citationsContent": citations_block,
}
# What an answer says of itself; counts, and names.
FIGURES: Mapping[str, Fits] = {
    "usage": is_figures,
    "metrics": is_figures,
    "performanceConfig": holds(latency=is_name),
    "serviceTier": holds(type=is_name),
}
MODEL_FIELDS = "additionalModelResponseFields"
_COUNTED = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")


def read_answer(data: bytes) -> Answer:
    """A whole answer, understood."""
    document = decode(data)
    output = object_(document.get("output"), ("output",))
    at: Path = ("output", "message")
    message = object_(output.get("message"), at)
    if message.get("role") != "assistant":
        raise ProtocolError("an answer's role is not assistant", where="output.message.role", status=502)
    blocks = list_(message.get("content"), (*at, "content"))
    if len(blocks) > MOST_BLOCKS:
        raise ProtocolError(f"an answer with over {MOST_BLOCKS} blocks", where="output.message.content", status=502)
    events: list[Event] = []
    for index, block in enumerate(blocks):
        events += block_events(block, (*at, "content", index), OUTPUT, BLOCKS)
    events += others(message, at, {"role", "content"}, {})
    events += others(output, ("output",), {"message"}, {})
    events += [*stop(document), *model_fields(document), *trace(document)]
    events += others(document, (), {"output", "stopReason", MODEL_FIELDS, "trace"}, FIGURES)
    return Answer(data, document, "", tuple(events), usage_of(document))


def stop(document: Document) -> Iterator[Opaque]:
    """Why the model stopped, if that is not known."""
    reason = document.get("stopReason")
    if not is_empty(reason) and not (isinstance(reason, str) and reason in STOPS):
        yield opaque(("stopReason",), reason)


def model_fields(document: Document) -> Iterator[Text | Opaque]:
    """What the client asked to be shown of the model's own answer: texts; more than that is opaque."""
    for key, value in object_(document.get(MODEL_FIELDS) or {}, (MODEL_FIELDS,)).items():
        if isinstance(value, str) and is_name(key):
            yield OUTPUT.says((MODEL_FIELDS, key), value)
        elif not isinstance(value, bool | int | float) and not is_empty(value):
            yield opaque((MODEL_FIELDS, key), value)


def trace(document: Document) -> Iterator[Text | Opaque]:
    """What a guardrail found, with the words in which it did; a key that is no name is opaque."""
    for path, text in values(document.get("trace"), ("trace",)):
        yield OUTPUT.says(path, text)
    yield from _odd_keys(document.get("trace"), ("trace",))


def _odd_keys(value: object, path: Path) -> Iterator[Opaque]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(key, str) and not is_name(key):
            yield Opaque((*path, key), key)
        yield from _odd_keys(inner, (*path, key))


def usage_of(document: Mapping[str, Any]) -> Usage:
    """The tokens that an answer counts; what was read from or written to the cache is input too."""
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return Usage()
    return Usage(sum(_count(usage.get(key)) for key in _COUNTED), _count(usage.get("outputTokens")))


def _count(value: Any) -> int:
    return int(value) if is_count(value) else 0
