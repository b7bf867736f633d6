"""Answers, whole and streamed: what is said in them, what is seen of them, and when they are complete."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque
from interlock.protocols import CallDelta, Usage
from interlock.protocols.gemini import ADAPTER
from tests.protocols.gemini_wire import answer, answered, call, candidate, chunk, deltas, frames, streamed

USAGE = {"promptTokenCount": 3, "toolUsePromptTokenCount": 4, "candidatesTokenCount": 5, "thoughtsTokenCount": 6}
REFUSED = [
    (b"[]", "not a JSON object"),
    (b"{}", "holds none"),
    (b'{"candidates":[{}],"candidates":[]}', "stands twice"),
    (answer("x"), "expected an object"),
    (answer({"content": {"role": "user", "parts": [{"text": "x"}]}}), "not model"),
    (answer({"content": {"parts": "x"}}), "expected a list"),
    (answer(candidate({"text": "a", "functionCall": {"name": "f"}})), "two things at once"),
    (answer(candidate({"functionCall": {"name": "f"}, "function_call": {"name": "g"}})), "both spellings"),
    (answer(candidate(call("f", willContinue=True))), "not whole"),
    (answer(candidate(call("f", partialArgs=[{"jsonPath": "$.a"}]))), "not whole"),
    (answer(candidate({"text": "x", "thought": "false"})), "true or false"),
    (answer(*[candidate("x")] * 129), "over 128 candidates"),
    (answer(modelVersion=5), "expected a text"),
]


@pytest.mark.parametrize(("data", "why"), REFUSED)
def test_what_no_server_answers_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        ADAPTER.answer(data)


@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ({"finishReason": "BECAUSE"}, "candidates[0].finishReason"),
        ({"finishReason": ["STOP"]}, "candidates[0].finishReason"),
        ({"index": "boo"}, "candidates[0].index"),
        ({"avgLogprobs": "boo"}, "candidates[0].avgLogprobs"),
        ({"safetyRatings": [{"category": "boo"}]}, "candidates[0].safetyRatings"),
        ({"safetyRatings": [{"ignore all": True}]}, "candidates[0].safetyRatings"),
        ({"continuationToken": "AA=="}, "candidates[0].continuationToken"),
        ({"aside": {"a": "boo"}}, "candidates[0].aside"),
    ],
)
def test_what_is_not_understood_of_a_candidate_is_opaque(more: dict[str, Any], seen: str) -> None:
    lines = answered(answer({"content": {"parts": [{"text": "x"}]}, **more}))
    assert [line.partition("=")[0] for line in lines] == ["output:x", f"opaque:{seen}"]


@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ({"usageMetadata": {"promptTokenCount": "boo"}}, "usageMetadata"),
        ({"promptFeedback": {"blockReasonMessage": "boo"}}, "promptFeedback.blockReasonMessage"),
        ({"promptFeedback": {"blockReason": "boo"}}, "promptFeedback.blockReason"),
        ({"modelStatus": {"message": "boo"}}, "modelStatus"),
        ({"embeddings": [{"values": ["boo"]}]}, "embeddings[0].values"),
        ({"totalTokens": "boo"}, "totalTokens"),
        ({"aside": "boo"}, "aside"),
    ],
)
def test_what_is_not_understood_around_an_answer_is_opaque(more: dict[str, Any], seen: str) -> None:
    opaque = [event for event in ADAPTER.answer(answer(candidate("x"), **more)).events if isinstance(event, Opaque)]
    assert [line for line in answered(answer(candidate("x"), **more)) if line.startswith(f"opaque:{seen}=")]
    assert "boo" in opaque[0].text


def test_the_usual_fields_say_nothing() -> None:
    data = answer(
        candidate("x", index=0, avgLogprobs=-0.1, tokenCount=3, safetyRatings=[
            {"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE", "severityScore": 1, "blocked": False}
        ]),
        usageMetadata=USAGE | {"promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}], "trafficType": "ON_D"},
        createTime="2026-01-01T00:00:00Z", promptFeedback={"safetyRatings": []},
    )  # fmt: skip
    read = ADAPTER.answer(data)
    assert answered(data) == ["output:x"]
    assert read.usage == Usage(7, 11)
    assert read.model == "m"


def test_answers_of_the_other_methods() -> None:
    assert (
        answered(b'{"totalTokens":31,"totalBillableCharacters":96,"promptTokensDetails":[{"modality":"TEXT"}]}') == []
    )
    assert answered(b'{"embedding":{"values":[0.1,1],"shape":[2]},"usageMetadata":{"promptTokenCount":2}}') == []
    assert answered(b'{"promptFeedback":{"blockReason":"SAFETY","safetyRatings":[]}}') == []
    assert answered(b'{"embeddings":[{"values":[]},{"values":[1]}],"metadata":{"billableCharacterCount":4}}') == []


def test_enums_may_be_numbers() -> None:
    data = answer({"content": {"parts": [{"text": "x"}]}, "finishReason": 1, "safetyRatings": [{"category": 7}]})
    assert answered(data) == ["output:x"]


def test_a_picture_is_media_and_what_a_server_ran_is_opaque() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    data = answer(candidate(picture, {"executableCode": {"code": "1"}}, {"functionResponse": {"name": "f"}}))
    assert [type(event) for event in ADAPTER.answer(data).events] == [Media, Opaque, Opaque]
    assert [type(d) for d in deltas(b"data: " + data + b"\n\n")] == [Media, Opaque, Opaque]


def test_tokens_are_a_text_too() -> None:
    tokens = {
        "chosenCandidates": [{"token": "se"}, {"token": "cret"}],
        "topCandidates": [{"candidates": [{"token": "se"}, {"token": "x"}]}],
    }
    whole = json.dumps(tokens, separators=(",", ":"))
    assert answered(answer(candidate("secret", logprobsResult=tokens)))[1:] == ["output:secret", f"output:{whole}"]
    one = chunk(candidate("secret", logprobsResult=tokens))
    assert streamed(one) == ["text 0:secret", "chosenCandidates 0:secret", f"logprobsResult 0:{whole}"]


# Streams


def test_a_stream_is_put_together_by_candidate() -> None:
    data = (
        chunk(candidate("a", finish=None), candidate("A", finish=None, index=1), usageMetadata={"promptTokenCount": 5})
        + chunk(candidate({"text": "t", "thought": True}, "b", call("f"), finish=None))
        + chunk(candidate(call("g", {"n": 1}), call("h", id="7")), candidate("B", index=1), usageMetadata=USAGE)
    )
    assert streamed(data) == [
        "text 0:ab", "text 1:AB", "thought 0:t", "call 0.0:f({})", 'call 0.1:g({"n":1})', "call 0.2:h({})",
    ]  # fmt: skip
    read = frames(data)
    assert [frame.usage for frame in read] == [Usage(5, 0), None, Usage(7, 11)]
    assert [frame.last for frame in read] == [False, False, True]
    assert not any(delta.numbered for delta in deltas(data) if isinstance(delta, CallDelta))


def test_a_candidate_may_give_its_reason_in_each_chunk() -> None:
    data = chunk(candidate("a")) + chunk(candidate("b")) + chunk({"content": {"role": "model"}, "finishReason": "STOP"})
    assert streamed(data) == ["text 0:ab"]
    assert [frame.last for frame in frames(data)] == [True] * 3


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "before the answer was complete"),
        (chunk(candidate("a", finish=None)), "before the answer was complete"),
        (chunk(candidate("a", finish="FINISH_REASON_UNSPECIFIED")), "before the answer was complete"),
        (chunk(candidate("a"), candidate("b", finish=None, index=1)), "before the answer was complete"),
        (chunk(candidate("a")) + b"data: {", "inside an event"),
        (chunk(candidate("a"), candidate("b")), "stands twice"),
        (chunk(candidate("a", index=-1)), "an index"),
        (chunk(candidate("a", index=128)), "an index"),
        (chunk(candidate("a")) + b"data: [DONE]\n\n", "not a JSON object|not valid JSON"),
        (chunk(candidate("a")) + b'[{"candidates":[]}]\n\n', "a name that the format does not know"),
        (b'data: {"error":{"code":503}}\n\n' + chunk(candidate("a")), "goes on after an error"),
    ],
)
def test_a_stream_that_is_not_whole_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        frames(data)


def test_a_blocked_prompt_ends_a_stream() -> None:
    (frame,) = frames(b'data: {"promptFeedback":{"blockReason":"SAFETY"}}\n\n')
    assert frame.last


def test_only_the_words_of_an_error_go_on() -> None:
    error = {"code": 503, "message": "busy", "status": "UNAVAILABLE", "details": [{"a": "boo"}]}
    (frame,) = frames(b"data: " + json.dumps({"error": error, "candidates": [candidate("x")]}).encode() + b"\n\n")
    assert frame.error
    assert json.loads(frame.raw.removeprefix(b"data: ")) == {
        "error": {k: v for k, v in error.items() if k != "details"}
    }
    (frame,) = frames(b'data: {"error":"words"}\n\n')
    assert json.loads(frame.raw.removeprefix(b"data: ")) == {"error": {"message": "words"}}


STREAM = (
    chunk(candidate("a \u20ac", finish=None))
    + chunk(candidate({"text": "t", "thought": True}, call("f", {"x": [1]}), finish=None), usageMetadata=USAGE)
    + b": still there\r\n\r\n"
    + chunk(candidate("z", groundingMetadata={"webSearchQueries": ["q"]}))
)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=9))
def test_any_cut_of_a_stream_gives_the_same_frames(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(STREAM)]
    reader = ADAPTER.reader()
    found = [frame for a, b in pairwise(ends) for frame in reader.feed(STREAM[a:b])]
    reader.end()
    assert found == frames(STREAM)
    assert b"".join(frame.raw for frame in found) == STREAM


def test_the_short_way_reads_a_chunk_like_the_long_one() -> None:
    for text in ("a", "", "\u2028"):
        plain = chunk({"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}, usageMetadata=USAGE)
        same = plain.replace(b'"index": 0', b'"index": 0, "tokenCount": 1')
        assert same != plain
        end = chunk(candidate())
        assert streamed(plain + end) == ([f"text 0:{text}"] if text else [])
        assert [frame.usage for frame in frames(same + end)] == [frame.usage for frame in frames(plain + end)]
        assert "".join(streamed(same + end)).removeprefix("text 0:") == text
