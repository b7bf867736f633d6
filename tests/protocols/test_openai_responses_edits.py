"""Edited streams of the responses protocol: what the SDK makes of them, and what its adapter reads in them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._models import construct_type
from openai._types import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from interlock.protocols import CallDelta, FrameEdit, TextDelta
from interlock.protocols.openai_responses import ADAPTER
from interlock.testing.model import ModelCall, Say
from tests.protocols.responses import (
    COMPLETED,
    FIRST,
    begun,
    call,
    calls,
    documents,
    edited,
    event,
    frames,
    said,
    texts,
    wire,
)

TOLD = "(interlock) Not permitted: pay."
NO_PAY = FrameEdit(calls={(0, 1): None, (0, 2): 0}, notices={0: "not said"}, told={(0, 1): TOLD})
CALL_PLACE: dict[str, Any] = {"output_index": 0, "item_id": "fc_c1"}
REFUSE = FrameEdit(calls={(0, 0): None}, told={(0, 0): TOLD})
STAND_INS = [
    "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
    "output_item.done",
]  # fmt: skip


def accumulated(data: bytes) -> tuple[Response, list[Any]]:
    """What the SDK's accumulator makes of a stream, and the events that it hands on. Each must be as typed."""
    state = ResponseStreamState[None](input_tools=omit, text_format=omit)
    handed = []
    for document in documents(data):
        TypeAdapter[Any](ResponseStreamEvent).validate_python(document)
        handed += state.handle_event(construct_type(type_=ResponseStreamEvent, value=document))  # type: ignore[arg-type]
    final = state._completed_response
    assert final
    return final, handed


def kinds(data: bytes) -> list[str]:
    return [document["type"].removeprefix("response.") for document in documents(data)]


def test_a_refused_call_is_a_message_in_every_event() -> None:
    out = edited(wire(), NO_PAY)
    final, handed = accumulated(out)
    assert [item.type for item in final.output] == ["message", "message", "function_call"]
    assert final.output_text == "hello you" + TOLD
    assert [event.delta for event in handed if event.type == "response.output_text.delta"][-1] == TOLD
    assert calls(frames(out)) == {2: ("read", "{}")}
    assert texts(frames(out))["output.1.content.0.text"] == TOLD
    assert b"bob" not in out
    assert b"pay" not in out.replace(TOLD.encode(), b"")


def test_the_other_events_stay_byte_identical() -> None:
    kept = [frame.raw for frame in frames(wire()) if b'"output_index":1' not in frame.raw][:-1]
    out = edited(wire(), NO_PAY)
    assert all(raw in out for raw in kept[2:-1])


def test_numbers_stay_in_order_and_are_given_once() -> None:
    numbers = [document["sequence_number"] for document in documents(edited(wire(), NO_PAY))]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("pieces", [["{}"], ["{", "}"], ["{", " ", "}"], ["{", " ", " ", " ", "}"], []])
@pytest.mark.parametrize("ends", [True, False])
def test_a_message_has_all_its_events_however_many_a_call_has(pieces: list[str], ends: bool) -> None:
    whole = "".join(pieces)
    parts = [begun(call(arguments=""))]
    parts += [event("function_call_arguments.delta", **CALL_PLACE, delta=piece) for piece in pieces]
    parts += [event("function_call_arguments.done", **CALL_PLACE, arguments=whole)] if ends else []
    parts += [event("output_item.done", output_index=0, item=call(arguments=whole)), COMPLETED]
    assert kinds(edited(b"".join(parts), REFUSE)) == [*STAND_INS, "completed"]


def test_a_call_that_comes_with_its_end_alone_is_a_whole_message() -> None:
    out = edited(event("output_item.done", output_index=0, item=call()) + COMPLETED, REFUSE)
    assert kinds(out) == [*STAND_INS, "completed"]
    assert documents(out)[-2]["item"]["id"] == "msg_fc_c1"


def test_a_call_that_comes_with_the_response_alone_is_replaced_there() -> None:
    out = edited(event("completed", response={"id": "r", "output": [call(), call("read", call_id="c2")]}), REFUSE)
    first, second = documents(out)[0]["response"]["output"]
    assert first["content"] == [said(TOLD)]
    assert second["name"] == "read"


def test_a_call_without_an_id_has_one_message_all_the_same() -> None:
    item = {key: value for key, value in call().items() if key != "id"}
    parts = [
        begun(item | {"arguments": ""}), event("function_call_arguments.delta", output_index=0, item_id="", delta="{}"),
        event("output_item.done", output_index=0, item=item),
        event("completed", response={"id": "r", "output": [item]}),
    ]  # fmt: skip
    out = documents(edited(b"".join(parts), REFUSE))
    ids = {d.get("item_id") or (d.get("item") or d["response"]["output"][0])["id"] for d in out}
    assert ids == {"msg_0"}


