"""Answers of Converse, whole and streamed: what they say, what is taken out, and that the SDK reads what is left."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque, Text, ToolCall
from interlock.protocols import AnswerEdit, CallDelta, Finish, Frame, FrameEdit, TextDelta, Usage
from interlock.protocols._bedrock import event
from interlock.protocols._eventstream import Messages, message
from interlock.protocols.bedrock_converse import ADAPTER
from tests.protocols.bedrock_wire import (
    START,
    answer,
    answered,
    begin,
    call,
    called,
    delta,
    end,
    examples,
    frames,
    reframed,
    runtime,
    sdk_events,
    stop,
)
from tests.test_catalog import planted, streamed

USAGE = {"inputTokens": 3, "outputTokens": 4, "totalTokens": 12, "cacheReadInputTokens": 5, "serverToolUsage": {}}
TRACE = {"guardrail": {"modelOutput": ["secret words"], "inputAssessment": {"gr.1": {"topicPolicy": {"topics": []}}}}}
TEXT = [delta(0, text="o"), delta(0, text="k"), end(0)]
# Pieces of answers that only Bedrock's own tools give.
SERVED = {"toolResult", "type"}
TOLD = "[interlock] Not permitted: pay."


def said(*events: bytes) -> list[str]:
    texts = [f"{e.channel.value}:{e.text}" if isinstance(e, Text) else repr(e) for e in streamed(frames(*events))]
    return [text for text in texts if text]


def calls(found: list[Frame]) -> list[tuple[str, str]]:
    return [(e.name, e.arguments) for e in streamed(found) if isinstance(e, ToolCall)]


# Whole answers


def test_every_answer_that_the_sdk_knows_is_understood() -> None:
    for document in examples(runtime().shape_for("ConverseResponse")):
        (block,) = document["output"]["message"]["content"]
        document["output"]["message"]["role"] = "assistant"
        for found in ADAPTER.answer(json.dumps(document).encode()).events:
            known = not isinstance(found, Opaque)
            assert (
                known
                or "additionalModelResponseFields" in found.path
                or block.keys() - {"toolUse"}
                or "type" in found.path
            )


def test_an_answer() -> None:
    data = answer(
        {"reasoningContent": {"reasoningText": {"text": "why", "signature": "RXE="}}},
        {
            "citationsContent": {
                "content": [{"text": "C"}],
                "citations": [{"location": {"web": {"url": "https://a.example"}}}],
            }
        },
        call(to=1),
        stop="tool_use",
        usage=USAGE,
        trace=TRACE,
        additionalModelResponseFields={"stop_sequence": "END", "inner": {"a": "b"}},
    )
    assert answered(data) == [
        "output:why", "output:C", "output:https://a.example", 'call:pay({"to":1})', "output:END",
        'opaque:additionalModelResponseFields.inner={"a":"b"}', "output:secret words",
    ]  # fmt: skip
    assert ADAPTER.answer(data).usage == Usage(8, 4)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"output": {}},
        {"output": {"message": {"role": "user", "content": []}}},
        {"output": {"message": {"role": "assistant", "content": [{"text": "a", "toolUse": call()["toolUse"]}]}}},
        {"output": {"message": {"role": "assistant", "content": [{"toolUse": {"name": "pay"}}]}}},
        {"output": {"message": {"role": "assistant", "content": [{"text": ""}] * 1025}}},
    ],
)
def test_what_is_no_answer_is_refused(document: Any) -> None:
    with pytest.raises(ProtocolError):
        ADAPTER.answer(json.dumps(document).encode())


def test_a_refused_call_becomes_a_text_in_its_place() -> None:
    whole = ADAPTER.answer(answer({"text": "hi"}, call(to=1), call("read", "t2"), stop="tool_use"))
    first, second = (e.path for e in whole.events if isinstance(e, ToolCall))
    edited = json.loads(ADAPTER.edit_answer(whole, AnswerEdit(refused={first: TOLD}, arguments={second: '{"n":2}'})))
    assert edited["output"]["message"]["content"] == [{"text": "hi"}, {"text": TOLD}, call("read", "t2", n=2)]
    assert edited["stopReason"] == "tool_use"
    edited = json.loads(ADAPTER.edit_answer(whole, AnswerEdit(refused={first: TOLD, second: TOLD})))
    assert edited["stopReason"] == "end_turn"


def test_texts_are_replaced_wherever_they_stand() -> None:
    whole = ADAPTER.answer(answer({"text": "a"}, trace=TRACE, additionalModelResponseFields={"x": "b"}))
    texts = {e.path: e.text.upper() for e in whole.events if isinstance(e, Text)}
    assert answered(ADAPTER.edit_answer(whole, AnswerEdit(texts))) == ["output:A", "output:B", "output:SECRET WORDS"]


# Streams


def test_every_event_that_the_sdk_knows_is_understood() -> None:
    shape = runtime().shape_for("ConverseStreamOutput")
    for piece in examples(shape.members["contentBlockDelta"].members["delta"]):
        start = called(1, "pay")[:1] if "toolUse" in piece else []
        found = frames(START, *start, delta(1, **piece), end(1), stop())
        assert SERVED & piece.keys() or not any(isinstance(d, Opaque) for frame in found for d in frame.deltas), piece
    for begun in examples(shape.members["contentBlockStart"].members["start"]):
        found = frames(START, begin(1, **begun), end(1), stop())
        opaque = [d for frame in found for d in frame.deltas if isinstance(d, Opaque)]
        assert bool(opaque) == ("toolResult" in begun or "type" in begun.get("toolUse", {})), begun
    for metadata in examples(shape.members["metadata"]):
        found = frames(START, stop(), event("metadata", metadata))
        assert not any(isinstance(d, Opaque) for frame in found for d in frame.deltas), metadata


def test_a_stream() -> None:
    data = [START, *TEXT, *called(1, "pay", '{"to"', ":1}"), stop("tool_use"), event("metadata", {"usage": USAGE})]
    found = frames(*data)
    deltas = [d for frame in found for d in frame.deltas]
    assert deltas[:2] == [TextDelta(("text:0", 0), "o", joined="text"), TextDelta(("text:0", 0), "k", joined="text")]
    assert deltas[2] == CallDelta(0, 1, "t1", "pay", "")
    assert deltas[-2:] == [CallDelta(0, 1, "", "", ""), Finish(0)]
    assert calls(found) == [("pay", '{"to":1}')]
    assert [frame.last for frame in found[-3:]] == [False, True, True]
    assert found[-1].usage == Usage(8, 4)
    assert not any(frame.done for frame in found)


def test_all_that_is_said_is_seen() -> None:
    data = [
        START,
        delta(0, reasoningContent={"text": "why"}), delta(0, reasoningContent={"signature": "RXE="}), end(0),
        begin(1), delta(1, text="so"),
        delta(1, citation={"title": "T", "sourceContent": [{"text": "S"}], "location": {"web": {"url": "https://a.example"}}}),
        end(1),
        stop(additionalModelResponseFields={"stop_sequence": "END"}),
        event("metadata", {"trace": TRACE}),
    ]  # fmt: skip
    assert said(*data) == [
        f"output:{text}" for text in ("why", "so", "T", "S", "https://a.example", "END", "secret words")
    ]


def test_images_are_media() -> None:
    piece = {"source": {"bytes": "AA=="}}
    found = frames(START, begin(0, image={"format": "png"}), delta(0, image=piece), end(0), stop())
    (media,) = (d for frame in found for d in frame.deltas if isinstance(d, Media))
    assert (media.kind, media.source) == ("image", "inline")


def test_a_call_that_is_said_to_be_bedrocks_own_is_judged_like_any_other() -> None:
    served = begin(0, toolUse={"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"})
    result = begin(1, toolResult={"toolUseId": "s", "type": "nova_grounding_result"})
    data = [
        START,
        served,
        delta(0, toolUse={"input": "{}"}),
        end(0),
        result,
        delta(1, toolResult=[{"text": "R"}]),
        end(1),
    ]
    found = frames(*data, stop())
    assert calls(found) == [("nova_grounding", "{}")], "clients run what is called toolUse, whatever its type"
    assert "output:R" in said(*data, stop())


@pytest.mark.parametrize(
    "events",
    [
        [START],
        [START, START, stop()],
        [*TEXT, stop()],
        [START, delta(0, text="a"), stop()],
        [START, delta(0, text="a"), delta(1, text="b"), end(1), stop()],
        [START, delta(1, text="a"), end(1), delta(0, text="b"), end(0), stop()],
        [START, *TEXT, delta(0, text="more"), end(0), stop()],
        [START, delta(0, text="a"), delta(0, toolUse={"input": "{}"}), end(0), stop()],
        [START, delta(0, toolUse={"input": "{}"}), end(0), stop()],
        [START, *called(0, "pay")[:1], delta(0, text="a"), end(0), stop()],
        [START, *called(0, "pay")[:1], delta(0, wish={"input": "{}"}), end(0), stop()],
        [START, *called(0, "pay")[:1], *called(0, "pay"), stop()],
        [START, begin(0, toolUse={"name": "pay"}), end(0), stop()],
        [START, delta(0, text="a", toolUse={"input": "{}"}), end(0), stop()],
        [START, delta(-1, text="a"), end(-1), stop()],
        [START, event("contentBlockDelta", {"contentBlockIndex": True, "delta": {"text": "a"}}), end(1), stop()],
        [START, delta(2000, text="a"), end(2000), stop()],
        [START, stop(), stop()],
        [START, stop(), *TEXT],
        [START, event("metadata", {}), stop()],
        [START, stop(), event("metadata", {}), event("metadata", {})],
        [event("messageStart", {"role": "user"}), stop()],
        [START, event("messageStop", {})],
        [message({":message-type": "event"}, b"{}")],
        [message({":message-type": "exception", ":exception-type": "not a name"}, b"{}")],
        [message({":event-type": "messageStart", ":message-type": "event"}, b"[]")],
    ],
)
def test_what_is_out_of_its_order_is_refused(events: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        frames(*events)


def test_unknown_events_and_headers_are_opaque() -> None:
    found = frames(START, event("thoughtStart", {"text": "hi"}), stop())
    assert found[1].deltas == (Opaque(("thoughtStart",), '{"text":"hi"}'),)
    headers = {":event-type": "messageStart", ":message-type": "event", ":content-type": "text/x", "note": "hi"}
    first, *_ = frames(message(headers, b'{"role":"assistant"}'), stop())
    assert [d.text for d in first.deltas if isinstance(d, Opaque)] == ["text/x", "hi"]
    assert not frames(event("messageStart", {"role": "assistant", "p": "abcdefghij"}), stop())[0].deltas
    padded = frames(event("messageStart", {"role": "assistant", "p": "say hello"}), stop())[0]
    assert [d.text for d in padded.deltas if isinstance(d, Opaque)] == ["say hello"]


@pytest.mark.parametrize("kind", ["exception", "error"])
def test_only_the_words_of_an_error_go_on(kind: str) -> None:
    told = {"message": "slow down", "do": {"call": "pay"}}
    headers = {":message-type": kind, f":{kind}-{'type' if kind == 'exception' else 'code'}": "throttlingException"}
    if kind == "error":
        headers[":error-message"] = "slow down"
    (frame,) = frames(message(headers, json.dumps(told).encode()))
    assert frame.error
    assert b"pay" not in frame.raw
    (texts,) = (d for d in frame.deltas if isinstance(d, TextDelta))
    edited = ADAPTER.edit_frame(frame, FrameEdit({texts.stream: "removed"}))
    for data, words in ((frame.raw, "slow down"), (edited, "removed")):
        (found,) = Messages().feed(data)
        assert json.loads(found.payload) == {"message": words}
        assert found.headers[":exception-type"] == "throttlingException"


def test_an_error_after_the_end_of_the_message_is_still_one() -> None:
    found = frames(START, stop(), ADAPTER.stream_error("denied", "no"))
    assert found[-1].error


ANSWER = [
    START,
    *TEXT,
    *called(1, "pay", '{"to":', "1}"),
    *called(3, "read", '{"n":1}'),
    stop("tool_use"),
    event("metadata", {"usage": USAGE}),
]


def edited(edit: FrameEdit, events: list[bytes] = ANSWER) -> bytes:
    return b"".join(ADAPTER.edit_frame(frame, edit) for frame in frames(*events))


def test_a_refused_call_becomes_a_text_in_its_place_of_the_stream() -> None:
    edit = FrameEdit(calls={(0, 1): None, (0, 3): 0}, told={(0, 1): TOLD})
    data = edited(edit)
    assert calls(frames(data)) == [("read", '{"n":1}')]
    assert f"output:{TOLD}" in said(data)
    found = sdk_events(data)
    assert [e["contentBlockDelta"]["delta"] for e in found if "contentBlockDelta" in e][2] == {"text": TOLD}
    assert [e["messageStop"]["stopReason"] for e in found if "messageStop" in e] == ["tool_use"]


def test_a_stream_with_no_call_left_ends_its_turn() -> None:
    refused = {(0, 1): None, (0, 3): None}
    data = edited(FrameEdit(calls=refused, told=dict.fromkeys(refused, TOLD), emptied=frozenset({0})))
    assert not calls(frames(data))
    assert [e["messageStop"]["stopReason"] for e in sdk_events(data) if "messageStop" in e] == ["end_turn"]


def test_every_text_of_a_stream_can_be_replaced() -> None:
    data = [
        START, delta(0, reasoningContent={"text": "why"}), end(0), delta(1, text="so"),
        delta(1, citation={"source": "S", "sourceContent": [{"text": "C"}]}), end(1),
        delta(4, image={"error": {"message": "m"}}), end(4),
        begin(5, toolResult={"toolUseId": "s"}), delta(5, toolResult=[{"text": "r"}]), end(5),
        stop(additionalModelResponseFields={"stop_sequence": "e"}), event("metadata", {"trace": TRACE}),
    ]  # fmt: skip
    out = b""
    for frame in frames(*data):
        texts = {d.stream: d.text.upper() + "!" for d in frame.deltas if isinstance(d, TextDelta)}
        out += ADAPTER.edit_frame(frame, FrameEdit(texts))
    words = ["WHY!", "SO!", "S!", "C!", "M!", "R!", "E!", "SECRET WORDS!"]
    assert [line for line in said(out) if line.startswith("output:")] == [f"output:{word}" for word in words]


@pytest.mark.parametrize("cut", range(3))
def test_arguments_are_replaced_whichever_event_carries_them(cut: int) -> None:
    found = frames(START, *called(0, "pay", '{"to":1}'), stop("tool_use"))
    edit = FrameEdit(calls={(0, 0): 0}, arguments={(0, 0): '{"to":2}'})
    nothing = FrameEdit(calls={(0, 0): 0}, arguments={(0, 0): ""})
    events = [
        ADAPTER.edit_frame(f, edit if n == cut + 1 else nothing) if 0 < n < 4 else f.raw for n, f in enumerate(found)
    ]
    assert calls(frames(*events)) == [("pay", '{"to":2}')]


# Properties


@given(st.lists(st.sampled_from(["text", "reasoning", "pay", "read"]), max_size=5), st.sets(st.integers(0, 4)))
def test_what_is_refused_is_gone_and_the_rest_is_whole(kinds: list[str], refused: set[int]) -> None:
    data = [START]
    for index, kind in enumerate(kinds):
        if kind in ("pay", "read"):
            data += called(index, kind, '{"n":', f"{index}}}")
        elif kind == "text":
            data += [delta(index, text=f"text {index}"), end(index)]
        else:
            data += [delta(index, reasoningContent={"text": f"why {index}"}), end(index)]
    data.append(stop("tool_use"))
    gone = {n for n in refused if n < len(kinds) and kinds[n] in ("pay", "read")}
    kept = [(kind, f'{{"n":{n}}}') for n, kind in enumerate(kinds) if kind in ("pay", "read") and n not in gone]
    edit = FrameEdit(
        calls={(0, n): None for n in gone},
        told={(0, n): f"no {n}" for n in gone},
        emptied=frozenset() if kept else frozenset({0}),
    )
    out = edited(edit, data)
    assert calls(frames(out)) == kept
    assert len(sdk_events(out)) == len(Messages().feed(out))
    assert [e.text for e in streamed(frames(out)) if isinstance(e, Text)] == [
        f"no {n}" if n in gone else f"text {n}" if kind == "text" else f"why {n}"
        for n, kind in enumerate(kinds)
        if n in gone or kind in ("text", "reasoning")
    ]


def test_a_string_anywhere_in_any_event_is_seen_or_refused() -> None:
    everything = [
        *ANSWER[:-2], delta(4, citation={"location": {"web": {"url": "u"}, "documentChar": {"start": 1}}}), end(4),
        stop(), event("metadata", {"usage": USAGE, "trace": TRACE, "serviceTier": {"type": "default"}}),
    ]  # fmt: skip
    data = b"".join(everything)
    for number, found in enumerate(Messages().feed(data)):
        for path, changed in planted(found.payload):
            try:
                seen = streamed(frames(reframed(data, number, json.loads(changed))))
            except ProtocolError:
                continue
            assert "canary-5d1e" in repr(seen), f"event {number}: {path}"
