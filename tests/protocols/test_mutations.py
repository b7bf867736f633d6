"""Any change to a valid document ends in a ProtocolError or in something understood: never in another error."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.errors import ProtocolError
from interlock.model.event import Opaque, Text, ToolCall
from interlock.protocols import AnswerEdit, CallDelta, Finish, FrameEdit, TextDelta
from interlock.protocols.openai_chat import ADAPTER
from tests.protocols.wire import answer, call, choice, request, requested

NOTE = {"type": "url_citation", "url_citation": {"title": "t", "url": "u", "start_index": 1, "end_index": 2}}
LOGPROBS = {"content": [{"token": "a", "logprob": -1, "bytes": [97], "top_logprobs": []}], "refusal": None}
REQUEST = json.loads(
    request(
        [
            {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]},
            {"role": "user", "content": "x", "name": "n"},
            {"role": "assistant", "content": "b", "tool_calls": [call("f"), {"type": "custom", "custom": {}}]},
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}, "annotations": [NOTE]},
            {"role": "tool", "tool_call_id": "c1", "content": "y"},
            {"role": "function", "name": "f", "content": "z"},
        ],
        tools=[{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
        functions=[{"name": "g", "description": "d", "parameters": {}}],
        stop=["a"], stream=True, stream_options={"include_usage": True},
    )
)  # fmt: skip
REQUEST["messages"][2]["tool_calls"][1]["custom"] = {"name": "s", "input": "ls"}
ANSWER = json.loads(
    answer(
        choice(
            "a", [call("f"), {"id": "2", "type": "custom", "custom": {"name": "g", "input": ""}}], annotations=[NOTE]
        )
        | {"logprobs": LOGPROBS},
        choice("b", index=1, refusal="c", function_call={"name": "f", "arguments": "{}"}),
        usage={"prompt_tokens": 1, "completion_tokens": 2, "details": {"x": 1}},
    )
)
CHUNK: Any = {
    "id": "x", "model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 2}, "error": None,
    "choices": [
        {"index": 0, "finish_reason": "tool_calls", "logprobs": LOGPROBS, "delta": {
            "role": "assistant", "content": "a", "reasoning": "r", "function_call": {"name": "f", "arguments": "{"},
            "tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}]}},
        {"index": 1, "delta": {"tool_calls": [{"index": 0, "type": "custom", "custom": {"name": "g", "input": "i"}}]}},
    ],
}  # fmt: skip
BESIDE: dict[str, Any] = {
    "audio": {"id": "a", "transcript": "t", "data": "AA==", "expires_at": 1},
    "images": [{"type": "image_url", "image_url": {"url": "data:,"}, "index": 0}],
    "reasoning_details": [{"type": "reasoning.text", "text": "t", "index": 0, "signature": "AA=="}, {"summary": "s"}],
}
FILTERED = {"hate": {"filtered": False, "severity": "safe"}}
REQUEST["messages"][2] |= BESIDE
ANSWER["choices"][0]["message"] |= BESIDE
CHUNK["choices"][0]["delta"] |= BESIDE
for _document in (ANSWER, CHUNK):
    _document["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": FILTERED}]
    _document["choices"][1]["content_filter_results"] = FILTERED
ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, "", "text", "\x00", [], {}, [[]], [None], ["x"], {"": ""}, {"type": "text"},
    {"type": "custom"}, {"index": "x"}, [{"index": -1}], {"token": []}, {"content": {"token": 5}}, {"error": "x"},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def changed(document: Any, path: tuple[Any, ...], value: object, how: str) -> Any:
    out = target = json.loads(json.dumps(document))
    for part in path[:-1]:
        target = target[part]
    if how == "drop":
        del target[path[-1]]
    elif how == "twice" and isinstance(target, list):
        target.append(target[path[-1]])
    else:
        target[path[-1]] = value
    return out


def edits(data: bytes) -> bytes:
    """Every edit that the guard could make of an answer, at once."""
    read = ADAPTER.answer(data)
    texts = {event.path: "new" for event in read.events if isinstance(event, Text)}
    refused = {event.path: "told" for event in read.events if isinstance(event, ToolCall)}
    out = ADAPTER.edit_answer(read, AnswerEdit(texts, refused, "notice"))
    assert not [event for event in ADAPTER.answer(out).events if isinstance(event, ToolCall)]
    return out


def only_words(raw: bytes, data: bytes) -> None:
    """An error goes on as it came if it is nothing but its words; else written anew, with nothing but them."""
    sent = json.loads(raw.removeprefix(b"data: "))
    assert sent.keys() == {"error"}
    assert sent["error"].keys() <= {"message", "type", "param", "code"}
    assert all(isinstance(word, str | None) for word in sent["error"].values())
    assert raw == data or sent != json.loads(data.removeprefix(b"data: "))


def kept(document: Any) -> None:
    data = json.dumps(document).encode()
    read = requested(data)
    assert read.raw == data
    assert read.model == document["model"]


def stream_edits(document: Any) -> None:
    data = b"data: " + json.dumps(document).encode() + b"\n\n"
    for frame in ADAPTER.reader().feed(data):
        if frame.error:
            only_words(frame.raw, data)
            continue
        assert frame.raw == data
        texts = {d.stream: "new" for d in frame.deltas if isinstance(d, TextDelta)}
        calls: dict[tuple[int, int], int | None] = {
            (d.choice, d.index): None for d in frame.deltas if isinstance(d, CallDelta)
        }
        finished = [d.choice for d in frame.deltas if isinstance(d, Finish)]
        edit = FrameEdit(texts, calls, dict.fromkeys(finished, "notice"), frozenset(finished))
        if not (texts or calls or finished):
            continue
        (again,) = ADAPTER.reader().feed(ADAPTER.edit_frame(frame, edit))
        said = {d.text for d in again.deltas if isinstance(d, TextDelta)}
        assert not [d for d in again.deltas if isinstance(d, CallDelta)]
        assert all(text.startswith(("new", "notice")) for text in said)


MUTATION = st.tuples(st.integers(0, 10**6), st.sampled_from(ODD), st.sampled_from(["set", "drop", "twice"]))


def mutated(document: Any, mutations: list[tuple[int, object, str]]) -> Any:
    for number, value, how in mutations:
        every = list(places(document))
        if every:
            document = changed(document, every[number % len(every)], value, how)
    return document


@pytest.mark.parametrize(("document", "use"), [
    (REQUEST, kept),
    (ANSWER, lambda d: edits(json.dumps(d).encode())),
    (CHUNK, stream_edits),
])  # fmt: skip
@given(mutations=st.lists(MUTATION, min_size=1, max_size=3))
def test_a_changed_document_is_understood_or_refused(document: Any, use: Any, mutations: Any) -> None:
    with suppress(ProtocolError):
        use(mutated(document, mutations))


@pytest.mark.parametrize(("document", "use"), [
    (REQUEST, kept),
    (ANSWER, lambda d: edits(json.dumps(d).encode())),
    (CHUNK, stream_edits),
])  # fmt: skip
def test_each_single_odd_value_is_understood_or_refused(document: Any, use: Any) -> None:
    use(document)
    refused = 0
    every = list(places(document))
    for path in every:
        for value in ODD:
            try:
                use(changed(document, path, value, "set"))
            except ProtocolError:
                refused += 1
    assert 0 < refused < len(every) * len(ODD)


def keys_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_in(inner)


# Ids, names and counts are no text; `type` and `role` are closed lists and refused otherwise.
SILENT = {
    "id", "tool_call_id", "model", "object", "created", "service_tier", "system_fingerprint", "finish_reason",
}  # fmt: skip


PLAIN = {"id": "x", "model": "m", "usage": None, "choices": [{"index": 0, "delta": {"content": "a"}}]}


def read_chunk(data: bytes) -> tuple[object, ...]:
    """What is seen of a chunk; of one that is written anew, only what goes on can be unseen."""
    (frame,) = ADAPTER.reader().feed(b"data: " + data + b"\n\n")
    return frame.deltas if b"CANARY" in frame.raw else (*frame.deltas, "no CANARY goes on")


@pytest.mark.parametrize(("document", "read"), [
    (REQUEST, lambda data: requested(data).events),
    (ANSWER, lambda data: ADAPTER.answer(data).events),
    (CHUNK, read_chunk),
    (PLAIN, read_chunk),
])  # fmt: skip
def test_no_text_passes_unseen_wherever_it_is_put(document: Any, read: Any) -> None:
    unseen = set()
    for path in places(document):
        for value in ("CANARY words", ["CANARY words"], {"x": "CANARY words"}):
            with suppress(ProtocolError):
                events = read(json.dumps(changed(document, path, value, "set")).encode())
                seen = [e for e in events if isinstance(e, Text | Opaque | TextDelta) or not hasattr(e, "text")]
                if "CANARY" not in repr(seen):
                    unseen.add(path[-1])
    assert unseen <= SILENT
    assert set(keys_in(document)) & SILENT, "the list is about keys that exist"
