"""What is replaced or taken out leaves documents that the SDK's own types take, and our own reader too."""

import json
from typing import Any

import pytest
from google.genai import types

from interlock.model.event import Opaque, Text, ToolCall
from interlock.protocols import AnswerEdit, CallDelta, FrameEdit, TextDelta
from interlock.protocols.gemini import ADAPTER
from interlock.protocols.gemini.edit import UNSIGNED
from tests.protocols.gemini_wire import (
    answer,
    answered,
    body,
    call,
    candidate,
    chunk,
    content,
    frames,
    request,
    result,
    short,
    streamed,
)


def test_texts_results_and_arguments_can_be_replaced() -> None:
    data = body(
        content("a"),
        content(call("f", {"to": "b"}), role="model"),
        content(result("f", {"result": "c"}), result("f", {"rows": ['one\n"d"']})),
        content({"functionCall": {"name": "g"}}, role="model"),
        system_instruction={"parts": {"text": "s"}},
        labels={"k": "l"},
    )
    read = request(data)
    changed = {event.path: event.text.replace("d", "D") for event in read.events if isinstance(event, Text)}
    changed |= {event.path: '{"to":"B"}' for event in read.events if isinstance(event, ToolCall)}
    again = request(ADAPTER.edit_request(read, changed | {("system_instruction", "parts", "text"): "S"}))
    assert short(tuple(e for e in again.events if isinstance(e, Text))) == [
        "system:S", "user:a", "tool_result:c", 'tool_result:{"rows":["one\n\\"D\\""]}', 'parameter:{"k":"l"}',
    ]  # fmt: skip
    assert [e.arguments for e in again.events if isinstance(e, ToolCall)] == ['{"to":"B"}'] * 2
    assert again.document["contents"][2]["parts"][1]["functionResponse"]["response"] == {"rows": ['one\n"D"']}


def test_a_result_that_an_edit_broke_is_sent_as_a_text() -> None:
    read = request(body(content(result("f", {"rows": ["a", "b"]}))))
    (event,) = read.events
    for text in ('{"rows":["[gone]', '{"a":"\\ud800"}', "5"):
        again = request(ADAPTER.edit_request(read, {event.path: text}))
        assert short(again.events) == [f"tool_result:{text}"]


LOGPROBS = {"chosenCandidates": [{"token": "a", "logProbability": -1}], "topCandidates": []}
SIGNED = call("a", id="1") | {"thoughtSignature": "AAEC"}


def parts_of(data: bytes, number: int = 0) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = json.loads(data)["candidates"][number]["content"]["parts"]
    return parts


def sdk_reads(data: bytes) -> types.GenerateContentResponse:
    return types.GenerateContentResponse.model_validate(json.loads(data))


def test_a_refused_call_becomes_a_sentence_in_its_own_place() -> None:
    data = answer(candidate("x", SIGNED, call("b", {"n": 1}), call("c")), candidate(call("d"), index=1))
    read = ADAPTER.answer(data)
    paths = {event.name: event.path for event in read.events if isinstance(event, ToolCall)}
    edit = AnswerEdit(refused={paths["a"]: "no a", paths["d"]: "no d"}, arguments={paths["b"]: '{"n":2}'})
    out = ADAPTER.edit_answer(read, edit)
    assert parts_of(out) == [
        {"text": "x"}, {"text": "no a"}, call("b", {"n": 2}) | {"thoughtSignature": UNSIGNED}, call("c"),
    ]  # fmt: skip
    assert parts_of(out, 1) == [{"text": "no d"}]
    assert [c["finishReason"] for c in json.loads(out)["candidates"]] == ["STOP", "STOP"]
    assert answered(out) == ["output:xno a", 'call:b({"n":2})', "call:c({})", "output:no d"]
    assert [found.name for found in sdk_reads(out).function_calls or ()] == ["b", "c"]


def test_a_first_call_that_stays_keeps_its_signature() -> None:
    read = ADAPTER.answer(answer(candidate(SIGNED, call("b"))))
    out = ADAPTER.edit_answer(read, AnswerEdit(refused={read.events[1].path: "no b"}))
    assert parts_of(out) == [SIGNED, {"text": "no b"}]


def test_a_text_in_several_parts_is_replaced_as_one() -> None:
    thought = {"text": "hm", "thought": True}
    data = answer(candidate("sec", thought, "ret", call("f"), "!", logprobsResult=LOGPROBS))
    read = ADAPTER.answer(data)
    texts = {event.text: event.path for event in read.events if isinstance(event, Text)}
    assert texts.keys() == {"secret!", "hm", "a", json.dumps(LOGPROBS, separators=(",", ":"))}
    out = ADAPTER.edit_answer(read, AnswerEdit(texts={texts["secret!"]: "gone!"}))
    assert parts_of(out) == [{"text": "gone!"}, thought, {"text": ""}, call("f"), {"text": ""}]
    assert "logprobsResult" not in json.loads(out)["candidates"][0], "its tokens repeat the text"
    out = ADAPTER.edit_answer(read, AnswerEdit(texts={texts["hm"]: "eh"}))
    assert [part.get("text") for part in parts_of(out)] == ["sec", "eh", "ret", None, "!"]


