"""Requests of Converse: every form that the SDK's own types allow is understood, and what is not is seen."""

import json
from typing import Any

import pytest

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Media, Opaque, Text, ToolCall, ToolDefinition
from interlock.protocols.bedrock_converse import ADAPTER
from tests.protocols.bedrock_wire import PATH, asked, call, examples, requested, runtime, user

# Where the SDK can ask for more than can be read here.
UNREAD = {"systemTool", "type", "serverName", "additionalModelRequestFields"}
BY_ASSISTANT = {"toolUse", "reasoningContent", "citationsContent"}


def message(role: str, *content: Any) -> dict[str, Any]:
    return {"role": role, "content": list(content)}


def messages_of(block: dict[str, Any]) -> list[dict[str, Any]]:
    return [message("assistant" if block.keys() & BY_ASSISTANT else "user", block)]


def test_every_block_that_the_sdk_can_send_is_understood() -> None:
    seen = set()
    for block in examples(runtime().shape_for("ContentBlock")):
        request = requested({"messages": messages_of(block)})
        for event in request.events:
            assert not isinstance(event, Opaque) or UNREAD & {*event.path}, event
        seen |= block.keys()
    assert seen == {*runtime().shape_for("ContentBlock").members}


def test_every_setting_that_the_sdk_can_send_is_understood() -> None:
    shape = runtime().shape_for("ConverseStreamRequest")
    for name, inner in shape.members.items():
        for value in () if name in ("modelId", "messages") else examples(inner):
            request = requested({**user({"text": "hi"}), name: value})
            for event in request.events:
                assert not isinstance(event, Opaque) or UNREAD & {*event.path}, event
            assert len(request.events) > 1 or name in ("toolConfig", "system", "inferenceConfig"), name


def test_each_text_has_its_channel() -> None:
    document = {
        "system": [{"text": "S"}, {"guardContent": {"text": {"text": "G", "qualifiers": ["grounding_source"]}}}],
        "messages": [
            message(
                "user",
                {"text": "U"},
                {"document": {"name": "N", "source": {"content": [{"text": "D"}]}, "context": "C"}},
                {"searchResult": {"title": "T", "source": "https://a.example", "content": [{"text": "R"}]}},
            ),
            message(
                "assistant",
                {"reasoningContent": {"reasoningText": {"text": "A1", "signature": "RXE="}}},
                {"citationsContent": {"content": [{"text": "A2"}], "citations": [{"title": "Q"}]}},
            ),
            message("system", {"text": "M"}),
        ],
        "promptVariables": {"name": {"text": "V"}},
        "requestMetadata": {"team": "P"},
    }
    assert asked(document) == [
        "system:S", "retrieved:G", "user:U", "retrieved:D", "retrieved:N", "retrieved:C", "retrieved:T",
        "retrieved:https://a.example", "retrieved:R", "assistant:A1", "assistant:A2", "retrieved:Q", "system:M",
        "user:V", "parameter:team", "parameter:P",
    ]  # fmt: skip


def test_results_belong_to_the_tool_that_was_called() -> None:
    result = {"toolResult": {"toolUseId": "t1", "content": [{"text": "R"}, {"json": {"a": "one\ntwo"}}]}}
    image = {"toolResult": {"toolUseId": "t2", "content": [{"image": {"format": "png", "source": {"bytes": "AA=="}}}]}}
    stray = {"toolResult": {"toolUseId": "t9", "content": [{"text": "?"}], "status": "error"}}
    document = {
        "messages": [
            message("assistant", call("read"), call("look", "t2", at=1)),
            message("user", result, image, stray),
        ]
    }
    first, second, *results = requested(document).events
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert (first.name, second.arguments) == ("read", '{"at":1}')
    assert [(e.tool, e.call_id) for e in results if isinstance(e, Text | Media)] == [
        ("read", "t1"), ("read", "t1"), ("look", "t2"), ("", "t9")
    ]  # fmt: skip
    assert isinstance(results[1], Text)
    assert results[1].text == '{"a":"one\ntwo"}'


def test_an_id_that_stands_for_two_tools_stands_for_none() -> None:
    result = {"toolResult": {"toolUseId": "t1", "content": [{"text": "R"}]}}
    document = {"messages": [message("assistant", call("read"), call("pay")), message("user", result)]}
    last = requested(document).events[-1]
    assert isinstance(last, Text)
    assert last.tool == ""


