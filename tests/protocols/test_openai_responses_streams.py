"""Streams of the responses protocol: every type of event that the SDK knows, and what must not be said."""

import json
from typing import Any, get_args

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from interlock.model.errors import ProtocolError
from interlock.model.event import Opaque
from interlock.protocols import CallDelta, Finish, TextDelta, Usage
from interlock.protocols.openai_responses import ADAPTER
from interlock.testing.model import Say
from tests.protocols.responses import (
    ASK,
    COMPLETED,
    FIRST,
    TWO,
    begun,
    call,
    calls,
    documents,
    event,
    frames,
    message,
    raw,
    said,
    texts,
    wire,
)

PLACE: dict[str, Any] = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
PART = event("content_part.added", **PLACE, part=said(""))
HELLO = event("output_text.delta", **PLACE, delta="hello", logprobs=[])
THOUGHT = begun({"type": "reasoning", "id": "rs_1", "summary": []})
CALL = begun(call(arguments=""))
CALL_PLACE: dict[str, Any] = {"output_index": 0, "item_id": "fc_c1"}
NOTE = {"type": "url_citation", "title": "T", "url": "u", "start_index": 0, "end_index": 1}


def test_the_scripted_servers_events_are_what_the_sdk_expects() -> None:
    events = [TypeAdapter[Any](ResponseStreamEvent).validate_python(document) for document in documents(wire())]
    assert [type(one).__name__ for one in events if one.type.endswith(".completed")] == ["ResponseCompletedEvent"]


def test_a_stream_is_read_once_however_often_it_says_a_thing() -> None:
    found = frames(wire())
    assert texts(found) == {"output.0.content.0.text": "hello you", "instructions": "be kind"}
    assert calls(found) == {1: ("pay", '{"to": "bob", "sum": 5}'), 2: ("read", "{}")}
    said_again = [delta for frame in found for delta in frame.deltas if isinstance(delta, TextDelta) and delta.again]
    assert {delta.text for delta in said_again} == {"hello you", "be kind"}
    assert found[-1].last
    assert found[-1].deltas[-1] == Finish(0)
    assert found[-1].usage == Usage(40, 12)
    assert [frame for frame in found if frame.done or frame.error] == []
    assert b"".join(frame.raw for frame in found) == wire()


def test_every_frame_of_a_call_belongs_to_it() -> None:
    held = [any(isinstance(delta, CallDelta) for delta in frame.deltas) for frame in frames(wire(Say(calls=TWO.calls)))]
    assert held == [False, False, *[True] * (len(held) - 2)]


def test_any_answer_is_well_if_the_echo_changes_on_the_way() -> None:
    other = event("completed", response={"id": "r", "output": [], "metadata": {"a": "b"}})
    found = frames(event("created", response={"id": "r", "output": [], "user": "x"}) + other)
    assert texts(found) == {"echo@1": "x", "echo@2": "a\nb"}


