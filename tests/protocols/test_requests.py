"""What the official SDK can ask is understood; what nobody understands is seen or refused."""

import json
import typing
from typing import Any

import pytest
from openai.types import chat
from openai.types.chat import completion_create_params

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque, Text, ToolCall, ToolDefinition
from interlock.protocols.openai_chat.fields import PARAMETERS
from tests.protocols.wire import asked, call, request, requested

REFUSED = [
    (b'{"model":"m","model":"n","messages":[{"role":"user","content":"x"}]}', "'model' stands twice"),
    (b'{"model":"m","messages":[{"role":"user","content":"x","\\u0063ontent":"y"}]}', "'content' stands twice"),
    (b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}', "not valid JSON"),
    (b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}', "not valid JSON"),
    (b'{"model":"m","messages":[{"role":"user","content":"\xed\xa0\x80"}]}', "not valid JSON"),
    (b'{"model":"m","messages":[{"role":"user","content":"x"}],"n":NaN}', "not valid JSON"),
    (b'{"model":"m","messages":[{"role":"user","content":"x"}],"n":1e999}', "not valid JSON"),
    (b'{"model":"m","messages":[{"role":"user","content":"x"}],"n":' + b"9" * 9999 + b"}", "not valid JSON"),
    (b'{"model":"m","messages":[{"role":"user","content":"x"}]}{}', "not valid JSON"),
    (b'\xef\xbb\xbf{"model":"m"}', "not valid JSON"),
    (b"[" * 200_000, "nested too deeply|not valid JSON"),
    (b'{"a":' * 70 + b"1" + b"}" * 70, "nested too deeply"),
    (b"[]", "not a JSON object"),
    (b"", "not valid JSON"),
    (request([]), "messages is missing or empty"),
    (request(["hi"]), "expected an object"),
    (request([{"content": "x"}]), "unknown role"),
    (request([{"role": ["user"], "content": "x"}]), "unknown role"),
    (request([{"role": "User", "content": "x"}]), "unknown role"),
    (request([{"role": "user", "content": 5}]), "expected a list"),
    (request([{"role": "user", "content": ["x"]}]), "expected an object"),
    (request([{"role": "tool", "tool_call_id": 5, "content": "x"}]), "expected a text"),
    (request([{"role": "function", "name": 5, "content": "x"}]), "expected a text"),
    (request([{"role": "assistant", "tool_calls": {"a": 1}}]), "expected a list"),
    (request([{"role": "assistant", "tool_calls": [{"id": "c"}]}]), "expected an object"),
    (request([{"role": "assistant", "tool_calls": [call("f") | {"type": "gun"}]}]), "unknown type of call"),
    (request([{"role": "assistant", "tool_calls": [call("f") | {"type": ["function"]}]}]), "unknown type of call"),
    (request([{"role": "assistant", "tool_calls": [call("f", custom={"name": "g", "input": "x"})]}]), "at once"),
    (request(stream="yes"), "neither true nor false"),
    (request(tools={"a": 1}), "expected a list"),
    (request(tools=[{"type": "function", "function": {"name": "f", "parameters": [1]}}]), "expected an object"),
    (json.dumps({"messages": [{"role": "user"}]}).encode(), "model is missing"),
    (json.dumps({"model": 5, "messages": [{"role": "user"}]}).encode(), "model is missing"),
]


@pytest.mark.parametrize(("data", "why"), REFUSED)
def test_what_the_protocol_does_not_allow_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why) as caught:
        requested(data)
    assert caught.value.status == 400


def test_every_documented_parameter_is_known() -> None:
    documented: set[str] = set()
    for kind in completion_create_params.CompletionCreateParamsBase.__mro__:
        documented |= set(getattr(kind, "__annotations__", {}))
    assert documented - {"model", "messages", "stream", "tools", "functions"} == PARAMETERS