def test_sources_can_be_replaced_and_are_left_out_if_an_edit_broke_them() -> None:
    sources = {"groundingChunks": [{"web": {"uri": "https://a.example", "title": "T"}}]}
    read = ADAPTER.answer(answer(candidate("x", groundingMetadata=sources, finishMessage="said")))
    paths = {event.path[-1]: event.path for event in read.events if isinstance(event, Text)}
    edit = {paths["groundingMetadata"]: json.dumps(sources).replace("a.example", "gone"), paths["finishMessage"]: "m"}
    (edited,) = json.loads(ADAPTER.edit_answer(read, AnswerEdit(texts=edit)))["candidates"]
    assert edited["groundingMetadata"] == {"groundingChunks": [{"web": {"uri": "https://gone", "title": "T"}}]}
    assert edited["finishMessage"] == "m"
    edit = {paths["groundingMetadata"]: '{"groundingChunks":[gone'}
    assert json.loads(ADAPTER.edit_answer(read, AnswerEdit(texts=edit)))["candidates"][0]["groundingMetadata"] == {}


def test_what_was_asked_for_beside_an_answer_can_be_stripped() -> None:
    read = ADAPTER.answer(answer(candidate("x", logprobsResult=LOGPROBS, avgLogprobs=-0.5)))
    (left,) = json.loads(ADAPTER.edit_answer(read, AnswerEdit(stripped=frozenset({"logprobs"}))))["candidates"]
    assert left.keys() == {"content", "finishReason"}
    (frame,) = frames(chunk(candidate("x", logprobsResult=LOGPROBS)))
    assert b"logprobs" not in ADAPTER.edit_frame(frame, FrameEdit(stripped=frozenset({"logprobs"})))
    for data in (
        {"embedding": {"values": [1, 2]}},
        {"embeddings": [{"values": [1]}, {"values": [2], "statistics": {}}]},
    ):
        embedded = ADAPTER.answer(json.dumps(data).encode())
        out = json.loads(ADAPTER.edit_answer(embedded, AnswerEdit(stripped=frozenset({"embeddings"}))))
        vectors = out.get("embeddings", [out.get("embedding")])
        assert [vector["values"] for vector in vectors] == [[]] * len(vectors)


def test_a_refused_call_of_a_stream_becomes_a_sentence_in_its_own_frame() -> None:
    data = (
        chunk(candidate("x", SIGNED, finish=None))
        + chunk(candidate(call("b"), call("c", {"n": 1}), finish=None), candidate(call("d"), index=1))
        + chunk(candidate("y"))
    )
    calls: dict[tuple[int, int], int | None] = {(0, 0): None, (0, 1): 0, (0, 2): 1, (1, 0): None}
    told = {(0, 0): "no a", (1, 0): "no d"}
    edit = FrameEdit(calls=calls, told=told, notices={0: "unused", 1: "unused"}, arguments={(0, 2): '{"n":2}'})
    read = frames(data)
    touched = [any(isinstance(delta, CallDelta) for delta in frame.deltas) for frame in read]
    assert touched == [True, True, False]
    out = [ADAPTER.edit_frame(frame, edit) if on else frame.raw for frame, on in zip(read, touched, strict=True)]
    assert streamed(b"".join(out)) == [
        "text 0:xno ay", "text 1:no d", "call 0.0:b({})", 'call 0.1:c({"n":2})',
    ]  # fmt: skip
    second = json.loads(out[1].removeprefix(b"data: "))["candidates"][0]["content"]["parts"]
    assert [part.get("thoughtSignature") for part in second] == [UNSIGNED, None]
    for event in out:
        assert sdk_reads(event.strip().removeprefix(b"data: ")).candidates


def test_texts_of_a_stream_are_replaced_in_their_frame() -> None:
    cited = {"citations": [{"uri": "https://a.example"}]}
    data = chunk(candidate("a", {"text": "b", "thought": True}, "c", finish=None, citationMetadata=cited)) + chunk(
        candidate("d", citationMetadata=cited)
    )
    first, second = frames(data)
    names = {delta.text: delta.stream for delta in first.deltas if isinstance(delta, TextDelta)}
    assert names["a"] == names["c"] == ("text", 0)
    other = [delta.stream for delta in second.deltas if isinstance(delta, TextDelta)][1]
    source = names['{"citations":[{"uri":"https://a.example"}]}']
    assert source != other, "what stands for itself is not one text over two chunks"
    texts = {("text", 0): "ac!", ("thought", 0): "b!", source: '{"citations":[]}'}
    out = ADAPTER.edit_frame(first, FrameEdit(texts=texts))
    (edited,) = json.loads(out.removeprefix(b"data: "))["candidates"]
    assert [part["text"] for part in edited["content"]["parts"]] == ["ac!", "b!", ""]
    assert edited["citationMetadata"] == {"citations": []}
    assert streamed(out + second.raw)[0] == "text 0:ac!d"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 418, 429, 499, 500, 501, 502, 503, 504])
def test_an_error_has_the_shape_of_googles_own(status: int) -> None:
    error = json.loads(ADAPTER.error(status, "not_permitted", "no"))["error"]
    assert (error["code"], error["message"]) == (status, "no")
    assert error["status"].isupper()
    assert error["details"][0]["reason"] == "NOT_PERMITTED"


def test_an_edit_leaves_what_is_not_understood() -> None:
    read = ADAPTER.answer(answer(candidate("x", {"executableCode": {"code": "1"}}, call("f"))))
    out = ADAPTER.edit_answer(read, AnswerEdit(refused={read.events[-1].path: "no"}))
    assert [type(event) for event in ADAPTER.answer(out).events] == [Text, Opaque]
