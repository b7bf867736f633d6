"""What google-genai can ask is understood; what nobody understands is seen or refused."""

import json
from typing import Any

import pytest
from google.genai import types

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque, Text, ToolCall, ToolDefinition
from interlock.protocols.gemini import ADAPTER
from interlock.protocols.gemini.fields import DATA, FINISHES, GENERATION, NOTES, SETTINGS
from tests.protocols.gemini_wire import PATH, asked, body, call, content, request, result


def declared(function: dict[str, Any]) -> bytes:
    return body(tools=[{"functionDeclarations": [function]}])


REFUSED = [
    (b'{"contents":[],"contents":[]}', "stands twice"),
    (body(content({"inlineData": {"data": "AA=="}, "inline_data": {"data": "BB=="}})), "both spellings"),
    (body(content({"functionCall": None, "function_call": {"name": "f"}}, role="model")), "both spellings"),
    (body(systemInstruction=content("a"), system_instruction=content("b")), "both spellings"),
    (declared({"name": "f", "parameters": {"properties": {"a": {"anyOf": [], "any_of": []}}}}), "both spellings"),
    (b'{"contents":[]}', "contents is missing"),
    (b"{}", "contents is missing"),
    (b'{"contents":"hi"}', "expected a list"),
    (b'{"contents":["hi"]}', "expected an object"),
    (body(content("x", role="boss")), "unknown role"),
    (body(content("x", role="User")), "unknown role"),
    (body(content("x", role="system")), "unknown role"),
    (body(systemInstruction="be kind"), "expected an object"),
    (body({"role": "user", "parts": ["x"]}), "expected an object"),
    (body(content({"text": 5})), "expected a text"),
    (body(content({"text": "a", "inlineData": {"data": "AA=="}})), "two things at once"),
    (body(content({"text": "a", "thought": "false"})), "expected true or false"),
    (body(content({"text": "a", "thoughtSignature": "a b"})), "expected base64"),
    (body(content({"inlineData": {"mimeType": "image/png"}})), "no data"),
    (body(content({"inlineData": {"data": "not base64!"}})), "expected base64"),
    (body(content({"fileData": {"fileUri": 5}})), "expected a text"),
    (body(content({"functionCall": {"args": {}}}, role="model")), "names no function"),
    (body(content({"functionCall": {"name": "f", "args": "{}"}}, role="model")), "expected an object"),
    (body(content({"functionCall": {"name": "f", "willContinue": True}}, role="model")), "not whole"),
    (body(content({"functionCall": {"name": "f", "partialArgs": [{}]}}, role="model")), "not whole"),
    (body(content(result("f", "text"))), "expected an object"),
    (declared({"name": "f", "parameters": {}, "parametersJsonSchema": {}}), "two schemas"),
    (declared({"description": "d"}), "no name"),
    (declared({"name": "f", "parameters": [1]}), "expected an object"),
    (body(model="models/other"), "another model"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "why"), REFUSED)