def test_every_documented_field_of_a_message_is_known() -> None:
    unknown = set()
    for name in ("Developer", "System", "User", "Assistant", "Tool", "Function"):
        kind = getattr(chat, f"ChatCompletion{name}MessageParam")
        for field in typing.get_type_hints(kind):
            value: object = (
                [] if field == "tool_calls" else {"name": "f", "arguments": "{}"} if "call" in field else "text"
            )
            value = {"tool_call_id": "c1", "audio": {"id": "a1"}}.get(field, value)
            message: dict[str, Any] = {field: value} | {"role": name.lower()}
            if any(isinstance(event, Opaque) for event in requested(request([message])).events):
                unknown.add(f"{name}.{field}")
    assert unknown == set()


def test_an_answer_can_be_sent_back_as_the_sdk_does_it() -> None:
    note = {
        "type": "url_citation",
        "url_citation": {"title": "T", "url": "https://t.example", "start_index": 0, "end_index": 2},
    }
    message = {
        "role": "assistant", "content": "ok", "refusal": None, "annotations": [], "audio": None, "function_call": None,
        "tool_calls": [call("read") | {"index": 0}],
    }  # fmt: skip
    assert asked(request([message])) == ["assistant:ok", "call:read({})"]
    cited = asked(request([message | {"annotations": [note], "tool_calls": None}]))
    assert cited == ["assistant:ok", "assistant:T", "assistant:https://t.example"]
    strange = asked(request([{"role": "assistant", "annotations": [{"type": "other", "text": "boo"}]}]))
    assert strange == ['opaque:messages[0].annotations[0]={"type":"other","text":"boo"}']


def test_every_role_has_its_channel() -> None:
    messages = [
        {"role": "developer", "content": "a"},
        {"role": "system", "content": [{"type": "text", "text": "b"}]},
        {"role": "user", "content": [{"type": "text", "text": "c"}], "name": "Ann"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "d"}], "reasoning_content": "e"},
        {"role": "function", "name": "f", "content": "g"},
    ]
    assert asked(request(messages)) == [
        "system:a", "system:b", "user:c", "parameter:Ann", "assistant:d", "assistant:e", "parameter:f", "tool_result:g",
    ]  # fmt: skip


def test_images_audio_and_files_are_media() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f1"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0", "filename": "ignore all"}},
    ]
    events = requested(request([{"role": "user", "content": parts}])).events
    media = [(e.kind, e.source, e.media_type) for e in events if isinstance(e, Media)]
    assert media == [
        ("image", "url", ""), ("image", "inline", "image/png"), ("audio", "inline", "wav"), ("file", "id", ""),
        ("file", "inline", "application/pdf"),
    ]  # fmt: skip
    assert [e.text for e in events if isinstance(e, Text)] == ["ignore all"]


def test_parts_that_are_nothing_known_come_out_as_opaque() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": ["https://x.example/a.png"]}},
        {"type": "file", "file": {"file_id": "f1", "file_data": "AAAA"}},
        {"type": "file", "file": {}},
        {"type": "text", "text": {"value": "hidden"}},
        {"type": ["text"], "text": "hidden"},
        {"text": "hidden"},
        {"type": "text", "text": "seen", "cache_control": {"type": "eternal"}},
    ]
    events = requested(request([{"role": "user", "content": parts}])).events
    assert [type(event) for event in events] == [Opaque] * 6 + [Text, Opaque]
    assert "hidden" in repr(events[3])


@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f", "format": "boo"}}]}, "tools[0].function.format"),
        ({"tools": [{"type": "function", "function": {"name": "f", "strict": "boo"}}]}, "tools[0].function.strict"),
        ({"tools": [{"type": "custom", "custom": {"name": "f", "parameters": "boo"}}]}, "tools[0].custom.parameters"),
        ({"tools": [{"type": "function", "function": {"name": "f"}, "custom": "boo"}]}, "tools[0].custom"),
        ({"tools": [{"type": "hosted", "text": "boo"}]}, "tools[0].type"),
        ({"functions": [{"name": "f", "type": "boo"}]}, "functions[0].type"),
        ({"extra_body": "boo"}, "extra_body"),
    ],
)
def test_text_in_an_unexpected_field_is_opaque(more: dict[str, Any], seen: str) -> None:
    assert [line for line in asked(request(**more)) if line.startswith(f"opaque:{seen}=") and "boo" in line]


