"""Whole answers of Anthropic messages, and errors: understood, and read by the official SDK when they were edited."""

import json
from typing import Any

import anthropic
import pytest

from interlock.model.errors import ProtocolError
from interlock.model.event import Path, ToolCall
from interlock.protocols import AnswerEdit, Usage
from interlock.protocols.anthropic_messages import ADAPTER
from tests.protocols.anthropic_wire import CITATION, PAY, READ, answer, answered, client, received, text

TOLD = "(interlock) Not permitted: pay."


def edited(data: bytes, edit: AnswerEdit) -> anthropic.types.beta.BetaMessage:
    """The edited answer as the official SDK reads it, after our reader has found no refused call in it."""
    out = ADAPTER.edit_answer(ADAPTER.answer(data), edit)
    again = [event.path for event in ADAPTER.answer(out).events if isinstance(event, ToolCall)]
    assert not set(again) & set(edit.refused)
    return received(out)


def test_everything_an_answer_can_say_is_an_event() -> None:
    data = answer(
        {"type": "thinking", "thinking": "hm", "signature": "RXE="},
        {"type": "redacted_thinking", "data": "RXE="},
        text("ok", citations=[CITATION]),
        PAY,
        {"type": "compaction", "content": "a summary", "encrypted_content": None},
        stop="stop_sequence", stop_sequence="END",
        stop_details={"type": "refusal", "category": "cyber", "explanation": "because"},
    )  # fmt: skip
    assert answered(data) == [
        "output:hm", "output:ok", "output:quoted", "output:A title", "output:https://example.org/a",
        'call:pay({"to":"x"})', "output:a summary", "output:END", "output:because",
    ]  # fmt: skip


def test_tokens_of_the_cache_are_input_too() -> None:
    usage = {
        "input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 4,
        "service_tier": "standard", "cache_creation": {"ephemeral_1h_input_tokens": 10}, "inference_geo": None,
    }  # fmt: skip
    read = ADAPTER.answer(answer(text("ok"), usage=usage))
    assert (read.usage, read.model) == (Usage(113, 4), "m")
    assert [event for event in read.events if event.path[0] == "usage"] == []
    assert ADAPTER.answer(answer(usage={"input_tokens": True, "output_tokens": -1})).usage == Usage(0, 0)


def test_a_count_of_tokens_is_no_use_of_them() -> None:
    read = ADAPTER.answer(b'{"input_tokens":7,"context_management":{"original_input_tokens":9}}')
    assert (read.events, read.usage) == ((), Usage())
    assert answered(b'{"input_tokens":7,"note":"boo"}') == ["opaque:note=boo"]


@pytest.mark.parametrize(
    "broken",
    [
        b"{}",
        b'{"type":"error","error":{"type":"api_error","message":"x"}}',
        answer(role="user"),
        answer(role=None),
        answer(type="completion"),
        answer(content={"type": "text"}),
        answer(content=None),
        answer(PAY | {"input": "{}"}),
        answer(PAY | {"id": 1}),
        answer(PAY | {"name": None}),
        answer({"type": "text"}),
        answer(*[text("x")] * 1_025),
        answer(model=7),
    ],
)
def test_an_answer_that_is_none_is_refused(broken: bytes) -> None:
    with pytest.raises(ProtocolError):
        ADAPTER.answer(broken)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (answer(stop="boo"), "stop_reason"),
        (answer(usage={"note": "boo"}), "usage.note"),
        (answer(usage={"type": "say boo"}), "usage.type"),
        (answer(id="say boo"), "id"),
        (answer(container={"id": "boo"}), "container"),
        (answer(mood="boo"), "mood"),
        (answer(stop_details={"type": "refusal", "note": "boo"}), "stop_details.note"),
        (answer(stop_details="boo"), "stop_details"),
        (answer({"type": "server_tool_use", "input": {"query": "boo"}}), "content[0].server_tool_use"),
        (answer({"type": "web_search_tool_result", "content": "boo"}), "content[0].web_search_tool_result"),
        (answer({"type": "image", "source": "boo"}), "content[0].image"),
        (answer(text("x", citations=[CITATION | {"note": "boo"}])), "content[0].citations[0].note"),
        (answer(PAY | {"note": "boo"}), "content[0].note"),
    ],
)
def test_text_in_an_unexpected_place_of_an_answer_is_opaque(given: bytes, place: str) -> None:
    assert [line for line in answered(given) if line.startswith(f"opaque:{place}=") and "boo" in line]


