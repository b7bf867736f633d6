"""Whole answers of the responses protocol: what is seen in them, and what is left after an edit."""

import json
from typing import Any

import pytest
from openai.types.responses import Response

from interlock.model.errors import ProtocolError
from interlock.model.event import Opaque, Text, ToolCall
from interlock.protocols import AnswerEdit, Usage
from interlock.protocols.openai_responses import ADAPTER
from interlock.testing.model import Say
from tests.protocols.responses import TWO, answer, answer_of, answered, call, message, said, short

TOLD = "[interlock] Not permitted: pay."
TOKENS = [{"token": "ke", "logprob": -1, "bytes": [107], "top_logprobs": [{"token": "do"}]}, {"token": "y"}]
KIND = message(said(), role="assistant", id="msg_1", status="completed")


def test_texts_reasoning_citations_and_calls() -> None:
    notes = [{"type": "url_citation", "title": "T", "url": "u", "start_index": 0, "end_index": 1}]
    notes += [{"type": "container_file_citation", "filename": "f", "file_id": "i", "container_id": "c"}]
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}]}
    custom = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "sh", "input": "ls"}
    parts = (said("ok", annotations=notes), {"type": "refusal", "refusal": "no"})
    assert answered(thought, message(*parts, role="assistant"), call(), custom)[:-1] == [
        "output:s", "output:ok", "output:T", "output:u", "output:f", "output:no", "call:pay({})", "call:sh(ls)",
    ]  # fmt: skip


def test_the_tokens_count() -> None:
    read = ADAPTER.answer(answer())
    assert read.usage == Usage(40, 12)
    assert read.model == "m"
    assert ADAPTER.answer(answer(usage=None)).usage == Usage()
    assert ADAPTER.answer(answer(usage={"input_tokens": -1, "output_tokens": True})).usage == Usage()


def test_what_is_said_again_of_the_request_is_one_text_and_mere_settings_are_none() -> None:
    assert answered() == ["parameter:be kind"]
    assert answered(instructions=None) == []
    tools = [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}]
    (_, echo) = answered(tools=tools, metadata={"k": "v"})
    assert echo == f"parameter:k\nv\n{json.dumps(tools, separators=(',', ':'))}"
    assert answered(instructions=[{"role": "user", "content": "hi"}]) == ["parameter:role\nuser\ncontent\nhi"]


def test_a_secret_in_what_is_said_again_takes_all_of_it_out() -> None:
    read = ADAPTER.answer(answer(KIND, metadata={"k": "v"}, tools=[{"type": "x"}], reasoning={"effort": "high"}))
    echo = read.events[-1]
    assert isinstance(echo, Text)
    left = json.loads(ADAPTER.edit_answer(read, AnswerEdit(texts={echo.path: "[removed]"})))
    assert (left["instructions"], left["metadata"], left["tools"], left["tool_choice"]) == ("be kind", {}, [], "auto")
    assert left["output"] == [KIND]
    assert short(ADAPTER.answer(json.dumps(left).encode()).events) == ["output:ok", "parameter:be kind"]
    assert Response.model_validate(left).output_text == "ok"


def test_an_error_and_why_an_answer_is_not_complete() -> None:
    failed = {"code": "server_error", "message": "because", "misalignment": {"steer": {"message": "deep"}}}
    assert answered(instructions=None, error=failed, status="failed") == [
        "output:server_error", "output:because", "output:deep",
    ]  # fmt: skip
    assert answered(instructions=None, incomplete_details={"reason": "content_filter"}) == []
    assert answered(instructions=None, incomplete_details={"reason": "x"}) == ["output:x"]


@pytest.mark.parametrize("item", [
    {"type": "web_search_call", "id": "w", "action": {"query": "q"}}, {"type": "mcp_call", "output": "x"},
    {"type": "function_call_output", "output": "x"}, {"type": "image_generation_call", "result": "AA=="},
])  # fmt: skip
def test_what_the_server_ran_is_opaque(item: Any) -> None:
    (found, *_) = ADAPTER.answer(answer(item)).events
    assert isinstance(found, Opaque)
    assert found.path == ("output", 0, item["type"])
    assert json.loads(found.text) == item


