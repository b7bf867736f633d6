"""Damaged documents of Bedrock: read or refused; what is read can be edited, and is read again without a call."""

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Text, ToolCall
from interlock.protocols import Adapter, AnswerEdit, CallDelta, FrameEdit, TextDelta
from interlock.protocols._eventstream import Messages, message
from interlock.protocols.bedrock_converse import ADAPTER as CONVERSE
from interlock.protocols.bedrock_invoke import ADAPTER as INVOKE
from tests.protocols.bedrock_wire import examples, frames, requested, runtime

ADAPTERS = pytest.mark.parametrize("adapter", [CONVERSE, INVOKE], ids=["converse", "invoke"])
SEEDS = given(st.integers(0, 2**32))
LEAVES: list[Any] = [
    None,
    "",
    0,
    -1,
    True,
    10**30,
    [],
    {},
    "x",
    ["a"],
    {"a": "b"},
    {"text": "t"},
    {"toolUse": {}},
    [[]],
]
KEYS = ("text", "toolUse", "type", "content", "json", "p", "bytes", "index")
BLOCKS = list(examples(runtime().shape_for("ContentBlock")))
ANSWERS = list(examples(runtime().shape_for("ConverseResponse")))


def damaged(value: Any, choose: random.Random) -> Any:
    """The document with a few of its values, keys and items changed, doubled or gone."""
    if choose.random() < 0.06:
        return choose.choice(LEAVES)
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if choose.random() > 0.03}
        return {
            choose.choice(KEYS) if choose.random() < 0.02 else key: damaged(inner, choose)
            for key, inner in kept.items()
        }
    if isinstance(value, list):
        items = [damaged(inner, choose) for inner in value]
        return [*items, choose.choice(items)] if items and choose.random() < 0.05 else items
    return value


def streams(adapter: Adapter) -> list[bytes]:
    return [example.given.data for example in adapter.examples if example.given.kind == "stream"]


@SEEDS
def test_requests(seed: int) -> None:
    choose = random.Random(seed)
    role = choose.choice(["user", "assistant", "system"])
    document = {"messages": [{"role": role, "content": [damaged(choose.choice(BLOCKS), choose)]}]}
    try:
        request = requested(damaged(document, choose))
    except ProtocolError:
        return
    said = [e for e in request.events if isinstance(e, Text) and e.channel is not Channel.PARAMETER]
    changed = {event.path: f"{event.text}!" for event in said}
    changed |= {event.path: '{"z":1}' for event in request.events if isinstance(event, ToolCall)}
    again = requested(json.loads(CONVERSE.edit_request(request, changed)))
    assert [e.arguments for e in again.events if isinstance(e, ToolCall)] == ['{"z":1}'] * (len(changed) - len(said))


@SEEDS
def test_answers(seed: int) -> None:
    choose = random.Random(seed)
    document = choose.choice(ANSWERS)
    document["output"]["message"]["role"] = "assistant"
    try:
        whole = CONVERSE.answer(json.dumps(damaged(document, choose)).encode())
    except ProtocolError:
        return
    texts = {event.path: "!" for event in whole.events if isinstance(event, Text)}
    refused = {event.path: "no" for event in whole.events if isinstance(event, ToolCall)}
    again = CONVERSE.answer(CONVERSE.edit_answer(whole, AnswerEdit(texts, refused)))
    assert not any(isinstance(event, ToolCall) for event in again.events)
    assert {event.text for event in again.events if isinstance(event, Text)} <= {"!", "no"}


@ADAPTERS
@SEEDS
def test_streams(adapter: Adapter, seed: int) -> None:
    choose = random.Random(seed)
    data = b""
    for found in Messages().feed(choose.choice(streams(adapter))):
        document = json.loads(found.payload)
        if "bytes" in document and choose.random() < 0.3:
            inner = damaged(json.loads(base64.b64decode(document["bytes"])), choose)
            document = {"bytes": base64.b64encode(json.dumps(inner).encode()).decode()}
        elif choose.random() < 0.3:
            document = damaged(document, choose)
        data += message(found.headers, json.dumps(document).encode())
    try:
        read = frames(data, adapter=adapter)
    except ProtocolError:
        return
    calls = {(d.choice, d.index) for frame in read for d in frame.deltas if isinstance(d, CallDelta)}
    out = b""
    for frame in read:
        texts = {d.stream: "!" for d in frame.deltas if isinstance(d, TextDelta)}
        edit = FrameEdit(texts, dict.fromkeys(calls), emptied=frozenset({0}), told=dict.fromkeys(calls, "no"))
        out += adapter.edit_frame(frame, edit)
    again = [d for frame in frames(out, adapter=adapter) for d in frame.deltas]
    assert not any(isinstance(d, CallDelta) for d in again)
    assert {d.text for d in again if isinstance(d, TextDelta)} <= {"!", "no"}
