"""Any change to a valid document ends in a ProtocolError or in something understood: never in another error."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Media, Opaque, Text, ToolCall, ToolDefinition
from interlock.protocols import AnswerEdit, CallDelta, FrameEdit, TextDelta
from interlock.protocols.openai_responses import ADAPTER
from tests.protocols.mutations import changed, is_told, mutated, mutations, places, refusal, refused_of
from tests.protocols.responses import COMPLETED, FIRST, call, event, message, read, said

NOTE = {"type": "url_citation", "title": "t", "url": "u", "start_index": 1, "end_index": 2}
TOKENS = [{"token": "a", "logprob": -1, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -2}]}]
PART = said("a", annotations=[NOTE], logprobs=TOKENS)
CUSTOM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "g", "input": "i"}
REASONING = {
    "type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}],
    "content": [{"type": "reasoning_text", "text": "r"}], "encrypted_content": "g",
}  # fmt: skip
REQUEST: Any = {
    "model": "m", "stream": True, "instructions": "i", "metadata": {"a": "b"}, "include": ["x"], "background": False,
    "input": [
        {"role": "system", "content": "a"},
        message({"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": "data:a/b;base64,"},
                {"type": "input_file", "file_id": "f", "filename": "n"}),
        REASONING, message(PART, role="assistant", id="msg_1", status="completed"), call("f"), CUSTOM,
        {"type": "function_call_output", "call_id": "c1", "output": "y", "name": "f"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "z"}]},
    ],
    "tools": [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
        {"type": "namespace", "name": "n", "description": "e", "tools": [{"type": "custom", "name": "g"}]},
    ],
    "prompt": {"id": "p", "variables": {"v": "w"}}, "text": {"format": {"type": "text"}},
}  # fmt: skip
RESPONSE: Any = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m", "instructions": "i",
    "metadata": {"k": "v"}, "tools": [{"type": "x"}], "error": {"code": "c", "message": "m"}, "tool_choice": "auto",
    "usage": {"input_tokens": 1, "output_tokens_details": {"reasoning_tokens": 0}}, "service_tier": "default",
    "output": [
        REASONING, message(PART, {"type": "refusal", "refusal": "no"}, role="assistant", id="msg_1"), call("f"), CUSTOM,
    ],
}  # fmt: skip
PLACE: Any = {"output_index": 0, "item_id": "msg_1", "content_index": 0, "sequence_number": 1}
BEFORE = FIRST + event("content_part.added", **PLACE, part=said(""))
EVENTS: dict[str, tuple[bytes, Any]] = {
    "delta": (BEFORE, {"type": "response.output_text.delta", **PLACE, "delta": "a", "logprobs": TOKENS}),
    "plain": (BEFORE, {"type": "response.output_text.delta", **PLACE, "delta": "a", "logprobs": []}),
    "part": (BEFORE, {"type": "response.content_part.done", **PLACE, "part": PART}),
    "note": (BEFORE, {"type": "response.output_text.annotation.added", **PLACE, "annotation_index": 0,
                      "annotation": NOTE}),
    "item": (b"", {"type": "response.output_item.done", "output_index": 0, "sequence_number": 1, "item": call("f")}),
    "completed": (b"", {"type": "response.completed", "response": RESPONSE, "sequence_number": 1}),
}  # fmt: skip


def is_there(document: Any, event: Text) -> bool:
    """Whether a text can be replaced: the name of a setting cannot."""
    for part in event.path:
        document = document.get(part) if isinstance(document, dict) else document[part]
    return event.channel is not Channel.PARAMETER or document == event.text


def use_request(document: Any) -> None:
    data = json.dumps(document).encode()
    given = read(data)
    assert given.raw == data
    texts = {event.path: "new" for event in given.events if isinstance(event, Text) and is_there(document, event)}
    texts |= {event.path: "{}" for event in given.events if isinstance(event, ToolCall)}
    json.loads(ADAPTER.edit_request(given, texts))


def use_answer(document: Any) -> None:
    """Every edit that the guard could make of an answer, at once."""
    given = ADAPTER.answer(json.dumps(document).encode())
    texts = {event.path: "new" for event in given.events if isinstance(event, Text)}
    refused = {event.path: "told" for event in given.events if isinstance(event, ToolCall)}
    out = ADAPTER.edit_answer(given, AnswerEdit(texts, refused, "notice", stripped=frozenset({"logprobs"})))
    again = ADAPTER.answer(out).events
    assert not [event for event in again if isinstance(event, ToolCall)]
    assert {event.text for event in again if isinstance(event, Text)} <= {"new", "told"}


def use_event(before: bytes, document: Any) -> None:
    data = b"data: " + json.dumps(document).encode() + b"\n\n"
    frame = ADAPTER.reader().feed(before + data)[-1]
    if frame.document is None:
        return
    assert frame.raw == data
    texts = {delta.stream: "new" for delta in frame.deltas if isinstance(delta, TextDelta)}
    calls = {(delta.choice, delta.index) for delta in frame.deltas if isinstance(delta, CallDelta)}
    out = ADAPTER.edit_frame(frame, FrameEdit(texts, dict.fromkeys(calls), told=dict.fromkeys(calls, "told")))
    again = [delta for found in ADAPTER.reader().feed(before + out) for delta in found.deltas]
    assert not [delta for delta in again if isinstance(delta, CallDelta)]
    assert {delta.text for delta in again if isinstance(delta, TextDelta)} <= {"", "new", "told"}


def in_event(name: str) -> Callable[[Any], None]:
    return lambda document: use_event(EVENTS[name][0], document)


USES = [
    pytest.param(REQUEST, use_request, id="request"),
    pytest.param(RESPONSE, use_answer, id="answer"),
    *(pytest.param(document, in_event(name), id=name) for name, (_, document) in EVENTS.items()),
]


@pytest.mark.parametrize(("document", "use"), USES)
@given(changes=mutations())
def test_a_changed_document_is_understood_or_refused(document: Any, use: Any, changes: Any) -> None:
    error = refusal(use, mutated(document, changes))
    assert error is None or is_told(error)


@pytest.mark.parametrize(("document", "use"), USES)
def test_each_single_odd_value_is_understood_or_refused(document: Any, use: Any) -> None:
    refused, tried = refused_of(use, document)
    assert 0 < refused < tried


def seen_of(events: Any) -> str:
    kinds = (Text, Opaque, TextDelta, Media, CallDelta, ToolCall, ToolDefinition)
    return repr([event for event in events if isinstance(event, kinds)])


READS: dict[str, tuple[Any, Any]] = {
    "request": (REQUEST, lambda data: read(data).events),
    "answer": (RESPONSE, lambda data: ADAPTER.answer(data).events),
} | {
    name: (document, lambda data, before=before: _event_deltas(before, data))
    for name, (before, document) in EVENTS.items()
}


def _event_deltas(before: bytes, data: bytes) -> Any:
    frame = ADAPTER.reader().feed(before + b"data: " + data + b"\n\n")[-1]
    return frame.deltas if b"CANARY" in frame.raw else (*frame.deltas, Opaque((), "no CANARY goes on"))


@pytest.mark.parametrize("what", READS)
def test_no_text_passes_unseen_wherever_it_is_put(what: str) -> None:
    document, seen = READS[what]
    unseen = set()
    for path in places(document):
        for value in ("CANARY words", ["CANARY words"], {"x": "CANARY words"}):
            with suppress(ProtocolError):
                if "CANARY" not in seen_of(seen(json.dumps(changed(document, path, value, "set")).encode())):
                    unseen.add(path[-1])
    # The model's name is shown to nobody by the SDKs; in a request it is a fact for the policies.
    assert unseen <= {"model"}


def test_the_end_mark_is_still_read_after_all_this() -> None:
    assert ADAPTER.reader().feed(COMPLETED)[-1].last
