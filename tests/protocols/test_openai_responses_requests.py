"""Requests of the responses protocol: everything that the official SDK sends, and what stays opaque."""

import json
from typing import Any

import pytest

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque, Text, ToolCall, ToolDefinition
from interlock.protocols.openai_responses import ADAPTER
from tests.protocols.responses import asked, call, message, read, request, said

INPUT = {"type": "input_text", "text": "hi"}
IMAGE = {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AA==", "file_id": None}
FILE = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}


def test_instructions_speak_for_the_system_and_a_text_for_the_user() -> None:
    assert asked("hi", instructions="be kind") == ["system:be kind", "user:hi"]


@pytest.mark.parametrize(("role", "channel"), [
    ("system", "system"), ("developer", "system"), ("user", "user"), ("assistant", "assistant"),
])  # fmt: skip
def test_who_speaks_is_the_role(role: str, channel: str) -> None:
    assert asked([{"role": role, "content": "x"}]) == [f"{channel}:x"]
    assert asked([message(INPUT, role=role)]) == [f"{channel}:hi"]


@pytest.mark.parametrize("role", ["tool", "critic", "", 5, None])
def test_an_unknown_role_is_refused(role: Any) -> None:
    with pytest.raises(ProtocolError, match="unknown role"):
        asked([message(INPUT) | {"role": role}])


def test_images_sounds_and_files() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}
    link = {"type": "input_file", "file_url": "https://a.example/b.pdf"}
    kept = {"type": "input_image", "detail": "low", "file_id": "file_1"}
    assert asked([message(INPUT, IMAGE, FILE, sound, link, kept)]) == [
        "user:hi", "image:inline", "file:inline", "user:a.pdf", "audio:inline", "file:url", "image:id",
    ]  # fmt: skip
    found = [event for event in read(request([message(IMAGE, FILE, sound)])).events if isinstance(event, Media)]
    assert [media.media_type for media in found] == ["image/png", "application/pdf", "audio/wav"]


def test_an_image_that_is_given_twice_is_two_images() -> None:
    assert asked([message(IMAGE | {"file_id": "file_1"})]) == ["image:inline", "image:id"]


def test_what_the_sdk_sends_back_of_an_answer() -> None:
    note = {"type": "url_citation", "title": "T", "url": "https://a.example", "start_index": 0, "end_index": 2}
    cited = {"type": "file_citation", "file_id": "file_1", "filename": "a.txt", "index": 2}
    part = said("ok", annotations=[note, cited])
    refusal = {"type": "refusal", "refusal": "no"}
    history = [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}], "status": None,
         "content": [{"type": "reasoning_text", "text": "r"}], "encrypted_content": "gAAAAB=="},
        message(part, refusal, role="assistant", id="msg_1", status="completed", phase="final_answer"),
        call("f", '{"a":1}', status="completed", caller={"type": "direct"}, namespace=None),
        {"type": "function_call_output", "call_id": "c1", "output": "done", "id": "fco_1", "status": "completed"},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "sh", "input": "ls"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [INPUT, IMAGE]},
    ]  # fmt: skip
    assert asked(history) == [
        "assistant:s", "assistant:r", "assistant:gAAAAB==", "assistant:ok", "assistant:T",
        "assistant:https://a.example", "assistant:a.txt", "assistant:no", 'call:f({"a":1})', "tool_result:done",
        "call:sh(ls)", "tool_result:hi", "image:inline",
    ]  # fmt: skip


def results(*history: Any) -> list[tuple[str, str]]:
    """(tool, call id) of each result."""
    events = read(request(list(history))).events
    return [(e.tool, e.call_id) for e in events if isinstance(e, Text | Media) and e.channel.value == "tool_result"]


