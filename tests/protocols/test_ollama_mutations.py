"""Any change to a valid document ends in a ProtocolError or in something understood: never in another error."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque, Text, ToolCall
from interlock.protocols import AnswerEdit, CallDelta, FrameEdit, TextDelta
from interlock.protocols.ollama import ADAPTER
from tests.protocols.ollama_wire import GENERATE, answer, body, call, piece, request
from tests.protocols.test_mutations import changed, mutated, places

TOKENS = [{"token": "a", "logprob": -1, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -2}]}]
CHAT = json.loads(
    body(
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u", "images": ["AA=="]},
        {"role": "assistant", "content": "a", "thinking": "t", "tool_calls": [
            call("f", {"a": ["b"]}, index=0) | {"id": "1", "type": "function"}, call("g"),
        ]},
        {"role": "tool", "content": "r", "tool_name": "f", "tool_call_id": "1"},
        tools=[{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
        options={"stop": ["a"], "seed": 1}, format={"type": "object"}, keep_alive="5m", think="high", stream=True,
        logprobs=True, top_logprobs=1,
    )
)  # fmt: skip
PROMPT = {
    "model": "m", "prompt": "p", "suffix": "x", "system": "s", "template": "t", "raw": False, "images": ["AA=="],
    "context": [1], "options": {"seed": 1}, "stream": False,
}  # fmt: skip
ENDED = {
    "done_reason": "tool_calls", "total_duration": 1, "prompt_eval_count": 1, "eval_count": 2, "logprobs": TOKENS,
    "remote_model": "r", "remote_host": "https://ollama.com:443", "tool_calls": [call("h")], "response": "r",
}  # fmt: skip
ANSWER = json.loads(answer("a", [call("f", {"x": "y"}, index=0) | {"id": "1"}, call("g", index=1)], **ENDED))
ANSWER["message"] |= {"thinking": "t", "images": ["AA=="]}
VECTORS = {"model": "m", "embeddings": [[0.5]], "embedding": [0.5], "image": "AA==", "context": [1], "thinking": "t"}
PIECE = piece("a", [call("f", {"x": 1}, index=0)], done=True, **ENDED) | {"error": None}
ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, "", "text", "\x00", [], {}, [[]], [None], ["x"], {"": ""}, [call("f")],
    {"function": {}}, {"role": "user"}, {"tool_calls": [call("f")]}, {"error": "x"}, {"Content": "x"},
]  # fmt: skip


def kept(document: Any, path: str = "/api/chat") -> None:
    data = json.dumps(document).encode()
    read = request(data, path)
    assert read.raw == data
    changes = {event.path: "{}" for event in read.events if isinstance(event, ToolCall)}
    changes |= {
        event.path: "new" for event in read.events if isinstance(event, Text) and event.channel.value != "parameter"
    }
    request(ADAPTER.edit_request(read, changes), path)


def edits(document: Any) -> None:
    """Every edit that the guard could make of an answer, at once."""
    read = ADAPTER.answer(json.dumps(document).encode())
    texts = {event.path: "new" for event in read.events if isinstance(event, Text)}
    refused = {event.path: "told" for event in read.events if isinstance(event, ToolCall)}
    out = ADAPTER.edit_answer(
        read, AnswerEdit(texts, refused, "notice", stripped=frozenset({"logprobs", "embeddings"}))
    )
    events = ADAPTER.answer(out).events
    assert not [event for event in events if isinstance(event, ToolCall)]
    assert {event.text for event in events if isinstance(event, Text)} <= {"new", "notice", "new\n\nnotice"}


def stream_edits(document: Any) -> None:
    for frame in ADAPTER.reader().feed(json.dumps(document).encode() + b"\n"):
        if frame.error:
            assert json.loads(frame.raw).keys() == {"error"}
            continue
        texts = {d.stream: "new" for d in frame.deltas if isinstance(d, TextDelta)}
        calls: dict[tuple[int, int], int | None] = {
            (d.choice, d.index): None for d in frame.deltas if isinstance(d, CallDelta)
        }
        edit = FrameEdit(texts, calls, {0: "notice"}, frozenset({0}), stripped=frozenset({"logprobs"}))
        (again,) = ADAPTER.reader().feed(ADAPTER.edit_frame(frame, edit))
        assert not [d for d in again.deltas if isinstance(d, CallDelta)]
        assert {d.text for d in again.deltas if isinstance(d, TextDelta)} <= {"new", "notice", "newnotice"}


USES = [
    (CHAT, kept), (PROMPT, lambda d: kept(d, GENERATE)), (ANSWER, edits), (VECTORS, edits), (PIECE, stream_edits),
]  # fmt: skip
MUTATION = st.tuples(st.integers(0, 10**6), st.sampled_from(ODD), st.sampled_from(["set", "drop", "twice"]))


@pytest.mark.parametrize(("document", "use"), USES)
@given(mutations=st.lists(MUTATION, min_size=1, max_size=3))
def test_a_changed_document_is_understood_or_refused(document: Any, use: Any, mutations: Any) -> None:
    with suppress(ProtocolError):
        use(mutated(document, mutations))


@pytest.mark.parametrize(("document", "use"), USES)
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
    assert refused < len(every) * len(ODD)


# Ids and names are no text; pictures are not looked into.
SILENT = {"id", "name", "model", "tool_call_id", "tool_name"}


def read_line(data: bytes) -> tuple[object, ...]:
    """What is seen of a line; of one that is written anew, only what goes on can be unseen."""
    (frame,) = ADAPTER.reader().feed(data + b"\n")
    return frame.deltas if b"CANARY" in frame.raw else (*frame.deltas, "no CANARY goes on")


@pytest.mark.parametrize(("document", "read"), [
    (CHAT, lambda data: request(data).events),
    (PROMPT, lambda data: request(data, GENERATE).events),
    (ANSWER, lambda data: ADAPTER.answer(data).events),
    (VECTORS, lambda data: ADAPTER.answer(data).events),
    (PIECE, read_line),
    (piece("a"), read_line),
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