SAYS: dict[str, tuple[list[bytes], dict[str, str]]] = {
    "output text": ([FIRST, PART, HELLO], {"output.0.content.0.text": "hello"}),
    "refusal": (
        [
            FIRST,
            event("content_part.added", **PLACE, part={"type": "refusal", "refusal": ""}),
            event("refusal.delta", **PLACE, delta="n"),
            event("refusal.delta", **PLACE, delta="o"),
            event("refusal.done", **PLACE, refusal="no"),
            event("content_part.done", **PLACE, part={"type": "refusal", "refusal": "no"}),
        ],
        {"output.0.content.0.refusal": "no"},
    ),
    "a citation": (
        [
            FIRST,
            PART,
            event("output_text.annotation.added", **PLACE, annotation_index=0, annotation=NOTE),
            event("content_part.done", **PLACE, part=said("", annotations=[NOTE])),
        ],
        {"output.0.content.0.annotations.0.title": "T", "output.0.content.0.annotations.0.url": "u"},
    ),
    "reasoning": (
        [
            THOUGHT,
            event("reasoning_part.added", **PLACE | {"item_id": "rs_1"}, part={"type": "reasoning_text", "text": ""}),
            event("reasoning_text.delta", **PLACE | {"item_id": "rs_1"}, delta="hm"),
            event("reasoning_text.done", **PLACE | {"item_id": "rs_1"}, text="hm"),
        ],
        {"output.0.content.0.text": "hm"},
    ),
    "a summary": (
        [
            THOUGHT,
            *(
                event(
                    f"reasoning_summary_{name}",
                    output_index=0,
                    item_id="rs_1",
                    summary_index=0,
                    **fields,
                )
                for name, fields in (
                    ("part.added", {"part": {"type": "summary_text", "text": ""}}),
                    ("text.delta", {"delta": "hm"}),
                    ("text.done", {"text": "hm"}),
                    ("part.done", {"part": {"type": "summary_text", "text": "hm"}, "status": "incomplete"}),
                )
            ),
            event("output_item.done", output_index=0, item={"type": "reasoning", "encrypted_content": "g"}),
        ],
        {"output.0.summary.0.text": "hm", "output.0.encrypted_content": "g"},
    ),
    "text that comes with its item alone": (
        [FIRST, event("output_item.done", output_index=0, item=message(said("x"), role="assistant", id="msg_1"))],
        {"output.0.content.0.text": "x"},
    ),
    "an item that comes with the response alone": (
        [event("completed", response={"id": "r", "output": [message(said("x"), role="assistant")]})],
        {"output.0.content.0.text": "x"},
    ),
    "an error of the response": (
        [event("failed", response={"id": "r", "output": [], "error": {"code": "c", "message": "because"}})],
        {"error.code": "c", "error.message": "because"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SAYS)
def test_what_an_event_says_grows_under_its_place_in_the_answer(what: str) -> None:
    parts, expect = SAYS[what]
    ends = [] if b'"response"' in parts[-1] else [COMPLETED]
    assert texts(frames(b"".join([*parts, *ends]))) == expect


@pytest.mark.parametrize(("kind", "field", "name"), [
    ("function_call", "arguments", "function_call_arguments"), ("custom_tool_call", "input", "custom_tool_call_input"),
])  # fmt: skip
def test_a_call_of_either_sort(kind: str, field: str, name: str) -> None:
    item = {"type": kind, "id": "fc_c1", "call_id": "c1", "name": "f", field: ""}
    parts = [
        begun(item),
        event(f"{name}.delta", **CALL_PLACE, delta="{"),
        event(f"{name}.delta", **CALL_PLACE, delta="}"),
        event(f"{name}.done", **CALL_PLACE, **{field: "{}"}, name="f", call_id="c1"),
        event("output_item.done", output_index=0, item=item | {field: "{}"}),
        event("completed", response={"id": "r", "output": [item | {field: "{}"}]}),
    ]
    found = frames(b"".join(parts))
    deltas = [delta for frame in found for delta in frame.deltas if isinstance(delta, CallDelta)]
    assert {delta.kind for delta in deltas} == {kind}
    assert [delta.again for delta in deltas] == [False] * 3 + [True] * 3
    assert calls(found) == {0: ("f", "{}")}


def test_every_event_of_the_sdk_is_read_or_opaque() -> None:
    (union, _) = get_args(ResponseStreamEvent)
    kinds = {get_args(variant.model_fields["type"].annotation)[0] for variant in get_args(union)}
    assert len(kinds) > 50
    for kind in kinds - {"error"}:
        document = {"type": kind, "sequence_number": 1, "output_index": 0, "x_new": "CANARY"}
        try:
            (frame,) = frames(raw(document), ends=False)
        except ProtocolError:
            continue
        assert "CANARY" in repr(frame.deltas), kind


@pytest.mark.parametrize(("kind", "place"), [
    ("web_search_call.searching", ("output", 0, "web_search_call")),
    ("code_interpreter_call_code.delta", ("output", 0, "code_interpreter_call")),
    ("mcp_call_arguments.done", ("output", 0, "mcp_call")),
    ("image_generation_call.partial_image", ("output", 0, "image_generation_call")),
    ("compaction.compacting", ("output", 0, "compaction")),
])  # fmt: skip
def test_events_of_what_the_server_ran_have_the_place_of_its_item(kind: str, place: tuple[object, ...]) -> None:
    (frame,) = frames(event(kind, output_index=0, item_id="i", delta="code"), ends=False)
    (found,) = frame.deltas
    assert isinstance(found, Opaque)
    assert found.path == place
    assert "code" in found.text


TOKENS = [{"token": "he", "logprob": -1, "top_logprobs": [{"token": "ha", "logprob": -2}]}]


def test_tokens_are_texts_of_their_own_in_each_event() -> None:
    parts = [
        FIRST, PART, event("output_text.delta", **PLACE, delta="he", logprobs=TOKENS),
        event("output_text.done", **PLACE, text="he", logprobs=TOKENS), COMPLETED,
    ]  # fmt: skip
    grown = texts(frames(b"".join(parts)))
    assert grown.pop("output.0.content.0.text") == "he"
    assert sorted(grown.values()) == ["ha\n", "ha\n", "he", "he"]


def test_an_end_mark_may_follow_and_nothing_else() -> None:
    assert [frame.done for frame in frames(COMPLETED + b"data: [DONE]\n\n")] == [False, True]
    assert frames(COMPLETED + b": bye\n\n")[1].deltas == (Opaque(("comment",), "bye"),)


FAULTS: dict[str, bytes] = {
    "text of no item": HELLO,
    "text of a part that was never begun, of a call": CALL + event("output_text.delta", **PLACE, delta="x"),
    "a part of a call": CALL + event("content_part.added", **PLACE | {"item_id": "fc_c1"}, part=said("")),
    "arguments of a message": FIRST + event("function_call_arguments.delta", output_index=0, delta="{"),
    "arguments of another sort": CALL + event("custom_tool_call_input.delta", **CALL_PLACE, delta="x"),
    "an item that begins twice": FIRST + FIRST,
    "a part that begins twice": FIRST + PART + PART,
    "an item that ends as another": FIRST + event("output_item.done", output_index=0, item=call()),
    "a call that ends with another name": CALL + event("output_item.done", output_index=0, item=call("read")),
    "a call that ends with another id": CALL + event("output_item.done", output_index=0, item=call(call_id="c2")),
    "arguments with another name": CALL
    + event("function_call_arguments.done", **CALL_PLACE, arguments="{}", name="read"),
    "another item's id": FIRST + PART + event("output_text.delta", **PLACE | {"item_id": "msg_2"}, delta="x"),
    "an index that is none": event("output_item.added", output_index=-1, item=call()),
    "an index that is true": event("output_item.added", output_index=True, item=call()),
    "two types": b"event: response.created\n" + COMPLETED.partition(b"\n")[2],
    "no type": b'data: {"response":{}}\n\n',
    "no response": event("created", response=None),
    "no JSON": b"data: {\n\n",
    "an event after the end": COMPLETED + FIRST,
    "an end mark before the end": b"data: [DONE]\n\n",
    "a shell that the client runs": begun({"type": "shell_call", "id": "s", "action": {"commands": ["rm"]}}),
    "its command": event("shell_call_command.delta", output_index=0, command_index=0, delta="rm"),
    "text that is none": FIRST + PART + event("output_text.delta", **PLACE, delta=5),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_contradicts_itself_is_refused(fault: str) -> None:
    with pytest.raises(ProtocolError):
        frames(FAULTS[fault], ends=False)


@pytest.mark.parametrize("data", [b"", FIRST, wire()[:-1], wire().rpartition(b"event:")[0]])
def test_a_stream_that_stops_early_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        frames(data)


def test_padding_and_ids_are_nothing_to_read_and_what_looks_like_neither_is_opaque() -> None:
    padded = event("output_text.delta", **PLACE, delta="x", logprobs=[], obfuscation="aZ09")
    assert len(frames(FIRST + PART + padded, ends=False)[-1].deltas) == 1
    odd = event("output_text.delta", **PLACE, delta="x", logprobs=[], obfuscation="read me")
    assert Opaque(("obfuscation",), "read me") in frames(FIRST + PART + odd, ends=False)[-1].deltas


ERRORS: dict[str, dict[str, Any]] = {
    "as the reference has it": {"type": "error", "code": "c", "message": "m", "param": None, "sequence_number": 3},
    "as the API sends it": {"type": "error", "error": {"type": "t", "message": "m", "code": None, "param": None}},
    "without a type": {"error": {"message": "m"}},
}


@pytest.mark.parametrize("shape", ERRORS)
def test_an_error_goes_on_as_it_came(shape: str) -> None:
    data = b"data: " + json.dumps(ERRORS[shape]).encode() + b"\n\n"
    (frame,) = frames(data)
    assert frame.error
    assert frame.raw == data


@pytest.mark.parametrize("shape", ERRORS)
def test_of_an_error_only_its_words_go_on(shape: str) -> None:
    document = ERRORS[shape] | {"output": [call()]}
    (frame,) = frames(b"data: " + json.dumps(document).encode() + b"\n\n")
    assert documents(frame.raw) == [ERRORS[shape]]
    (again,) = frames(frame.raw)
    assert again.raw == frame.raw


def test_a_failed_response_is_an_error() -> None:
    (frame,) = frames(event("failed", response={"id": "r", "output": [], "error": {"message": "because"}}))
    assert frame.error
    assert TextDelta(("error.message", 0), "because", again=True) in frame.deltas


def test_a_stream_is_read_the_same_without_event_lines_and_with_other_ends() -> None:
    bare = b"".join(b"data: " + json.dumps(document).encode() + b"\n\n" for document in documents(wire()))
    plain = [frame.deltas for frame in frames(wire())]
    assert [frame.deltas for frame in frames(bare)] == plain
    assert [frame.deltas for frame in frames(wire().replace(b"\n", b"\r\n"))] == plain


def test_our_own_error_ends_a_stream() -> None:
    (frame,) = frames(ADAPTER.stream_error("c", "because"))
    assert frame.error
    assert ASK["input"] not in str(frame.raw)
    (document,) = documents(frame.raw)
    assert document["message"] == document["error"]["message"] == "because"
    TypeAdapter[Any](ResponseStreamEvent).validate_python(document)