def test_a_refused_call_becomes_a_text_in_its_place() -> None:
    data = answer(text("said"), PAY, READ)
    out = edited(data, AnswerEdit(refused={("content", 1): TOLD}))
    assert [block.type for block in out.content] == ["text", "text", "tool_use"]
    assert out.content[1].to_dict() == {"type": "text", "text": TOLD}
    assert out.content[2].to_dict() == READ
    assert out.stop_reason == "tool_use"


def test_without_calls_the_turn_ends() -> None:
    out = edited(answer(PAY), AnswerEdit(refused={("content", 0): TOLD}))
    assert (out.stop_reason, [block.type for block in out.content]) == ("end_turn", ["text"])
    cut = edited(answer(PAY, stop="max_tokens"), AnswerEdit(refused={("content", 0): TOLD}))
    assert cut.stop_reason == "max_tokens"


@pytest.mark.parametrize(
    "path",
    [
        ("content", 0, "text"),
        ("content", 0, "citations", 0, "cited_text"),
        ("content", 1, "thinking"),
        ("content", 2, "content"),
        ("stop_sequence",),
        ("stop_details", "explanation"),
    ],
)
def test_every_text_can_be_replaced(path: Path) -> None:
    data = answer(
        text("old", citations=[CITATION | {"cited_text": "old"}]),
        {"type": "thinking", "thinking": "old", "signature": "RXE="},
        {"type": "compaction", "content": "old", "encrypted_content": None},
        stop="refusal", stop_sequence="old", stop_details={"type": "refusal", "explanation": "old", "category": None},
    )  # fmt: skip
    assert data.count(b"old") == 6
    found: Any = edited(data, AnswerEdit(texts={path: "new"})).to_dict()
    assert json.dumps(found).count("old") == 5
    for part in path:
        found = found[part]
    assert found == "new"


def test_arguments_can_be_replaced() -> None:
    out = edited(answer(READ, PAY), AnswerEdit(arguments={("content", 1): '{"to":["y"]}'}))
    assert [block.to_dict()["input"] for block in out.content] == [{}, {"to": ["y"]}]


ERRORS = [
    (400, anthropic.BadRequestError, "invalid_request_error"),
    (401, anthropic.AuthenticationError, "authentication_error"),
    (403, anthropic.PermissionDeniedError, "permission_error"),
    (404, anthropic.NotFoundError, "not_found_error"),
    (413, anthropic.APIStatusError, "request_too_large"),
    (422, anthropic.UnprocessableEntityError, "invalid_request_error"),
    (429, anthropic.RateLimitError, "rate_limit_error"),
    (500, anthropic.InternalServerError, "api_error"),
    (502, anthropic.InternalServerError, "api_error"),
    (504, anthropic.InternalServerError, "timeout_error"),
    (529, anthropic.InternalServerError, "overloaded_error"),
]


@pytest.mark.parametrize(("status", "kind", "name"), ERRORS)
def test_an_error_is_the_one_that_the_sdk_knows(status: int, kind: type[anthropic.APIStatusError], name: str) -> None:
    with (
        client(ADAPTER.error(status, "not_permitted", "told in words"), status) as made,
        pytest.raises(kind, match="told in words") as raised,
    ):
        made.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    assert raised.value.status_code == status
    assert raised.value.body == {
        "type": "error",
        "error": {"type": name, "message": "told in words", "details": {"error_code": "not_permitted"}},
    }


def test_a_count_of_tokens_is_what_the_sdk_reads() -> None:
    with client(b'{"input_tokens":7}') as made:
        counted = made.messages.count_tokens(model="m", messages=[{"role": "user", "content": "hi"}])
    assert counted.input_tokens == 7
