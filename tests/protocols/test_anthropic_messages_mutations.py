"""Any change to a valid document ends in a ProtocolError or in something understood: never in another error."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from interlock.model.errors import ProtocolError
from interlock.model.event import Text, ToolCall
from interlock.protocols import AnswerEdit, CallDelta, FrameEdit, TextDelta
from interlock.protocols.anthropic_messages import ADAPTER
from tests.protocols.anthropic_wire import CITATION, PAY, READ, answer, request, requested, text
from tests.protocols.mutations import changed, is_told, mutated, mutations, places, refusal, refused_of

REQUEST = json.loads(
    request(
        [
            {"role": "user", "content": [
                text("a", cache_control={"type": "ephemeral"}),
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "RXE="}},
                {"type": "document", "title": "t", "source": {"type": "content", "content": [text("d")]}},
                {"type": "search_result", "title": "t", "source": "s", "content": [text("f")]}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "h", "signature": "RXE="}, text("b", citations=[CITATION]), PAY]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [text("r")]}]},
            {"role": "system", "content": [{"type": "tool_addition", "tool": {"type": "tool_reference", "name": "g"}}]},
        ],
        system=[text("s")],
        tools=[
            {"name": "f", "description": "d", "input_schema": {"type": "object"}, "input_examples": [{"a": "b"}]},
            {"type": "computer_toolset_20260801", "configs": {"zoom": {"enabled": False}}},
            {"type": "bash_20250124", "name": "bash"},
        ],
        metadata={"user_id": "u"}, context_management={"edits": [{"type": "clear_thinking_20251015"}]}, stream=True,
    )
)  # fmt: skip
ANSWER = json.loads(
    answer(
        text("a", citations=[CITATION]), PAY, READ, {"type": "thinking", "thinking": "h", "signature": "RXE="},
        stop_details={"type": "refusal", "category": "cyber", "explanation": "e"}, stop_sequence="x",
        usage={"input_tokens": 1, "output_tokens": 2, "service_tier": "standard", "cache_creation": {"x": 1}},
    )
)  # fmt: skip
STREAM = [
    {"type": "message_start", "message": {**ANSWER, "content": [], "stop_reason": None, "stop_sequence": None,
                                          "stop_details": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "b"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": CITATION}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {**PAY, "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": "S", "stop_details": {
        "type": "refusal", "explanation": "e"}}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
]  # fmt: skip


def bytes_of(document: Any) -> bytes:
    return json.dumps(document).encode()


def kept(document: Any) -> None:
    """A request goes on as it came, and every text and call in it can be replaced."""
    data = bytes_of(document)
    read = requested(data)
    assert (read.raw, read.model) == (data, document["model"])
    settings = set(document) - {"messages", "system"}
    new = {e.path: "new" for e in read.events if isinstance(e, Text) and e.path[0] not in settings}
    new |= {e.path: '{"n":1}' for e in read.events if isinstance(e, ToolCall)}
    again = requested(ADAPTER.edit_request(read, new))
    assert {e.text for e in again.events if isinstance(e, Text) and e.path in new} <= {"new"}
    assert {e.arguments for e in again.events if isinstance(e, ToolCall)} <= {'{"n":1}'}


def edits(document: Any) -> None:
    """Every edit that the guard could make of an answer, at once."""
    read = ADAPTER.answer(bytes_of(document))
    new = {event.path: "new" for event in read.events if isinstance(event, Text)}
    refused = {event.path: "told" for event in read.events if isinstance(event, ToolCall)}
    again = ADAPTER.answer(ADAPTER.edit_answer(read, AnswerEdit(new, refused))).events
    assert not [event for event in again if isinstance(event, ToolCall)]
    assert {event.text for event in again if isinstance(event, Text)} <= {"new", "told"}


def stream_of(documents: Any) -> bytes:
    named = [(d.get("type") if isinstance(d, dict) else None, d) for d in documents]
    return b"".join(b"event: %b\ndata: %b\n\n" % (str(name).encode(), bytes_of(d)) for name, d in named)


def stream_edits(documents: Any) -> None:
    data = stream_of(documents)
    reader, out, calls = ADAPTER.reader(), b"", False
    for frame in reader.feed(data):
        texts = {d.stream: "new" for d in frame.deltas if isinstance(d, TextDelta)}
        gone = {(d.choice, d.index): None for d in frame.deltas if isinstance(d, CallDelta)}
        calls = calls or bool(gone)
        edit = FrameEdit(texts, gone, emptied=frozenset({0}), told=dict.fromkeys(gone, "told"))
        out += ADAPTER.edit_frame(frame, edit)
    again = [delta for frame in ADAPTER.reader().feed(out) for delta in frame.deltas]
    assert not [delta for delta in again if isinstance(delta, CallDelta)]
    assert {delta.text for delta in again if isinstance(delta, TextDelta)} <= {"new", "told"}
    assert not calls or b'"tool_use"' not in out


USES = [(REQUEST, kept), (ANSWER, edits), (STREAM, stream_edits)]


@pytest.mark.parametrize(("document", "use"), USES)
@given(changes=mutations())
def test_a_changed_document_is_understood_or_refused(document: Any, use: Any, changes: Any) -> None:
    error = refusal(use, mutated(document, changes))
    assert error is None or is_told(error)


@pytest.mark.parametrize(("document", "use"), USES)
def test_each_single_odd_value_is_understood_or_refused(document: Any, use: Any) -> None:
    refused, tried = refused_of(use, document)
    assert 0 < refused < tried


def seen_in_stream(documents: Any) -> list[Any]:
    return [delta for frame in ADAPTER.reader().feed(stream_of(documents)) for delta in frame.deltas]


@pytest.mark.parametrize(
    ("document", "read", "silent"),
    [
        (REQUEST, lambda d: requested(bytes_of(d)).events, {"model"}),
        (ANSWER, lambda d: ADAPTER.answer(bytes_of(d)).events, {"model"}),
        (STREAM, seen_in_stream, {"model"}),
    ],
)
def test_no_text_passes_unseen_wherever_it_is_put(document: Any, read: Any, silent: set[str]) -> None:
    unseen = set()
    for path in places(document):
        for value in ("CANARY words", ["CANARY words"], {"x": "CANARY words"}):
            with suppress(ProtocolError):
                if "CANARY" not in repr(read(changed(document, path, value, "set"))):
                    unseen.add(path[-1])
    assert unseen == silent