def test_what_the_protocol_does_not_allow_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why) as caught:
        request(data)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/v1beta/models/m:streamGenerateContent", "JSON array is not covered"),
        ("/v1beta/models/m:streamGenerateContent?alt=json", "JSON array is not covered"),
        ("/v1beta/models/m:generateContent?alt=sse", "form of the answer"),
        ("/v1beta/models/m:generateContent?alt=json&$alt=json", "twice"),
        ("/v1beta/models/m:generateContent?key=abc", "not understood"),
        ("/v1beta/models/a:streamGenerateContent:generateContent", "holds signs"),
        ("/v1beta/models/a%2Fb:generateContent", "holds signs"),
        ("/v1beta/models/a%3Ab:generateContent", "holds signs"),
        ("/v9/models/m:generateContent", "unknown version"),
    ],
)
def test_a_path_that_could_be_read_in_two_ways_is_refused(path: str, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        request(body(), path)


@pytest.mark.parametrize(
    ("path", "model", "stream"),
    [
        ("/v1/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash", False),
        ("/v1alpha/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gemini-2.5-flash", True),
        ("/v1beta/tunedModels/mine:generateContent", "tunedModels/mine", False),
        ("/v1/projects/p/locations/l/publishers/google/models/g@001:streamGenerateContent?alt=sse", "g@001", True),
        ("/v1beta1/projects/example.com:p/locations/l/publishers/google/models/g:countTokens", "g", False),
        ("/v1/projects/p/locations/l/endpoints/123:generateContent", "endpoints/123", False),
        ("/v1beta1/publishers/google/models/g:generateContent", "g", False),
        ("/v1beta/models/m:generateContent?$alt=json;enum-encoding=int", "m", False),
        ("/v1beta/models/m:generateContent?%24alt=json%3Benum-encoding%3Dint", "m", False),
    ],
)
def test_the_path_names_the_model_and_the_form(path: str, model: str, stream: bool) -> None:
    read = request(body(), path)
    assert (read.model, read.stream) == (model, stream)
    assert ADAPTER.target(path.replace("Content", "Answer").replace("Tokens", "Words")) is None


@pytest.mark.parametrize("name", ["m", "models/m", "projects/p/locations/l/publishers/google/models/m"])
def test_a_body_may_name_the_model_of_its_path_once_more(name: str) -> None:
    path = "/v1/projects/p/locations/l/publishers/google/models/m:generateContent"
    assert asked(body(model=name), path) == ["user:hi"]


def test_both_spellings_of_a_field_are_the_same_field() -> None:
    camel = body(
        content({"inlineData": {"mimeType": "image/png", "data": "__-_"}}, {"fileData": {"fileUri": "gs://a/b"}}),
        content({"functionCall": {"name": "f"}, "thoughtSignature": "AA=="}, role="model"),
        content({"functionResponse": {"name": "f", "response": {"result": "r"}}}),
        systemInstruction=content("s"),
        tools=[{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}],
        generationConfig={"stopSequences": ["END"], "responseLogprobs": True},
        safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        cachedContent="cachedContents/c",
    )
    snake = camel
    for name, other in [
        (b"inlineData", b"inline_data"), (b"mimeType", b"mime_type"), (b"fileData", b"file_data"),
        (b"fileUri", b"file_uri"), (b"functionCall", b"function_call"), (b"thoughtSignature", b"thought_signature"),
        (b"functionResponse", b"function_response"), (b"systemInstruction", b"system_instruction"),
        (b"functionDeclarations", b"function_declarations"), (b"parametersJsonSchema", b"parameters_json_schema"),
        (b"generationConfig", b"generation_config"), (b"stopSequences", b"stop_sequences"),
        (b"safetySettings", b"safety_settings"), (b"cachedContent", b"cached_content"),
        (b"responseLogprobs", b"response_logprobs"),
    ]:  # fmt: skip
        assert name in snake
        snake = snake.replace(name, other)
    assert asked(snake)[:-1] == asked(camel)[:-1]
    assert asked(snake)[-1].startswith("opaque:cached_content=")
    assert request(snake).asks == request(camel).asks == {"logprobs"}


def test_keys_of_free_objects_are_not_fields() -> None:
    free = {"user_id": 1, "userId": 2}
    data = body(content(call("f", free), role="model"), content(result("f", free)), labels={"a_b": "x", "aB": "y"})
    assert asked(data) == [
        'call:f({"user_id":1,"userId":2})', 'tool_result:{"user_id":1,"userId":2}', 'parameter:{"a_b":"x","aB":"y"}',
    ]  # fmt: skip


def test_every_part_of_a_conversation_has_its_channel() -> None:
    data = body(
        content("a", role=None),
        content("b", {"text": "c", "thought": True, "thoughtSignature": "AAEC"}, role="model"),
        content("d", role="function"),
        content(
            {"inlineData": {"mimeType": "video/mp4", "data": "AA==", "displayName": "e"}, "videoMetadata": {"fps": 1}}
        ),
        content({"text": "f", "partMetadata": {"note": "g"}}),
        system_instruction={"parts": {"text": "s"}, "role": "system"},
    )
    assert asked(data) == [
        "system:s", "user:a", "assistant:b", "assistant:c", "tool_result:d", "video:inline", "user:e",
        'parameter:{"fps":1}', "user:f", 'user:{"note":"g"}',
    ]  # fmt: skip


def test_media_are_told_by_kind_and_source() -> None:
    parts = [
        {"inlineData": {"mimeType": kind, "data": "AA=="}} for kind in ("image/png", "AUDIO/wav", "application/pdf", "")
    ] + [
        {"fileData": {"fileUri": "https://a.example/b", "mimeType": "image/png"}},
        {"fileData": {"fileUri": "files/b"}},
    ]
    events = request(body(content(*parts))).events
    assert [(e.kind, e.source, e.data) for e in events if isinstance(e, Media)] == [
        ("image", "inline", "AA=="), ("audio", "inline", "AA=="), ("file", "inline", "AA=="),
        ("file", "inline", "AA=="), ("image", "url", "https://a.example/b"), ("file", "id", "files/b"),
    ]  # fmt: skip


def history(*contents: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(tool, id, text) of the results."""
    events = request(body(*contents)).events
    return [(event.tool, event.call_id, event.text) for event in events if isinstance(event, Text) and event.call_id]


def test_a_result_belongs_to_the_call_of_its_id_or_to_all_of_its_name() -> None:
    calls = content(call("a", {"n": 1}), call("b"), call("a", {"n": 2}, id="1"), role="model")
    results = content(*(result(name, {"output": text}) for name, text in (("a", "A2"), ("a", "A1"), ("b", "B"))))
    assert history(calls, results) == [("a", "a", "A2"), ("a", "a", "A1"), ("b", "b", "B")]
    made = [event.call_id for event in request(body(calls, results)).events if isinstance(event, ToolCall)]
    assert made == ["a", "b", "a"], "an id that no result names pairs nothing"
    named = content(call("a", id="1"), call("b", id="2"), role="model")
    told = content(result("b", {"result": "B"}, id="2"), result("", {"result": "A"}, id="1"))
    assert history(named, told) == [("b", "2", "B"), ("a", "1", "A")]
    assert history(content(call("a"), role="model"), content(result("a", {"result": "A"}, id="9"))) == [("a", "a", "A")]


def test_a_result_whose_tool_is_not_certain_has_none() -> None:
    one = content(call("a", id="1"), role="model")
    assert history(one, content(result("b", {"result": "x"}, id="1"))) == [("", "1", "x")]
    two = content(call("a", id="1"), call("b", id="1"), role="model")
    assert history(two, content(result("a", {"result": "x"}, id="1"))) == [("", "1", "x")]


def test_a_result_is_one_text_and_its_pictures() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AA==", "displayName": "p.png"}}
    told = {"rows": [{"to": "a@b.example", "sum": 5}], "said": 'one\ntwo\t"three" \\n'}
    events = request(body(content(result("f", told, parts=[picture])))).events
    assert [(type(e), e.tool, e.call_id) for e in events if isinstance(e, Text | Media)] == [
        (Text, "f", "f"), (Media, "f", "f"), (Text, "f", "f"),
    ]  # fmt: skip
    text = events[0]
    assert isinstance(text, Text)
    assert text.text == '{"rows":[{"to":"a@b.example","sum":5}],"said":"one\ntwo\t\\"three\\" \\\\n"}'
    assert asked(body(content(result("f", {"ignore this": "x"})))) == ['tool_result:{"ignore this":"x"}']


def test_tools_of_all_sorts() -> None:
    functions = [
        {"name": "a", "description": "A", "parameters": {"type": "OBJECT", "properties": {"x_y": {"type": "STRING"}}}},
        {"name": "b", "parametersJsonSchema": {"type": "object"}, "responseJsonSchema": {"description": "told"}},
        {"name": "c", "behavior": "BLOCKING"},
    ]
    tools = [
        {"functionDeclarations": functions},
        {"googleSearch": {}},
        {"codeExecution": {}},
        {"mcpServers": [{"url": "u"}]},
    ]
    events = request(body(tools=tools)).events
    assert [(e.name, e.description, dict(e.schema)) for e in events if isinstance(e, ToolDefinition)] == [
        ("a", "A", {"type": "OBJECT", "properties": {"x_y": {"type": "STRING"}}}),
        ("b", '\n{"description":"told"}', {"type": "object"}),
        ("c", "", {}),
    ]
    assert [e.path[-1] for e in events if isinstance(e, Opaque)] == ["googleSearch", "codeExecution", "mcpServers"]


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (body(content({"executableCode": {"code": "boo"}}, role="model")), "contents[0].parts[0].executableCode"),
        (body(content({"codeExecutionResult": {}}, role="model")), "contents[0].parts[0].codeExecutionResult"),
        (body(content({"toolCall": {"args": {"a": "boo"}}}, role="model")), "contents[0].parts[0].toolCall"),
        (body(content(call("f"))), "contents[0].parts[0].functionCall"),
        (body(content(result("f", {}), role="model")), "contents[0].parts[0].functionResponse"),
        (body(content({"text": "a", "aside": "boo"})), "contents[0].parts[0].aside"),
        (body(content("a", aside="boo")), "contents[0].aside"),
        (body(content(call("f", aside="boo"), role="model")), "contents[0].parts[0].functionCall.aside"),
        (body(content(result("f", {}, scheduling="say it"))), "contents[0].parts[0].functionResponse.scheduling"),
        (body(content(result("f", {}, parts=[{"a": "boo"}]))), "contents[0].parts[0].functionResponse.parts[0].a"),
        (body(content({"inlineData": {"data": "AA==", "aside": "boo"}})), "contents[0].parts[0].inlineData.aside"),
        (declared({"name": "f", "aside": "boo"}), "tools[0].functionDeclarations[0].aside"),
        (body(generationConfig={"aside": "boo"}), "generationConfig.aside"),
        (body(generationConfig={"routingConfig": {"manualMode": {"x": "y"}}}), "generationConfig.routingConfig"),
        (body(generationConfig={"outputConfig": {"uri": "gs://x"}}), "generationConfig.outputConfig"),
        (body(cachedContent="cachedContents/c"), "cachedContent"),
        (body(continuationToken="AA=="), "continuationToken"),
        (body(aside="boo"), "aside"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_opaque(data: bytes, seen: str) -> None:
    assert [line.partition("=")[0] for line in asked(data) if line.startswith("opaque:")] == [f"opaque:{seen}"]


def test_tokens_are_counted_for_a_whole_request_too() -> None:
    path = "/v1beta/models/m:countTokens"
    inner = {"model": "models/m", "contents": [content("hi")], "systemInstruction": content("s"), "aside": "boo"}
    data = json.dumps({"generateContentRequest": inner, "contents": [content("ho")]}).encode()
    assert asked(data, path) == [
        "system:s", "user:hi", "opaque:generateContentRequest.aside=boo",
        'opaque:contents=[{"parts":[{"text":"ho"}],"role":"user"}]',
    ]  # fmt: skip
    assert asked(body(), path) == ["user:hi"]


def test_texts_to_embed() -> None:
    one = {"content": content("a"), "taskType": "RETRIEVAL_DOCUMENT", "title": "T", "outputDimensionality": 3}
    read = request(json.dumps(one).encode(), "/v1beta/models/e:embedContent")
    assert short_of(read.events) == ["user:a", "parameter:RETRIEVAL_DOCUMENT", "parameter:T"]
    assert read.asks == {"embeddings"}
    many = json.dumps({"requests": [one | {"model": "models/e"}, {"content": content("b"), "aside": "boo"}]}).encode()
    seen = asked(many, "/v1beta/models/e:batchEmbedContents")
    assert seen[3:] == ["user:b", "opaque:requests[1].aside=boo"]
    for data, path, why in (
        (b"{}", "embedContent", "content is missing"),
        (b"{}", "batchEmbedContents", "requests is missing"),
        (json.dumps({"requests": [one | {"model": "models/x"}]}).encode(), "batchEmbedContents", "another model"),
    ):
        with pytest.raises(ProtocolError, match=why):
            request(data, f"/v1beta/models/e:{path}")


def short_of(events: tuple[Any, ...]) -> list[str]:
    return [f"{event.channel.value}:{event.text}" for event in events]


def test_the_sdks_types_hold_nothing_that_we_do_not_know() -> None:
    """A new SDK with a new field fails here, and somebody decides what the field is."""
    part = {field.alias or name for name, field in types.Part.model_fields.items()}
    assert part == DATA | SETTINGS | NOTES | {"thought", "thoughtSignature"}
    assert {reason.value for reason in types.FinishReason} == FINISHES
    generation = {field.alias or name for name, field in types.GenerationConfig.model_fields.items()}
    assert generation - GENERATION <= {"modelSelectionConfig", "routingConfig", "generationOutputConfig"}


def test_an_error_never_repeats_what_stood_in_the_body() -> None:
    secret = "s3cret words"
    bodies = [
        body(content("x", role=secret)),
        body(content({"text": {secret: 1}})),
        body(content({"inlineData": {"data": secret}})),
        body(content({"functionCall": {"name": "f", "args": secret}}, role="model")),
        body(model=secret),
    ]
    for data in bodies:
        with pytest.raises(ProtocolError) as caught:
            request(data)
        assert secret not in str(caught.value)


def test_nothing_is_lost_of_a_path_with_a_query() -> None:
    target = ADAPTER.target(f"{PATH}?alt=json")
    assert target
    assert target.query_raw == "alt=json"
