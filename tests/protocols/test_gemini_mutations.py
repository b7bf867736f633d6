"""Any change to a valid document ends in a ProtocolError or in something understood: never in another error."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque, Text, ToolCall
from interlock.protocols import AnswerEdit, CallDelta, FrameEdit, TextDelta
from interlock.protocols.gemini import ADAPTER
from tests.protocols.gemini_wire import answer, body, call, candidate, content, request, result
from tests.protocols.mutations import changed, is_told, mutated, mutations, places, refusal, refused_of

MEDIUM = {"inlineData": {"mimeType": "image/png", "data": "AA==", "displayName": "d"}}
REQUEST = json.loads(
    body(
        content("a", MEDIUM | {"videoMetadata": {"fps": 1}}, {"fileData": {"fileUri": "gs://a", "mimeType": "a/b"}}),
        content({"text": "t", "thought": True, "thoughtSignature": "AA=="}, call("f", {"a": ["b"]}), role="model"),
        content(call("f", id="1"), role="model"),
        content(result("f", {"result": "r"}, id="1"), result("g", {"rows": [{"a": 1}]}, parts=[MEDIUM])),
        system_instruction=content("s"),
        tools=[
            {"functionDeclarations": [
                {"name": "f", "description": "d", "parameters": {"type": "A", "properties": {"a": {"type": "B"}}}},
                {"name": "g", "parametersJsonSchema": {"type": "object"}, "responseJsonSchema": {"type": "string"}},
            ]},
            {"googleSearch": {}},
        ],
        generationConfig={"stopSequences": ["a"], "thinkingConfig": {"thinkingBudget": 1}, "responseLogprobs": True},
        safetySettings=[{"category": "A", "threshold": "B"}], toolConfig={"functionCallingConfig": {"mode": "ANY"}},
        labels={"a": "b"},
    )
)  # fmt: skip
TOKENS = {"chosenCandidates": [{"token": "a", "tokenId": 1}], "topCandidates": [{"candidates": [{"token": "b"}]}]}
ANSWER = json.loads(
    answer(
        candidate(
            "a", {"text": "t", "thought": True}, call("f", {"x": 1}) | {"thoughtSignature": "AA=="}, MEDIUM, "b",
            index=0, logprobsResult=TOKENS, avgLogprobs=-1, safetyRatings=[{"category": "A", "blocked": False}],
            groundingMetadata={"groundingChunks": [{"web": {"uri": "u"}}]}, finishMessage="m",
            citationMetadata={"citations": [{"uri": "u"}]},
        ),
        candidate(call("g"), index=1),
        usageMetadata={"promptTokenCount": 1, "details": [{"modality": "TEXT"}]}, promptFeedback={"safetyRatings": []},
        modelStatus={},
    )
)  # fmt: skip
COUNTED: dict[str, Any] = {"totalTokens": 3, "embedding": {"values": [1]}, "embeddings": [{"values": [1]}]}
PIECE = json.loads(
    answer(candidate({"functionCall": {"name": "f", "partialArgs": [{"jsonPath": "$.a", "stringValue": "b"}]}}))
)
ODD: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, "", "text", "\x00", [], {}, [[]], [None], ["x"], {"": ""}, {"text": "x"},
    [{"text": "x"}], {"parts": {}}, {"functionCall": {}}, {"functionCall": {"name": "f"}}, {"index": "x"},
    {"a_b": 1, "aB": 2},
]  # fmt: skip


def kept(document: Any) -> None:
    data = json.dumps(document).encode()
    read = request(data)
    assert read.raw == data
    changes = {event.path: "{}" for event in read.events if isinstance(event, Text | ToolCall)}
    request(ADAPTER.edit_request(read, changes))


def edits(document: Any) -> None:
    """Every edit that the guard could make of an answer, at once."""
    read = ADAPTER.answer(json.dumps(document).encode())
    texts = {event.path: "new" for event in read.events if isinstance(event, Text)}
    refused = {event.path: "refused" for event in read.events if isinstance(event, ToolCall)}
    out = ADAPTER.edit_answer(read, AnswerEdit(texts, refused, stripped=frozenset({"logprobs", "embeddings"})))
    events = ADAPTER.answer(out).events
    assert not [event for event in events if isinstance(event, ToolCall)]
    assert {event.text for event in events if isinstance(event, Text)} <= {
        "new", "refused", "newrefused", "refusednew", "refusedrefused", "newrefusedrefused", "refusedrefusednew",
    }  # fmt: skip


def stream_edits(document: Any) -> None:
    data = b"data: " + json.dumps(document).encode() + b"\n\n"
    for frame in ADAPTER.reader().feed(data):
        if frame.error:
            assert json.loads(frame.raw.removeprefix(b"data: "))["error"].keys() <= {"code", "message", "status"}
            continue
        texts = {d.stream: "new" for d in frame.deltas if isinstance(d, TextDelta)}
        calls: dict[tuple[int, int], int | None] = {
            (d.choice, d.index): None for d in frame.deltas if isinstance(d, CallDelta)
        }
        edit = FrameEdit(texts, calls, told=dict.fromkeys(calls, "refused"), stripped=frozenset({"logprobs"}))
        (again,) = ADAPTER.reader().feed(ADAPTER.edit_frame(frame, edit))
        assert not [d for d in again.deltas if isinstance(d, CallDelta)]
        assert {d.text for d in again.deltas if isinstance(d, TextDelta)} <= {"new", "refused", ""}


USES = [(REQUEST, kept), (ANSWER, edits), (COUNTED, edits), (ANSWER, stream_edits), (PIECE, stream_edits)]


@pytest.mark.parametrize(("document", "use"), USES)
@given(changes=mutations(ODD))
def test_a_changed_document_is_understood_or_refused(document: Any, use: Any, changes: Any) -> None:
    error = refusal(use, mutated(document, changes))
    assert error is None or is_told(error)


@pytest.mark.parametrize(("document", "use"), USES)
def test_each_single_odd_value_is_understood_or_refused(document: Any, use: Any) -> None:
    refused, tried = refused_of(use, document, ODD)
    assert 0 < refused < tried


# Ids and names are no text; a role is one of a closed list.
SILENT = {"modelVersion", "responseId", "createTime", "id", "name", "mimeType", "model"}


def read_chunk(data: bytes) -> tuple[object, ...]:
    """What is seen of a chunk; of one that is written anew, only what goes on can be unseen."""
    (frame,) = ADAPTER.reader().feed(b"data: " + data + b"\n\n")
    return frame.deltas if b"CANARY" in frame.raw else (*frame.deltas, "no CANARY goes on")


@pytest.mark.parametrize(("document", "read"), [
    (REQUEST, lambda data: request(data).events),
    (ANSWER, lambda data: ADAPTER.answer(data).events),
    (COUNTED, lambda data: ADAPTER.answer(data).events),
    (ANSWER, read_chunk),
    (PIECE, read_chunk),
])  # fmt: skip
def test_no_text_passes_unseen_wherever_it_is_put(document: Any, read: Any) -> None:
    unseen = set()
    for path in places(document):
        for value in ("CANARY words", ["CANARY words"], {"x": "CANARY words"}, {"CANARY words": 1}):
            with suppress(ProtocolError):
                events = read(json.dumps(changed(document, path, value, "set")).encode())
                seen = [e for e in events if isinstance(e, Text | Opaque | TextDelta | Media) or not hasattr(e, "text")]
                if "CANARY" not in repr(seen):
                    unseen.add(path[-1])
    assert unseen <= SILENT
