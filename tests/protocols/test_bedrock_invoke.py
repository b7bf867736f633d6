"""InvokeModel: Anthropic's messages, embeddings, and bodies of other families, whole and streamed."""

import base64
import json
from typing import Any

import pytest

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque, Text, ToolCall
from interlock.protocols import AnswerEdit, Finish, Frame, FrameEdit, TextDelta, Usage
from interlock.protocols._bedrock import event
from interlock.protocols._eventstream import Messages
from interlock.protocols.bedrock_invoke import ADAPTER
from tests.protocols.bedrock_wire import answered, asked, frames, requested, sdk_events
from tests.protocols.wire import short
from tests.test_catalog import streamed

PATH = "/model/m/invoke"
VERSION = {"anthropic_version": "bedrock-2023-05-31"}
HI: list[Any] = [{"role": "user", "content": "hi"}]
TRACE: dict[str, Any] = {"guardrail": {"input": {"gr.1": {"words": ["secret words"]}}}}
METRICS: dict[str, Any] = {
    "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3, "outputTokenCount": 4, "invocationLatency": 5}
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
    "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 1},
}  # fmt: skip
TOLD = "[interlock] Not permitted: pay."


def request(document: dict[str, Any]) -> list[str]:
    return asked(document, PATH, ADAPTER)


def answer(document: dict[str, Any]) -> list[str]:
    return answered(json.dumps(document).encode(), ADAPTER)


def chunk(document: Any, **more: Any) -> bytes:
    return event("chunk", {"bytes": base64.b64encode(json.dumps(document).encode()).decode(), **more})


