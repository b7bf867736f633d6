"""What a request is measured by: estimates are on the safe side, and a prompt is the same one in an agent's loop."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.guard.measure import MOST_CHOICES, TOKENS_OF_AN_IMAGE, UNSAID_OUTPUT, estimate, measure, prompt_of
from interlock.model.event import Channel, Event, Media, Opaque, Text, ToolCall, ToolDefinition
from interlock.protocols import Request, encode

SYSTEM = Text(("messages", 0, "content"), Channel.SYSTEM, "Be brief.")
USER = Text(("messages", 1, "content", 0, "text"), Channel.USER, "Pay it.")
IMAGE = Media(("messages", 1, "content", 1), Channel.USER, "image", "inline", "A" * 400_000)
CALL = ToolCall(("messages", 2, "tool_calls", 0), "c1", "read", "{}")
RESULT = Text(("messages", 3, "content"), Channel.TOOL_RESULT, "IBAN ...", "read", "c1")
TOOL = ToolDefinition(("tools", 0), "read", "Reads an invoice.", {})
TAG = Text(("user",), Channel.PARAMETER, "u-1")


def request(document: dict[str, Any], *events: Event, asks: frozenset[str] = frozenset()) -> Request:
    return Request(encode(document), document, "m", False, events, asks)


@pytest.mark.parametrize(
    ("document", "most"),
    [
        ({}, UNSAID_OUTPUT),
        ({"max_tokens": 100}, 100),
        ({"max_completion_tokens": 100}, 100),
        ({"max_output_tokens": 100}, 100),
        ({"generationConfig": {"maxOutputTokens": 100, "candidateCount": 2}}, 200),
        ({"generation_config": {"max_output_tokens": 100}}, 100),
        ({"generationConfig": {"max_output_tokens": "100", "candidate_count": 2.0}}, 200),
        ({"textGenerationConfig": {"maxTokenCount": 100}}, 100),
        ({"inferenceConfig": {"maxTokens": 100}}, 100),
        ({"options": {"num_predict": 100}}, 100),
        ({"max_tokens": 1, "max_completion_tokens": 100}, 100),
        ({"max_tokens": 100, "n": 3}, 300),
        ({"n": 3}, 3 * UNSAID_OUTPUT),
        ({"max_tokens": 10, "n": 10**9}, 10 * MOST_CHOICES),
        ({"max_tokens": 1e300}, 10**9),
        ({"max_tokens": "9" * 5_000}, UNSAID_OUTPUT),
        ({"max_tokens": 99.5}, 100),
        ({"max_tokens": -1}, UNSAID_OUTPUT),
        ({"max_tokens": True, "n": None}, UNSAID_OUTPUT),
        ({"max_tokens": "x", "options": 7, "generationConfig": []}, UNSAID_OUTPUT),
    ],
)
def test_the_most_that_may_come_back(document: dict[str, Any], most: int) -> None:
    assert measure(request(document), "w", "o").tokens_out == most


def test_a_number_that_no_model_reaches_is_cut() -> None:
    document = {"max_tokens": 10**5_000, "n": 10**5_000}
    assert measure(Request(b"{}", document, "m", False, ()), "w", "o").tokens_out == 10**9 * MOST_CHOICES


def test_embeddings_have_no_tokens_in_the_answer() -> None:
    assert measure(request({"input": "x"}, asks=frozenset({"embeddings"})), "w", "o").tokens_out == 0


def test_messages_are_counted_once_and_parameters_not_at_all() -> None:
    assert measure(request({}, TAG, TOOL, SYSTEM, USER, IMAGE, CALL, RESULT), "w", "o").request_messages == 4
    assert measure(request({}, Text(("input",), Channel.USER, "one")), "w", "o").request_messages == 1


def test_an_image_counts_as_one_whatever_its_bytes() -> None:
    document = {"image": IMAGE.data}
    rest = len(encode({"image": ""}))
    assert measure(request(document, IMAGE), "w", "o").request_tokens == estimate(rest) + TOKENS_OF_AN_IMAGE
    link = IMAGE._replace(source="url", data="https://images.example/a.png")
    assert measure(request({}, link), "w", "o").request_tokens == 1 + TOKENS_OF_AN_IMAGE
    file = IMAGE._replace(kind="file")
    assert measure(request(document, file), "w", "o").request_tokens == estimate(rest + len(IMAGE.data))


def test_what_no_limit_needs_is_not_measured() -> None:
    facts = measure(request({"a": 1}, USER), "w", "o", needs=())
    assert facts == ("w", "o", "m", 7, 0, 0, 0, b"")
    assert [facts.size(place) for place in range(3)] == [7, 0, 0]


def test_an_agent_goes_on_with_the_same_prompt() -> None:
    start = prompt_of((TOOL, SYSTEM, USER))
    assert prompt_of((TAG, TOOL, SYSTEM, USER, CALL, RESULT)) == start
    assert prompt_of((TOOL, SYSTEM, USER, CALL, RESULT._replace(text="other"))) == start


@pytest.mark.parametrize(
    "other",
    [
        (TOOL, SYSTEM._replace(text="Be long."), USER),
        (TOOL, SYSTEM, USER._replace(text="Pay all.")),
        (TOOL._replace(description="Answer what stands here."), SYSTEM, USER),
        (TOOL, SYSTEM, USER, IMAGE),
        (TOOL, SYSTEM, USER, Opaque(("x",), "more")),
        (TOOL, SYSTEM, USER, USER._replace(channel=Channel.RETRIEVED)),
        (TOOL._replace(schema={"description": "Answer what stands here."}), SYSTEM, USER),
        (TOOL, SYSTEM, USER, RESULT),
        (TOOL, SYSTEM, USER, RESULT._replace(channel=Channel.ASSISTANT, tool="", call_id="")),
        (TOOL, SYSTEM, USER, TAG._replace(path=("response_format", "json_schema", "description"))),
        (TOOL, SYSTEM, USER, TAG._replace(path=("messages", 1, "name"))),
    ],
)
def test_a_question_in_another_place_is_another_prompt(other: tuple[Event, ...]) -> None:
    assert prompt_of(other) != prompt_of((TOOL, SYSTEM, USER))


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_two_prompts_are_not_read_as_one(one: list[str], other: list[str]) -> None:
    first, second = (
        prompt_of(Text(("messages", place), Channel.USER, text) for place, text in enumerate(texts))
        for texts in (one, other)
    )
    assert (first == second) == (one == other)


def test_an_agent_whose_messages_have_names_goes_on_with_the_same_prompt() -> None:
    name = Text(("messages", 0, "name"), Channel.PARAMETER, "researcher")
    of_tool = Text(("messages", 3, "name"), Channel.PARAMETER, "read")
    answer = Text(("messages", 2, "content"), Channel.ASSISTANT, "I read it.")
    start = prompt_of((TOOL, SYSTEM, name, USER))
    again = name._replace(path=("messages", 2, "name"))
    assert prompt_of((TOOL, SYSTEM, name, USER, answer, again, CALL, RESULT, of_tool)) == start


@pytest.mark.parametrize("name", ["gpt-4o ", "gpt-4o\u200b", "\tgpt-4o", "gpt\u00ad-4o\u2060"])
def test_what_nobody_sees_in_a_models_name_makes_no_other_model(name: str) -> None:
    assert measure(request({})._replace(model=name), "w", "o").model == "gpt-4o"


def test_text_that_is_no_unicode_is_hashed_too() -> None:
    assert prompt_of((USER._replace(text="\ud800"),)) != prompt_of((USER,))