@pytest.mark.parametrize("item", [
    {"type": "local_shell_call", "action": {"command": ["rm"]}}, {"type": "shell_call"}, {"type": "apply_patch_call"},
    {"type": "computer_call"}, {"type": None}, {"name": "pay", "arguments": "{}"}, "x", message(role="user"),
    call() | {"input": "ls"}, call() | {"name": 5}, call() | {"call_id": None}, call() | {"arguments": {}},
    message("x", role="assistant"), message({"type": "output_text"}, role="assistant"),
])  # fmt: skip
def test_what_nobody_could_judge_is_refused(item: Any) -> None:
    with pytest.raises(ProtocolError):
        ADAPTER.answer(answer(item))


@pytest.mark.parametrize("data", [b"{}", b'{"output":{}}', b'{"output":[],"output":[]}', b'{"output":[],"model":5}'])
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        ADAPTER.answer(data)


def test_a_field_that_nobody_knows_is_opaque_and_ids_states_and_numbers_are_not() -> None:
    assert answered(instructions=None, x_new="y") == ["opaque:x_new=y"]
    assert answered(instructions=None, id="resp 1", status="odd")[0] == "opaque:id=resp 1"
    assert answered(KIND | {"status": "odd"}, instructions=None)[1:] == ["opaque:output[0].status=odd"]
    assert answered(call(namespace="n"), instructions=None) == ["call:n.pay({})"]


def test_a_refused_call_becomes_a_message_in_its_place() -> None:
    read = answer_of(TWO)
    refused = next(event.path for event in read.events if isinstance(event, ToolCall) and event.name == "pay")
    out = ADAPTER.edit_answer(read, AnswerEdit(refused={refused: TOLD}, notice="all"))
    assert short(ADAPTER.answer(out).events) == [
        "output:hello you",
        f"output:{TOLD}",
        "call:read({})",
        "parameter:be kind",
    ]
    answered = Response.model_validate_json(out)
    assert [item.type for item in answered.output] == ["message", "message", "function_call"]
    assert answered.output_text == "hello you" + TOLD
    assert json.loads(out)["output"][1]["id"] == "msg_fc_1_0"


@pytest.mark.parametrize(("given", "expect"), [("fc_a_b", "msg_fc_a_b"), ("", "msg_0"), (None, "msg_0")])
def test_the_id_of_that_message_is_one_of_a_message(given: str | None, expect: str) -> None:
    read = ADAPTER.answer(answer(call(id=given)))
    out = ADAPTER.edit_answer(read, AnswerEdit(refused={("output", 0): TOLD}))
    assert json.loads(out)["output"][0]["id"] == expect


def test_texts_and_arguments_are_replaced() -> None:
    read = answer_of(TWO)
    texts = {event.path: "new" for event in read.events if isinstance(event, Text)}
    arguments = {event.path: '{"b":2}' for event in read.events if isinstance(event, ToolCall)}
    out = ADAPTER.edit_answer(read, AnswerEdit(texts=texts, arguments=arguments))
    assert short(ADAPTER.answer(out).events) == [
        "output:new", 'call:pay({"b":2})', 'call:read({"b":2})', "parameter:new",
    ]  # fmt: skip


def test_a_replaced_text_loses_its_tokens_and_replaced_tokens_go() -> None:
    read = ADAPTER.answer(answer(message(said("key", logprobs=TOKENS), role="assistant")))
    assert short(read.events)[:3] == ["output:key", "output:key", "output:do\n"]
    for path in (event.path for event in read.events[:3]):
        out = json.loads(ADAPTER.edit_answer(read, AnswerEdit(texts={path: "new"})))
        assert out["output"][0]["content"][0]["logprobs"] == []
        assert out["output"][0]["content"][0]["text"] == ("new" if path[-1] == "text" else "key")


def test_tokens_are_stripped_where_they_are_not_in_scope() -> None:
    read = ADAPTER.answer(answer(message(said("key", logprobs=TOKENS), role="assistant"), call()))
    out = ADAPTER.edit_answer(read, AnswerEdit(stripped=frozenset({"logprobs"})))
    assert json.loads(out)["output"] == [message(said("key"), role="assistant"), call()]


def test_an_answer_in_the_sdks_eyes_is_the_same_as_before() -> None:
    data = answer_of(Say("hello")).raw
    assert ADAPTER.answer(data).raw is data
    assert Response.model_validate_json(ADAPTER.edit_answer(ADAPTER.answer(data), AnswerEdit())).output_text == "hello"