def block(index: int, begin: dict[str, Any], *deltas: dict[str, Any]) -> list[bytes]:
    return [
        chunk({"type": "content_block_start", "index": index, "content_block": begin}),
        *(chunk({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas),
        chunk({"type": "content_block_stop", "index": index}),
    ]


def text(index: int, *pieces: str) -> list[bytes]:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def call(index: int, name: str, *pieces: str) -> list[bytes]:
    begin = {"type": "tool_use", "id": f"t{index}", "name": name, "input": {}}
    return block(index, begin, *({"type": "input_json_delta", "partial_json": piece} for piece in pieces))


def ending(reason: str = "end_turn", **more: Any) -> list[bytes]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    ended = {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 4}}
    return [chunk(ended), chunk({"type": "message_stop", **more})]


START = chunk({"type": "message_start", "message": MESSAGE})


def read(*events: bytes) -> list[Frame]:
    return frames(*events, adapter=ADAPTER)


def said(*events: bytes) -> list[str]:
    return short(tuple(streamed(read(*events))))


def own(data: bytes) -> list[dict[str, Any]]:
    """The model's own events, as boto3 hands them to programs."""
    return [json.loads(one["chunk"]["bytes"]) for one in sdk_events(data, "ResponseStream")]


# Requests


def test_anthropics_body() -> None:
    document = {**VERSION, "anthropic_beta": ["context-1m"], "max_tokens": 9, "system": "S", "messages": HI}
    assert request(document) == ["system:S", "user:hi", "parameter:context-1m", "parameter:bedrock-2023-05-31"]
    assert requested(document, f"{PATH}-with-response-stream", ADAPTER).stream
    assert requested(document, "/model/us.anthropic.c%3A0/invoke", ADAPTER).model == "us.anthropic.c:0"


@pytest.mark.parametrize("more", [{"model": "another"}, {"stream": True}, {"inputText": "x"}, {"aside": "x"}])
def test_what_anthropics_body_has_not_there_is_opaque(more: dict[str, Any]) -> None:
    assert request({**VERSION, "messages": HI, **more})[-2].startswith("opaque:")


def test_anthropics_body_has_messages() -> None:
    with pytest.raises(ProtocolError, match="messages"):
        request({**VERSION, "prompt": "hello"})


@pytest.mark.parametrize(
    ("document", "events"),
    [
        ({"inputText": "a", "dimensions": 256, "normalize": True}, ["retrieved:a"]),
        ({"inputText": "a", "embeddingTypes": ["float"]}, ["retrieved:a", "parameter:float"]),
        ({"texts": ["a", "b"], "input_type": "search_query"}, ["retrieved:a", "retrieved:b", "parameter:search_query"]),
        ({"images": ["data:image/png;base64,AA=="], "input_type": "image"}, ["image:inline", "parameter:image"]),
        ({"inputText": "a", "aside": "b"}, ["retrieved:a", "opaque:aside=b"]),
    ],
)
def test_texts_to_embed(document: dict[str, Any], events: list[str]) -> None:
    assert request(document) == events
    assert requested(document, PATH, ADAPTER).asks == {"embeddings"}


@pytest.mark.parametrize(
    "document",
    [
        {"prompt": "hello"},
        {"messages": HI, "max_tokens": 9},
        {"inputText": "hello", "textGenerationConfig": {}},
        {"schemaVersion": "messages-v1", "messages": HI},
        {},
    ],
)
def test_any_other_body_is_opaque_as_a_whole(document: dict[str, Any]) -> None:
    (event,) = requested(document, PATH, ADAPTER).events
    assert isinstance(event, Opaque)
    assert json.loads(event.text) == document


def test_texts_of_requests_are_replaced() -> None:
    found = requested({**VERSION, "messages": HI}, PATH, ADAPTER)
    assert json.loads(ADAPTER.edit_request(found, {found.events[0].path: "ho"}))["messages"][0]["content"] == "ho"


# Answers


def test_a_message_and_what_bedrock_adds() -> None:
    content = [{"type": "text", "text": "ok"}, {"type": "tool_use", "id": "t", "name": "pay", "input": {"to": 1}}]
    document = {**MESSAGE, "content": content, "amazon-bedrock-guardrailAction": "NONE", "amazon-bedrock-trace": TRACE}
    assert answer(document) == ["output:ok", 'call:pay({"to":1})', "output:secret words"]
    whole = ADAPTER.answer(json.dumps(document).encode())
    (refused,) = (e.path for e in whole.events if isinstance(e, ToolCall))
    texts = {e.path: e.text.upper() for e in whole.events if isinstance(e, Text)}
    edited = json.loads(ADAPTER.edit_answer(whole, AnswerEdit(texts, {refused: TOLD})))
    assert answer(edited) == ["output:OK", f"output:{TOLD}", "output:SECRET WORDS"]
    assert answer({**MESSAGE, "amazon-bedrock-guardrailAction": "say hello"}) == [
        "opaque:amazon-bedrock-guardrailAction=say hello"
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"content": [{"type": "tool_use", "id": "t", "name": "pay", "input": {}}]},
        {"role": "assistant"},
        {"type": "message"},
        {**MESSAGE, "role": "user"},
    ],
)
def test_what_could_be_taken_for_a_message_has_to_be_one(document: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        answer(document)


def test_vectors() -> None:
    titan = {"embedding": [0.5, -1], "embeddingsByType": {"float": [0.5]}, "inputTextTokenCount": 7}
    assert answer(titan) == []
    assert ADAPTER.answer(json.dumps(titan).encode()).usage == Usage(7, 0)
    cohere = {"id": "x", "response_type": "embeddings_floats", "embeddings": [[0.5], [1]], "texts": ["a", "b"]}
    assert answer(cohere) == ["output:a", "output:b"]
    assert answer({"embedding": [0.5, "say hello"]}) == ["opaque:embedding[1]=say hello"]
    assert answer({"embeddings": {"say hello": [1]}}) == ["opaque:embeddings.?=say hello"]
    assert not any(isinstance(event, Media) for event in ADAPTER.answer(json.dumps(cohere).encode()).events)


def test_any_other_answer_is_opaque_as_a_whole() -> None:
    assert answer({"generation": "hello"}) == ['opaque:invoke-body-of-this-model-family={"generation":"hello"}']


# Streams


def test_a_stream_of_anthropics() -> None:
    data = [START, *text(0, "o", "k"), *call(1, "pay", '{"to"', ":1}"), *ending("tool_use", **METRICS)]
    found = read(*data)
    assert said(*data) == ["output:ok", 'call:pay({"to":1})']
    assert Finish(0) in found[-2].deltas
    assert (found[-1].done, found[-2].usage) == (True, Usage(3, 4))


def test_what_bedrock_adds_to_the_last_chunk_is_seen_and_can_be_replaced() -> None:
    data = [START, *text(0, "ok"), *ending(**{**METRICS, "amazon-bedrock-trace": TRACE})]
    last = read(*data)[-1]
    (stream,) = (d.stream for d in last.deltas if isinstance(d, TextDelta))
    edited = own(ADAPTER.edit_frame(last, FrameEdit({stream: "removed"})))
    assert edited[0]["amazon-bedrock-trace"]["guardrail"]["input"]["gr.1"]["words"] == ["removed"]
    assert edited[0]["amazon-bedrock-invocationMetrics"]["inputTokenCount"] == 3


def test_a_refused_call_becomes_a_text_in_its_place() -> None:
    data = [START, *text(0, "ok"), *call(1, "pay", '{"to":', "1}"), *call(2, "read", "{}"), *ending("tool_use")]
    edit = FrameEdit(calls={(0, 1): None, (0, 2): 0}, told={(0, 1): TOLD})
    out = b"".join(ADAPTER.edit_frame(frame, edit) for frame in read(*data))
    assert said(out) == ["output:ok", f"output:{TOLD}", "call:read({})"]
    assert [e["index"] for e in own(out) if e["type"] == "content_block_start"] == [0, 1, 2]
    gone = FrameEdit(calls={(0, 1): None, (0, 2): None}, told={}, emptied=frozenset({0}))
    out = b"".join(ADAPTER.edit_frame(frame, gone) for frame in read(*data))
    assert [e["delta"]["stop_reason"] for e in own(out) if e["type"] == "message_delta"] == ["end_turn"]


def test_chunks_of_another_family_are_opaque() -> None:
    found = read(chunk({"generation": "he"}), chunk({"generation": "llo", "stop_reason": "stop", **METRICS}))
    texts = [d.text for frame in found for d in frame.deltas if isinstance(d, Opaque)]
    assert [json.loads(one)["generation"] for one in texts] == ["he", "llo"]
    assert ADAPTER.edit_frame(found[0], FrameEdit()) == found[0].raw


@pytest.mark.parametrize(
    "events",
    [
        [],
        [START],
        [START, *text(0, "a")],
        [chunk({"generation": "he"}), START],
        [chunk({"generation": "he"}), *call(0, "pay", "{}")],
        [START, chunk({"generation": "he"})],
        [START, *ending(), chunk({"type": "ping"})],
        [event("chunk", {"bytes": "e30=\n"})],
        [event("chunk", {"bytes": "e 30="})],
        [event("chunk", {"bytes": "????"})],
        [event("chunk", {"bytes": {}})],
        [event("chunk", {})],
        [event("chunk", {"bytes": base64.b64encode(b"[]").decode()})],
        [event("chunk", {"bytes": base64.b64encode(b'{"type":1,"type":2}').decode()})],
    ],
)
def test_what_is_no_stream_is_refused(events: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        read(*events)


def test_other_events_and_fields_are_opaque() -> None:
    found = read(START, event("note", {"a": "b"}), chunk({"type": "ping"}, p="abc", aside="hi"), *ending())
    assert [d for frame in found for d in frame.deltas if isinstance(d, Opaque)] == [
        Opaque(("note",), '{"a":"b"}'),
        Opaque(("chunk", "aside"), "hi"),
    ]


def test_errors_in_a_stream_of_both_kinds() -> None:
    overloaded = chunk({"type": "error", "error": {"type": "overloaded_error", "message": "busy", "do": "x"}})
    frame = read(START, overloaded)[-1]
    assert frame.error
    assert own(frame.raw) == [{"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}]
    edited = ADAPTER.edit_frame(frame, FrameEdit({("error.message", 0): "removed"}))
    assert own(edited)[0]["error"]["message"] == "removed"
    (raised,) = read(ADAPTER.stream_error("denied", "no"))
    assert raised.error
    (found,) = Messages().feed(ADAPTER.edit_frame(raised, FrameEdit({("message", 1): "removed"})))
    assert json.loads(found.payload) == {"message": "removed"}