@given(data=st.data())
def test_any_refusal_in_any_stream_leaves_what_the_sdk_accepts_and_no_refused_call(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(["pay", "read"]), min_size=1, max_size=4))
    say = Say(data.draw(st.sampled_from(["", "hello you"])), tuple(ModelCall(name, {"a": name * 3}) for name in names))
    first = 1 if say.text else 0
    refused = {(0, first + n) for n in range(len(names)) if data.draw(st.booleans())}
    edit = FrameEdit(calls=dict.fromkeys(refused), told=dict.fromkeys(refused, TOLD))
    out = edited(wire(say), edit)
    final, _ = accumulated(out)
    left = {(0, index) for index in calls(frames(out))}
    assert left == {(0, first + n) for n in range(len(names))} - refused
    assert final.output_text == say.text + TOLD * len(refused)
    numbers = [document["sequence_number"] for document in documents(out)]
    assert numbers == sorted(set(numbers))


def test_a_replaced_text_is_replaced_wherever_it_is_said() -> None:
    name = "output.0.content.0.text"
    out = b""
    become = {"my ": "my ", "key": "[removed]", "my key": "my [removed]"}
    for frame in frames(wire(Say("my key", pieces=("my ", "key")))):
        new = {d.stream: become[d.text] for d in frame.deltas if isinstance(d, TextDelta) and d.stream[0] == name}
        out += ADAPTER.edit_frame(frame, FrameEdit(texts=new))
    final, handed = accumulated(out)
    assert final.output_text == "my [removed]"
    assert "key" not in "".join(e.delta for e in handed if e.type == "response.output_text.delta")
    assert b'"my key"' not in out
    assert texts(frames(out))[name] == "my [removed]"


def test_replaced_arguments_are_replaced_wherever_they_are_said() -> None:
    found = frames(wire(Say(calls=(ModelCall("f", {"a": 1}),))))
    out = b""
    for frame in found:
        said_now = [delta.arguments for delta in frame.deltas if isinstance(delta, CallDelta)]
        arguments = {(0, 0): said_now[0].replace("1", "22")} if said_now else {}
        out += ADAPTER.edit_frame(frame, FrameEdit(arguments=arguments))
    final, handed = accumulated(out)
    assert [json.loads(item.arguments) for item in final.output if item.type == "function_call"] == [{"a": 22}]
    assert [e.arguments for e in handed if e.type == "response.function_call_arguments.done"] == ['{"a": 22}']
    assert calls(frames(out)) == {0: ("f", '{"a": 22}')}


def test_an_echo_goes_as_a_whole() -> None:
    response = {
        "id": "r",
        "output": [],
        "metadata": {"k": "secret"},
        "instructions": "be kind",
        "tools": [{"type": "x"}],
    }
    data = event("created", response=response) + event("completed", response=response)
    changed = {("echo@1", 0): "[removed]", ("instructions", 0): "[restored]"}
    out = documents(edited(data, FrameEdit(texts=changed)))
    blank = {"id": "r", "output": [], "metadata": {}, "instructions": "[restored]", "tools": []}
    assert [document["response"] for document in out] == [blank, blank]


TOKENS = [{"token": "he", "logprob": -1, "bytes": [1], "top_logprobs": []}]


@pytest.mark.parametrize("edit", [
    FrameEdit(stripped=frozenset({"logprobs"})), FrameEdit(texts={("output.0.content.0.text", 0): "new"}),
])  # fmt: skip
def test_tokens_go_where_they_are_not_in_scope_or_their_text_is_replaced(edit: FrameEdit) -> None:
    place: dict[str, Any] = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    part = said("he", logprobs=TOKENS)
    item = {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}
    parts = [
        FIRST, event("content_part.added", **place, part=said("")),
        event("output_text.delta", **place, delta="he", logprobs=TOKENS),
        event("output_text.done", **place, text="he", logprobs=TOKENS),
        event("content_part.done", **place, part=part), event("output_item.done", output_index=0, item=item),
        event("completed", response={"id": "r", "output": [item]}),
    ]  # fmt: skip
    out = edited(b"".join(parts), edit)
    assert b'"he"' not in out.replace(b'"delta":"he"', b"").replace(b'"text":"he"', b"")
    assert not [name for name in texts(frames(out)) if "logprobs" in name]


def test_an_edit_that_concerns_nothing_says_the_same() -> None:
    assert documents(edited(wire(), FrameEdit())) == documents(wire())
    assert edited(COMPLETED + b"data: [DONE]\n\n", FrameEdit()).endswith(b"data: [DONE]\n\n")
