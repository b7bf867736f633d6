"""Ollama's requests: what they say, who says it, and what is refused."""

import json
from typing import Any

import pytest
from ollama._types import ChatRequest, GenerateRequest, Image, Options

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Text, ToolCall
from interlock.protocols.ollama import ADAPTER
from tests.protocols.ollama_wire import GENERATE, asked, body, call, request

RESULT: Any = {"role": "tool", "content": "r"}


def result_of(*messages: Any) -> str:
    """The tool that the last message is a result of."""
    (found,) = [event for event in request(body(*messages)).events if isinstance(event, Text) and event.text == "r"]
    return found.tool


def test_a_result_is_of_the_tool_that_it_names() -> None:
    assert result_of(RESULT | {"tool_name": "read"}) == "read"


def test_a_result_is_of_the_tool_that_its_call_named() -> None:
    history = {"role": "assistant", "tool_calls": [call("a") | {"id": "1"}, call("b") | {"id": "2"}]}
    assert result_of(history, RESULT | {"tool_call_id": "2"}) == "b"
    assert result_of(history, RESULT | {"tool_call_id": "2", "tool_name": "b"}) == "b"


@pytest.mark.parametrize("result", [
    {},
    {"tool_call_id": "9"},
    {"tool_call_id": "1", "tool_name": "b"},
    {"tool_call_id": "3"},
])  # fmt: skip
def test_a_result_whose_tool_is_not_certain_is_of_none(result: Any) -> None:
    calls = [call("a") | {"id": "1"}, call("a") | {"id": "3"}, call("b") | {"id": "3"}]
    assert result_of({"role": "assistant", "tool_calls": calls}, RESULT | result) == ""


def test_an_id_that_is_used_again_before_its_result_came_stands_for_no_tool() -> None:
    twice = [{"role": "assistant", "tool_calls": [call(name) | {"id": "1"}]} for name in ("a", "b")]
    assert result_of(*twice, RESULT | {"tool_call_id": "1"}) == ""


def test_pictures_of_each_role() -> None:
    shown = {"role": "tool", "tool_name": "camera", "content": "", "images": ["AA=="]}
    (media,) = [event for event in request(body(shown)).events if isinstance(event, Media)]
    assert media[1:4] == (media.channel, "image", "inline")
    assert (media.tool, media.data) == ("camera", "AA==")


def test_what_the_sdk_says_is_understood() -> None:
    options = Options(num_ctx=1, temperature=0.5, stop=["END"], low_vram=True, mirostat_tau=1.0)
    more: Any = {"think": "high", "keep_alive": 300, "logprobs": True, "top_logprobs": 2, "options": options}
    tools: Any = [{"function": {"name": "t", "parameters": {"$defs": {}, "properties": {"a": {"type": ["string"]}}}}}]
    history: Any = {"role": "assistant", "content": "c", "thinking": "t", "tool_calls": [call("t", {"a": 1})]}
    for said, path in [
        (ChatRequest(model="m", stream=True, tools=tools, messages=[history], format="json", **more), "/api/chat"),
        (GenerateRequest(model="m", prompt="p", suffix="x", system="s", template="t", raw=False, **more), GENERATE),
        (GenerateRequest(model="m", prompt="p", width=1, height=1, steps=1, images=[Image(value=b"x")]), GENERATE),
    ]:  # fmt: skip
        data = json.dumps(said.model_dump(exclude_none=True)).encode()
        assert not [text for text in asked(data, path) if text.startswith("opaque")]


def test_texts_of_settings_are_seen() -> None:
    said = asked(body(options={"stop": ["END"]}, format={"title": "words"}, keep_alive="5m"))
    assert {"parameter:END", "parameter:words", "parameter:5m"} <= set(said)


def test_a_raw_prompt_is_nobodys() -> None:
    data = json.dumps({"model": "m", "prompt": "p", "raw": True}).encode()
    assert asked(data, GENERATE) == ["retrieved:p"]


@pytest.mark.parametrize(("stream", "path", "expected"), [
    (None, "/api/chat", True),
    (True, "/api/generate", True),
    (False, "/api/chat", False),
    (None, "/api/embed", False),
])  # fmt: skip
def test_a_stream_is_what_is_asked_for_unless_it_is_said(stream: bool | None, path: str, expected: bool) -> None:
    more = {} if stream is None else {"stream": stream}
    assert request(json.dumps({"model": "m", "input": "a", **more}).encode(), path).stream is expected


def test_what_is_asked_for_beside_an_answer() -> None:
    assert request(body(logprobs=True)).asks == {"logprobs"}
    assert request(body(top_logprobs=1)).asks == {"logprobs"}
    assert request(body()).asks == frozenset()
    assert request(b'{"model":"m","prompt":"a"}', "/api/embeddings").asks == {"embeddings"}


def test_a_model_can_be_loaded_without_a_message() -> None:
    assert asked(b'{"model":"m","messages":[],"tools":[],"keep_alive":0}') == []


@pytest.mark.parametrize(("path", "document", "opaque"), [
    ("/api/chat", {"messages": [], "_debug_render_only": True}, "opaque:_debug_render_only=true"),
    ("/api/chat", {"messages": [{"role": "user", "content": ["a"]}]}, 'opaque:messages[0].content=["a"]'),
    ("/api/chat", {"messages": [{"role": "user", "tool_calls": [call("a")]}]}, "opaque:messages[0].tool_calls="),
    ("/api/chat", {"messages": [{"role": "user", "tool_name": "a"}]}, "opaque:messages[0].tool_name=a"),
    ("/api/chat", {"tools": [{"type": "web_search", "function": {"name": "a"}}]}, "opaque:tools[0].type=web_search"),
    ("/api/generate", {"context": [1, 2]}, "opaque:context=[1,2]"),
    ("/api/generate", {"prompt": ["a"]}, 'opaque:prompt=["a"]'),
    ("/api/embed", {"input": [[1]]}, "opaque:input[0]=[1]"),
    ("/api/embed", {"prompt": "a"}, "opaque:prompt=a"),
])  # fmt: skip
def test_what_is_not_understood_is_opaque(path: str, document: Any, opaque: str) -> None:
    said = asked(json.dumps({"model": "m", **document}).encode(), path)
    assert [text for text in said if text.startswith(opaque)], said


@pytest.mark.parametrize("document", [
    {"messages": []},
    {"model": "", "messages": []},
    {"model": "m", "messages": {}},
    {"model": "m", "messages": ["hi"]},
    {"model": "m", "messages": [{"role": "User", "content": "hi"}]},
    {"model": "m", "stream": "yes"},
    {"model": "m", "Messages": [{"role": "user", "content": "hi"}]},
    {"model": "m", "me\u017f\u017fages": []},
    {"model": "m", "messages": [{"role": "assistant", "tool_calls": [call("a", "{}")]}]},
    {"model": "m", "messages": [{"role": "assistant", "tool_calls": [call("a", Arguments={})]}]},
    {"model": "m", "tools": [{"function": {}}]},
])  # fmt: skip
def test_what_the_protocol_does_not_allow_is_refused(document: Any) -> None:
    with pytest.raises(ProtocolError):
        request(json.dumps(document).encode())


def test_texts_and_arguments_are_replaced_where_they_stand() -> None:
    data = body({"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [call("t", {"to": "a"})]})
    read = request(data)
    paths = {event.path: event for event in read.events}
    changed = {path: '{"to":"b"}' if isinstance(event, ToolCall) else "b" for path, event in paths.items()}
    assert asked(ADAPTER.edit_request(read, changed)) == ["user:b", 'call:t({"to":"b"})']