@pytest.mark.parametrize("key", ["tool_call_id", "tool_calls", "function_call", "annotations"])
def test_a_field_of_another_role_is_opaque(key: str) -> None:
    assert asked(request([{"role": "user", "content": "x", key: "boo"}]))[1:] == [f"opaque:messages[0].{key}=boo"]


def test_empty_fields_say_nothing() -> None:
    assert asked(request([{"role": "user", "content": "x", "a": None, "b": [], "c": {}, "d": ""}])) == ["user:x"]
    assert asked(request(top_w=None)) == ["user:hi"]
    assert asked(request(top_w=0))[1:] == ["opaque:top_w=0"]


def test_tools_of_all_sorts() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /a/"}}
    tools = [
        {"type": "function", "function": {"name": "a", "description": None, "parameters": None, "strict": True}},
        {"type": "custom", "custom": {"name": "b", "description": "B", "format": grammar}},
    ]
    events = requested(request(tools=tools, functions=[{"name": "c"}])).events
    assert [(e.name, e.schema) for e in events if isinstance(e, ToolDefinition)] == [
        ("a", {}),
        ("b", grammar),
        ("c", {}),
    ]


def history(*calls: dict[str, Any], results: tuple[str, ...]) -> list[tuple[str, str]]:
    """(tool, text) of the results, in a request whose model asked for `calls`."""
    told = [{"role": "tool", "tool_call_id": call_id, "content": f"of {call_id}"} for call_id in results]
    events = requested(request([{"role": "assistant", "tool_calls": list(calls)}, *told])).events
    return [(event.tool, event.text) for event in events if isinstance(event, Text)]


def test_a_result_belongs_to_the_tool_of_its_call() -> None:
    assert history(call("a", call_id="1"), call("b", call_id="2"), results=("2", "1")) == [("b", "of 2"), ("a", "of 1")]
    custom = {"id": "1", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    assert history(custom, results=("1",)) == [("shell", "of 1")]


def test_a_result_whose_tool_is_not_certain_has_none() -> None:
    assert history(call("a"), call("b"), results=("c1",)) == [("", "of c1")], "two calls with one id"
    assert history(call("a", call_id=""), results=("",)) == [("", "of ")]
    assert history(call("a"), results=("c9",)) == [("", "of c9")]


def test_ids_that_a_server_uses_again_in_each_turn_stand_for_the_newest_call() -> None:
    turn = [{"role": "assistant", "tool_calls": [call("a")]}, {"role": "tool", "tool_call_id": "c1", "content": "A"}]
    again = [{"role": "assistant", "tool_calls": [call("b")]}, {"role": "tool", "tool_call_id": "c1", "content": "B"}]
    events = requested(request([*turn, *again])).events
    assert [(event.tool, event.text) for event in events if isinstance(event, Text)] == [("a", "A"), ("b", "B")]
    assert [event.name for event in events if isinstance(event, ToolCall)] == ["a", "b"]


def test_an_error_never_repeats_what_stood_in_the_body() -> None:
    secret = "s3cret words"
    bodies = [
        request([{"role": secret, "content": "x"}]),
        json.dumps({"model": "m", secret: 1, "x": 2}).replace('"x"', json.dumps(secret)).encode(),
        request([{"role": "user", "content": {secret: 1}}]),
        request([{"role": "assistant", "tool_calls": [call("f") | {"type": secret}]}]),
    ]
    for body in bodies:
        with pytest.raises(ProtocolError) as caught:
            requested(body)
        assert secret not in str(caught.value)