def test_files_at_amazon_are_addresses() -> None:
    place = {"s3Location": {"uri": "s3://bucket/key", "bucketOwner": "123456789012"}}
    (event,) = requested(user({"video": {"format": "mp4", "source": place}})).events
    assert isinstance(event, Media)
    assert (event.kind, event.source, event.data, event.media_type) == ("video", "url", "s3://bucket/key", "video/mp4")


def test_the_model_is_in_the_path() -> None:
    arn = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude-v1%3A0"
    request = requested(user({"text": "hi"}), f"/model/{arn}/converse-stream")
    assert request.model == "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-v1:0"
    assert request.stream
    assert ADAPTER.target("/model/a/b/converse") is None
    with pytest.raises(ProtocolError):
        ADAPTER.target("/model/%2e%2e/converse")


def test_a_prompt_that_amazon_keeps_is_opaque() -> None:
    path = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprompt%2FABC%3A1/converse"
    assert asked({"promptVariables": {"a": {"text": "V"}}}, path)[0].startswith("opaque:modelId=")


def test_a_models_own_settings_are_read_and_what_could_speak_is_opaque() -> None:
    fields = {"top_k": 5, "thinking": {"type": "enabled"}, "tools": [{"name": "x"}], "mood": "bad", "say hi": 1}
    assert asked({**user({"text": "hi"}), "additionalModelRequestFields": fields})[1:] == [
        "parameter:type", "parameter:enabled", 'opaque:additionalModelRequestFields.tools=[{"name":"x"}]',
        "opaque:additionalModelRequestFields.mood=bad", "opaque:additionalModelRequestFields.?=1",
    ]  # fmt: skip


def test_tools() -> None:
    spec = {"name": "pay", "description": "pays", "inputSchema": {"json": {"type": "object"}}, "strict": True}
    config = {
        "tools": [{"toolSpec": spec}, {"cachePoint": {"type": "default"}}],
        "toolChoice": {"tool": {"name": "pay"}},
    }
    events = requested({**user({"text": "hi"}), "toolConfig": config}).events
    assert events[1] == ToolDefinition(("toolConfig", "tools", 0, "toolSpec"), "pay", "pays", {"type": "object"})
    assert [e.text for e in events[2:] if isinstance(e, Text) and e.channel is Channel.PARAMETER] == [
        "tool",
        "name",
        "pay",
    ]
    with pytest.raises(ProtocolError, match="two tools"):
        requested({**user({"text": "hi"}), "toolConfig": {"tools": [{"toolSpec": spec}] * 2}})


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ({"text": "a", "toolUse": {}}, "two things"),
        ({"image": {"source": {"bytes": "AA==", "s3Location": {}}}}, "two things"),
        ({"toolResult": {"content": []}}, "expected a text"),
        ({"text": 1}, "expected a text"),
        ("text", "expected an object"),
    ],
)
def test_what_can_be_read_in_two_ways_or_none_is_refused(block: Any, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        asked(user(block))


@pytest.mark.parametrize("role", ["tool", "System", None, 1])
def test_unknown_roles_are_refused(role: object) -> None:
    with pytest.raises(ProtocolError, match="role"):
        requested({"messages": [{"role": role, "content": []}]})


@pytest.mark.parametrize(
    "block",
    [
        {"hologram": {"text": "a"}},
        {"toolUse": {"toolUseId": "t", "name": "n", "input": {}}},  # only the assistant calls
        {"image": {"format": "png", "source": {"bytes": "not base64!"}}},
        {"cachePoint": {"type": "say hello"}},
        {"guardContent": {"text": {"text": "a", "qualifiers": ["say hello"]}}},
        {},
    ],
)
def test_what_is_not_known_is_opaque(block: Any) -> None:
    assert any(line.startswith("opaque:") for line in asked(user(block)))


def test_texts_and_arguments_are_replaced_where_they_stand() -> None:
    result = {"toolResult": {"toolUseId": "t1", "content": [{"text": "R"}, {"json": {"to": "A"}}]}}
    document = {
        "messages": [message("user", {"text": "U"}), message("assistant", call(to="A")), message("user", result)]
    }
    request = requested(document)
    changed = {event.path: event.text.replace("A", "B") for event in request.events if isinstance(event, Text)}
    changed[request.events[1].path] = '{"to":"B"}'
    edited = json.loads(ADAPTER.edit_request(request, changed | {("messages", 0, "content", 0, "text"): "V"}))
    assert edited["messages"][0]["content"] == [{"text": "V"}]
    assert edited["messages"][1]["content"] == [call(to="B")]
    assert edited["messages"][2]["content"][0]["toolResult"]["content"] == [{"text": "R"}, {"json": {"to": "B"}}]
    assert asked(edited, PATH)[1] == 'call:pay({"to":"B"})'
