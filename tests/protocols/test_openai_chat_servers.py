"""The chat protocol as other servers than OpenAI's speak it, and spoken answers: what of it is seen as text."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from interlock.model.event import Media, Text
from interlock.protocols import AnswerEdit, Finish, FrameEdit, TextDelta
from interlock.protocols.openai_chat import ADAPTER
from tests.protocols.wire import DONE, answer, answered, asked, call, choice, chunk, frames, request, requested

SAFE = {"filtered": False, "severity": "safe"}
FILTERED = {
    "hate": SAFE, "self_harm": SAFE, "jailbreak": {"filtered": False, "detected": False},
    "custom_blocklists": {"filtered": True, "details": [{"filtered": True, "id": "list-1"}]},
}  # fmt: skip
OFFSETS = {"check_offset": 35, "start_offset": 35, "end_offset": 36}
PROMPT = [{"prompt_index": 0, "content_filter_results": FILTERED}]
THOUGHT = [
    {"type": "reasoning.text", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.encrypted", "data": "ZGF0YQ==", "id": "rs_1", "format": "openai-responses-v1", "index": 1},
    {"type": "reasoning.summary", "summary": "in short", "index": 2},
]
SPOKEN = {"id": "audio_1", "data": "AAAA", "expires_at": 5, "transcript": "hello"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}, "index": 0}


# Azure


def test_what_azures_filters_say_is_no_text() -> None:
    data = answer(choice("ok") | {"content_filter_results": FILTERED}, prompt_filter_results=PROMPT)
    assert answered(data) == ["output:ok"]


@pytest.mark.parametrize("results", [
    {"hate": SAFE | {"severity": "safe, says the model"}},
    {"hate": SAFE | {"note": "boo"}},
    {"hate": "boo"},
    {"boo": SAFE},
    {"custom_blocklists": {"filtered": True, "details": [{"id": "boo hoo"}]}},
    {"protected_material_code": {"detected": True, "citation": {"URL": "https://a.example", "license": "MIT"}}},
    "boo",
])  # fmt: skip
def test_anything_else_in_their_place_is_opaque(results: Any) -> None:
    seen = answered(answer(choice("ok") | {"content_filter_results": results}))
    assert seen[1].startswith("opaque:choices[0].content_filter_results=")
    first = {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": results}]}
    assert answered(answer(choice("ok"), **first))[0].startswith("opaque:prompt_filter_results=")


def test_azures_stream() -> None:
    envelope = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
    first = b"data: " + json.dumps(envelope | {"prompt_filter_results": PROMPT}).encode() + b"\n\n"
    checked: Any = {"content_filter_results": FILTERED, "content_filter_offsets": OFFSETS}
    late = {"index": 0, "finish_reason": None, "content_filter_raw": [], **checked}
    after = b"data: " + json.dumps(envelope | {"choices": [late]}).encode() + b"\n\n"
    data = first + chunk({"content": "ok"}, content_filter_results={}) + chunk({}, "stop", **checked) + after + DONE
    deltas = [delta for frame in frames(data) for delta in frame.deltas]
    assert deltas == [TextDelta(("content", 0), "ok"), Finish(0)]


# Requests


def test_settings_of_other_servers_are_known_and_their_texts_seen() -> None:
    said = asked(
        request(
            top_k=1, min_p=0.1, repetition_penalty=1.1, chat_template_kwargs={"enable_thinking": False},
            guided_json={"title": "words"}, reasoning={"effort": "high"}, usage={"include": True},
            documents=[{"title": "D", "text": "facts"}], chat_template="{{ messages }}",
        )
    )  # fmt: skip
    assert not [text for text in said if text.startswith("opaque")]
    assert {"parameter:words", "retrieved:facts", "system:{{ messages }}"} <= set(said)


@pytest.mark.parametrize("field", [
    {"models": ["another"]}, {"provider": {"order": ["x"]}}, {"plugins": [{"id": "web"}]}, {"enable_search": True},
    {"search_parameters": {"mode": "on"}}, {"data_sources": [{"type": "azure_search"}]}, {"return_token_ids": True},
    {"kv_transfer_params": {"host": "x"}},
])  # fmt: skip
def test_what_leads_elsewhere_is_opaque(field: dict[str, Any]) -> None:
    assert asked(request(**field))[1].startswith("opaque:")


def test_tools_may_be_chosen_in_every_way() -> None:
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "read"}}]}
    said = asked(request(tool_choice={"type": "allowed_tools", "allowed_tools": allowed}))
    assert "parameter:read" in said
    assert not [text for text in said if text.startswith("opaque")]


def test_thoughts_pictures_and_sounds_come_back_as_they_were() -> None:
    signed = {"google": {"thought_signature": "c2ln"}}
    message = {
        "role": "assistant", "content": "ok", "reasoning": "hm", "reasoning_details": THOUGHT, "images": [PICTURE],
        "tool_calls": [call("read", extra_content=signed)], "prefix": True,
    }  # fmt: skip
    said = asked(request([message, {"role": "assistant", "audio": {"id": "audio_1"}}, message | {"audio": SPOKEN}]))
    one = ["assistant:ok", "assistant:hm", "assistant:hm", "assistant:in short", "image:inline", "call:read({})"]
    assert said == [*one, "audio:id", *one, "assistant:hello", "audio:inline"]


def test_marks_for_a_cache_say_nothing() -> None:
    marks = {"cache_control": {"type": "ephemeral", "ttl": "1h"}, "prompt_cache_breakpoint": {"mode": "explicit"}}
    parts = [{"type": "text", "text": "a", **marks}, {"type": "video_url", "video_url": {"url": "https://v"}, **marks}]
    assert asked(request([{"role": "user", "content": parts}])) == ["user:a", "video:url"]


@pytest.mark.parametrize("detail", [
    {"type": "reasoning.text", "signature": "two words"}, {"data": "two words"}, {"note": "two"}, {"index": "1"},
])  # fmt: skip
def test_what_a_thought_does_not_have_is_opaque(detail: Any) -> None:
    said = asked(request([{"role": "assistant", "content": "a", "reasoning_details": [detail]}]))
    assert said[1].startswith("opaque:messages[0].reasoning_details[0].")


# Answers


def test_what_else_servers_say_of_an_answer() -> None:
    more = {
        "provider": "OpenAI", "timings": {"prompt_n": 1, "predicted_ms": 2.5}, "x_groq": {"id": "req_1"},
        "moderation": {"input": {"type": "moderation_results", "results": [{"categories": {"self-harm": False}}]}},
    }  # fmt: skip
    data = answer(choice("ok") | {"native_finish_reason": "stop", "stop_reason": 5}, **more)
    assert answered(data) == ["output:ok"]
    assert answered(answer(choice("ok"), moderation={"input": {"message": "some words"}}))[0].startswith("opaque:")


def test_a_spoken_answer() -> None:
    data = answer(choice(None, audio=SPOKEN))
    events = ADAPTER.answer(data).events
    assert [type(event) for event in events] == [Text, Media]
    out = json.loads(ADAPTER.edit_answer(ADAPTER.answer(data), AnswerEdit({events[0].path: "[removed]"})))
    spoken = ChatCompletion.model_validate(out).choices[0].message.audio
    assert spoken
    assert (spoken.transcript, spoken.data) == ("[removed]", "")


def edited(delta: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    (frame,) = frames(chunk(delta))
    names = {name for one in frame.deltas if isinstance(one, TextDelta) for name in one.stream[:1]}
    assert texts.keys() <= names
    out = ADAPTER.edit_frame(frame, FrameEdit({(name, 0): text for name, text in texts.items()}))
    document = json.loads(out.removeprefix(b"data: "))
    ChatCompletionChunk.model_validate(document)
    made: dict[str, Any] = document["choices"][0]["delta"]
    return made


def test_a_spoken_answer_streamed() -> None:
    (frame,) = frames(chunk({"audio": {"id": "audio_1", "transcript": "hel", "data": "AAAA"}}))
    assert frame.deltas[0] == TextDelta(("audio.transcript", 0), "hel")
    assert isinstance(frame.deltas[1], Media)
    out = edited({"audio": {"transcript": "hel", "data": "AAAA"}}, {"audio.transcript": "new"})
    assert out["audio"] == {"transcript": "new"}


def test_thoughts_that_are_streamed_go_on_by_their_index() -> None:
    (frame,) = frames(chunk({"reasoning_details": [THOUGHT[2], THOUGHT[0]]}))
    assert frame.deltas == (
        TextDelta(("reasoning_details.2.summary", 0), "in short"), TextDelta(("reasoning_details.0.text", 0), "hm"),
    )  # fmt: skip
    out = edited({"reasoning_details": [THOUGHT[2], THOUGHT[0]]}, {"reasoning_details.0.text": "new"})
    assert [detail.get("text", detail.get("summary")) for detail in out["reasoning_details"]] == ["in short", "new"]
    twice = [{"text": "a", "index": 0}, {"text": "b", "index": 0}]
    out = edited({"reasoning_details": twice}, {"reasoning_details.0.text": "new"})
    assert [detail["text"] for detail in out["reasoning_details"]] == ["new", ""]


def test_a_picture_that_is_streamed() -> None:
    (frame,) = frames(chunk({"images": [PICTURE]}))
    assert [type(delta) for delta in frame.deltas] == [Media]


def test_a_request_is_not_changed_by_what_is_understood() -> None:
    data = request([{"role": "assistant", "reasoning_details": THOUGHT}])
    assert requested(data).raw == data