def result(call_id: str = "c1", **more: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": "x", **more}


def test_a_result_belongs_to_the_tool_that_was_called() -> None:
    assert results(call("f"), call("g", call_id="c2"), result("c2"), result()) == [("g", "c2"), ("f", "c1")]
    assert results(call("f"), result(output=[INPUT, IMAGE])) == [("f", "c1"), ("f", "c1")]


def test_a_result_belongs_to_no_tool_if_that_is_not_certain() -> None:
    assert results(result()) == [("", "c1")]
    assert results(call("f"), call("g"), result()) == [("", "c1")]
    assert results(call("f"), result(), result()) == [("f", "c1"), ("", "c1")]


def test_a_result_may_name_its_tool_but_no_other() -> None:
    assert results(result(name="f")) == [("f", "c1")]
    assert results(call("f", namespace="n"), result(name="f", namespace="n")) == [("n.f", "c1")]
    with pytest.raises(ProtocolError, match="another tool"):
        results(call("f"), result(name="g"))


def test_tools() -> None:
    tools = [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True,
         "defer_loading": False, "allowed_callers": ["direct"], "output_schema": {"title": "o"}},
        {"type": "custom", "name": "c", "description": "d", "format": {"type": "grammar", "definition": "x"}},
        {"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "function", "name": "g"}]},
    ]  # fmt: skip
    assert asked(tools=tools) == [
        "user:hi", "tool:f", "parameter:title", "parameter:o", "tool:c", "tool_description:d", "tool:n.g",
    ]  # fmt: skip
    found = [event for event in read(request(tools=tools)).events if isinstance(event, ToolDefinition)]
    assert [event.path for event in found] == [("tools", 0), ("tools", 1), ("tools", 2, "tools", 0)]
    assert found[1].schema["definition"] == "x"


@pytest.mark.parametrize("kind", ["web_search", "file_search", "mcp", "code_interpreter", "local_shell", "x", "shell"])
def test_a_tool_that_the_server_runs_or_defines_is_opaque(kind: str) -> None:
    tool = {"type": kind, "server_url": "https://a.example"}
    assert asked(tools=[tool])[1:] == [f"opaque:tools[0].{kind}={json.dumps(tool, separators=(',', ':'))}"]


@pytest.mark.parametrize("item", [
    {"type": "item_reference", "id": "msg_1"}, {"id": "msg_1"}, {"type": "web_search_call", "id": "ws_1"},
    {"type": "mcp_call", "id": "m", "output": "x"}, {"type": "compaction", "encrypted_content": "x"}, {"type": 5},
    {"type": "computer_call_output", "call_id": "c", "output": {}}, {"type": "shell_call_output", "output": []},
])  # fmt: skip
def test_items_that_are_not_understood_are_opaque_as_a_whole(item: Any) -> None:
    (found,) = read(request([item])).events
    assert isinstance(found, Opaque)
    assert json.loads(found.text) == item


@pytest.mark.parametrize("given", [{"previous_response_id": "r"}, {"conversation": "r"}, {"conversation": {"id": "r"}}])
def test_what_the_server_remembers_is_opaque_and_taints(given: Any) -> None:
    (_, found) = read(request(**given)).events
    assert isinstance(found, Opaque)
    assert len(found.path) > 1, "below the top, what is not understood counts as untrusted text"
    assert "r" in found.text


def test_a_kept_prompt_is_opaque_and_what_is_put_into_it_is_untrusted() -> None:
    prompt = {"id": "pmpt_1", "version": "2", "variables": {"who": "Bob", "what": INPUT, "see": IMAGE}}
    assert asked(None, prompt=prompt) == [
        'opaque:prompt.id=["pmpt_1","2","who","what","see"]', "retrieved:Bob", "retrieved:hi", "image:inline",
    ]  # fmt: skip


def test_settings_are_parameters_and_what_nobody_knows_is_opaque() -> None:
    settings = {
        "metadata": {"a": "b"}, "store": False, "include": ["reasoning.encrypted_content"], "temperature": 0.5,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"title": "t"}}}, "background": False,
        "reasoning": {"effort": "high"}, "parallel_tool_calls": True, "max_output_tokens": 5, "conversation": None,
        "tool_choice": {"type": "function", "name": "f"}, "truncation": "auto", "user": "u", "service_tier": "flex",
        "stream_options": {"include_obfuscation": False}, "prompt_cache_key": "k", "safety_identifier": "s",
    }  # fmt: skip
    found = asked(**settings)
    assert {"parameter:b", "parameter:t", "parameter:high", "parameter:u"} <= set(found)
    assert not [line for line in found if line.startswith("opaque")]
    assert asked(background=True, x_new="y")[1:] == ["opaque:background=true", "opaque:x_new=y"]


@pytest.mark.parametrize("more", [{"top_logprobs": 3}, {"include": ["message.output_text.logprobs"]}])
def test_who_asks_for_logprobs_asks_for_something_beside_the_answer(more: Any) -> None:
    assert read(request(**more)).asks == {"logprobs"}
    assert read(request()).asks == frozenset()


@pytest.mark.parametrize("wrong", [
    {"model": ""}, {"model": None}, {"stream": "yes"}, {"input": 5}, {"input": ["x"]}, {"instructions": ["x"]},
    {"input": [call() | {"input": "ls"}]}, {"input": [call() | {"name": None}]}, {"input": [call() | {"call_id": 1}]},
    {"input": [{"role": "user", "content": [{"type": "input_text", "text": 5}]}]}, {"tools": "x"}, {"include": "x"},
    {"tools": [{"type": "function"}]}, {"tools": [{"type": "function", "name": "f", "parameters": ["x"]}]},
    {"input": [call() | {"arguments": {}}]}, {"input": [{"role": "user", "content": ["x"]}]},
])  # fmt: skip
def test_what_the_protocol_does_not_know_is_refused(wrong: Any) -> None:
    with pytest.raises(ProtocolError):
        read(request(**wrong) if "input" not in wrong else json.dumps({"model": "m", **wrong}).encode())


def test_edits_put_texts_and_arguments_in_their_places() -> None:
    given = read(request([message(INPUT), call("f", '{"a":1}'), result(), {**result(), "output": [INPUT]}], user="u"))
    changed = {event.path: "new" for event in given.events if isinstance(event, Text) and event.text != "user"}
    changed |= {event.path: '{"a":2}' for event in given.events if isinstance(event, ToolCall)}
    again = json.loads(ADAPTER.edit_request(given, changed))
    assert [item["content"][0]["text"] for item in again["input"][:1]] == ["new"]
    assert again["input"][1]["arguments"] == '{"a":2}'
    assert [again["input"][2]["output"], again["input"][3]["output"][0]["text"], again["user"]] == ["new"] * 3


def test_an_edited_text_that_is_sent_back_loses_its_tokens() -> None:
    part = said("key", logprobs=[{"token": "key", "logprob": 0, "bytes": [107], "top_logprobs": []}])
    given = read(request([message(part, role="assistant")], metadata={"logprobs": "mine", "echo": "e"}))
    edits = {event.path: "new" for event in given.events if isinstance(event, Text)}
    again = json.loads(ADAPTER.edit_request(given, edits))
    assert again["input"][0]["content"][0] == said("new")
    assert again["metadata"] == {"logprobs": "new", "echo": "new"}
