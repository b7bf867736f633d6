"""Streams of Anthropic messages: one reading only, and read by the official SDK when they were edited."""

import json
from typing import Any

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.errors import ProtocolError
from interlock.model.event import Opaque
from interlock.protocols import CallDelta, Finish, FrameEdit, TextDelta, Usage
from interlock.protocols.anthropic_messages import ADAPTER
from tests.protocols.anthropic_wire import (
    CITATION,
    END,
    accumulated,
    begin,
    call,
    client,
    deltas,
    event,
    finish,
    frames,
    piece,
    say,
    start,
    stop,
    stream,
    text,
)

TOLD = "[interlock] Not permitted: pay."
PING = event("ping")
THINKING: dict[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}
SERVER: dict[str, Any] = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}


def test_a_stream_of_everything() -> None:
    data = stream(
        begin(0, THINKING) + piece(0, "thinking_delta", thinking="hm", estimated_tokens=3)
        + piece(0, "signature_delta", signature="RXE=") + stop(0),
        PING,
        begin(1, text("", citations=[])) + piece(1, "text_delta", text="ok")
        + piece(1, "citations_delta", citation=CITATION) + stop(1),
        call(2, "pay", "", '{"to"', ":1}"),
        call(3, "read", ""),
        begin(4, {"type": "compaction", "content": None}) + piece(4, "compaction_delta", content="short") + stop(4),
        begin(5, {"type": "redacted_thinking", "data": "RXE="}) + stop(5),
        reason="tool_use",
    )  # fmt: skip
    assert deltas(data) == [
        TextDelta(("thinking:0", 0), "hm", joined="thinking"),
        TextDelta(("text:1", 0), "ok", joined="text"),
        TextDelta(("citation:1:0:cited_text", 0), "quoted", again=True),
        TextDelta(("citation:1:0:title", 0), "A title", again=True),
        TextDelta(("citation:1:0:url", 0), "https://example.org/a", again=True),
        CallDelta(0, 2, "t2", "pay", ""), CallDelta(0, 2, "", "", ""), CallDelta(0, 2, "", "", '{"to"'),
        CallDelta(0, 2, "", "", ":1}"), CallDelta(0, 2, "", "", ""),
        CallDelta(0, 3, "t3", "read", ""), CallDelta(0, 3, "", "", ""), CallDelta(0, 3, "", "", "{}"),
        TextDelta(("compaction:4", 0), "short", again=True),
        Finish(0),
    ]  # fmt: skip
    assert [frame.done for frame in frames(data)].count(True) == 1


def test_the_first_and_the_last_event_count_tokens() -> None:
    usage = {"input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 1, "service_tier": "standard"}
    later = {"output_tokens": 9, "input_tokens": None}
    data = start(usage=usage) + say(0, "x") + finish(None, usage={"output_tokens": 5}) + finish(usage=later) + END
    counted = [frame.usage for frame in frames(data) if frame.usage]
    assert counted == [Usage(103, 1), Usage(103, 5), Usage(103, 9)]
    assert [frame.model for frame in frames(data) if frame.model] == ["m"]


def test_why_the_model_stopped_is_text() -> None:
    delta = {"stop_reason": "refusal", "stop_sequence": "S", "stop_details": {"type": "refusal", "explanation": "why"}}
    found = deltas(start() + finish(delta=delta) + END)
    assert found == [
        TextDelta(("stop_sequence", 0), "S", again=True), TextDelta(("explanation", 0), "why", again=True), Finish(0),
    ]  # fmt: skip


def test_what_is_asked_of_a_server_is_one_text() -> None:
    pieces = [piece(0, "input_json_delta", partial_json=part) for part in ('{"query":"', 'a"}')]
    found = deltas(stream(begin(0, SERVER), *pieces, stop(0)))
    assert isinstance(found[0], Opaque)
    assert found[0].path == ("content_block", "server_tool_use")
    assert found[1:3] == [TextDelta(("input:0", 0), '{"query":"'), TextDelta(("input:0", 0), 'a"}')]


TEXT = begin(0, text(""))
USE = begin(0, {"type": "tool_use", "id": "t", "name": "pay", "input": {}})
FULL = begin(0, {"type": "tool_use", "id": "t", "name": "pay", "input": {"to": 1}})
BROKEN = {
    "nothing before the start": say(0, "x") + finish() + END,
    "two starts": start() + start() + finish() + END,
    "a start with content": start(content=[text("x")]) + finish() + END,
    "a start with a reason": start(stop_reason="end_turn") + finish() + END,
    "a start with another role": start(role="user") + finish() + END,
    "a gap": stream(say(1, "x")),
    "an index twice": stream(say(0, "x"), say(0, "y")),
    "an index that is true": stream(say(0, "x"), begin(True, text("")), stop(1)),
    "an index as text": stream(begin("0", text("")), stop(0)),  # type: ignore[arg-type]
    "blocks inside each other": stream(TEXT, begin(1, text("")), stop(1), stop(0)),
    "a piece of another block": stream(TEXT, piece(1, "text_delta", text="x"), stop(0)),
    "a piece of no block": stream(piece(0, "text_delta", text="x")),
    "a piece after the stop": stream(say(0, "x"), piece(0, "text_delta", text="x")),
    "a stop of no block": stream(stop(0)),
    "a block without a stop": stream(TEXT),
    "a piece that does not fit": stream(TEXT, piece(0, "input_json_delta", partial_json="{}"), stop(0)),
    "text in a call": stream(USE, piece(0, "text_delta", text="x"), stop(0)),
    "arguments twice": stream(FULL, piece(0, "input_json_delta", partial_json="{}"), stop(0)),
    "arguments as an object": stream(USE, piece(0, "input_json_delta", partial_json={}), stop(0)),
    "a call without a name": stream(begin(0, {"type": "tool_use", "id": "t", "input": {}}), stop(0)),
    "a citation at the begin": stream(begin(0, text("", citations=[CITATION])), stop(0)),
    "a compaction twice": stream(
        begin(0, {"type": "compaction", "content": None}), piece(0, "compaction_delta", content="x"),
        piece(0, "compaction_delta", content="y"), stop(0),
    ),
    "a block after the reason": start() + finish() + say(0, "x") + END,
    "two reasons": start() + finish() + finish("max_tokens") + END,
    "no reason": start() + say(0, "x") + END,
    "no end": start() + say(0, "x") + finish(),
    "more after the end": stream() + PING,
    "more after an error": event("error", error={"type": "api_error", "message": "x"}) + PING,
    "a cut event": stream()[:-1],
    "another name": start().replace(b"event: message_start", b"event: ping") + finish() + END,
    "no name": start().replace(b"event: message_start\n", b"") + finish() + END,
    "two names": start().replace(b"event: ", b"event: \nevent: ") + finish() + END,
    "a name behind": start().replace(b"\n\n", b"\nevent\n\n") + finish() + END,
    "a name without data": stream() [:-len(END)] + b"event: message_stop\n\n",
    "no type": start() + b"event: x\ndata: {}\n\n" + finish() + END,
    "an error without words": event("error", error=None),
    "too many blocks": stream(*(say(n, "") for n in range(1_025))),
    "too many citations": stream(TEXT, piece(0, "citations_delta", citation={"type": "boo"}) * 4_097, stop(0)),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_stream_with_two_readings_or_none_is_refused(broken: bytes) -> None:
    with pytest.raises(ProtocolError):
        frames(broken)


@pytest.mark.parametrize(
    "given",
    [
        stream(b": boo\n\n"),
        stream(event("ping", note="boo")),
        stream(event("content_block_moved", note="boo")),
        stream(begin(0, text("", mood="boo")), stop(0)),
        stream(TEXT, piece(0, "text_delta", text="x", mood="boo"), stop(0)),
        stream(TEXT, piece(0, "mood_delta", mood="boo"), stop(0)),
        stream(TEXT, event("content_block_delta", index=0, delta={"type": "text_delta", "text": ""}, n="boo"), stop(0)),
        stream(TEXT, piece(0, "citations_delta", citation={"type": "boo"}), stop(0)),
        stream(begin(0, THINKING), piece(0, "signature_delta", signature="say boo"), stop(0)),
        stream(USE, piece(0, "input_json_delta", partial_json="", mood="boo"), stop(0)),
        stream(begin(0, {"type": "mood", "text": "boo"}), stop(0)),
        start(mood="boo") + finish() + END,
        start() + finish(container={"id": "boo"}) + END,
        start() + finish(usage={"output_tokens": 4, "note": "boo"}) + END,
        start() + finish("boo") + END,
        start() + finish() + event("message_stop", note="boo"),
    ],
)
def test_what_is_not_understood_is_opaque(given: bytes) -> None:
    assert [d for d in deltas(given) if isinstance(d, Opaque) and "boo" in d.text]


@given(st.data())
def test_any_cut_gives_the_same_frames_and_the_same_bytes(data: st.DataObject) -> None:
    newline = data.draw(st.sampled_from([b"\n", b"\r\n"]))
    wire = stream(say(0, "é", "b"), PING, call(1, "pay", '{"to":', "1}"), reason="tool_use").replace(b"\n", newline)
    cut = data.draw(st.integers(0, len(wire)))
    reader = ADAPTER.reader()
    found = reader.feed(wire[:cut]) + reader.feed(wire[cut:])
    reader.end()
    assert found == frames(wire)
    assert b"".join(frame.raw for frame in found) == wire


def test_of_an_error_only_its_words_go_on() -> None:
    (frame,) = frames(event("error", error={"type": "overloaded_error", "message": "busy", "hint": "boo"}, id="boo"))
    assert frame.error
    assert frame.raw == b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
    new = ADAPTER.edit_frame(frame, FrameEdit(texts={("error.message", 0): "gone"}))
    assert new == frame.raw.replace(b"busy", b"gone")


def test_an_error_in_a_stream_is_raised_by_the_sdk() -> None:
    data = start() + say(0, "x") + ADAPTER.stream_error("upstream_error", "told in words")
    with (
        client(data, streams=True) as made,
        pytest.raises(anthropic.APIStatusError, match="told in words"),
        made.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as events,
    ):
        events.until_done()


def edited(data: bytes, edit: FrameEdit) -> bytes:
    """The bytes of a stream of which each concerned frame was edited, after our reader has read them."""
    out = b"".join(ADAPTER.edit_frame(frame, edit) for frame in frames(data))
    gone = {key for key, new in edit.calls.items() if new is None}
    assert not [d for d in deltas(out) if isinstance(d, CallDelta) and (d.choice, d.index) in gone]
    return out


def test_a_refused_call_becomes_a_text_in_its_place() -> None:
    data = stream(say(0, "said"), call(1, "pay", '{"to":', "1}"), call(2, "read", '{"n":2}'), reason="tool_use")
    message = accumulated(edited(data, FrameEdit(calls={(0, 1): None, (0, 2): 0}, told={(0, 1): TOLD})))
    assert [(block.type, block.to_dict().get("text"), block.to_dict().get("input")) for block in message.content] == [
        ("text", "said", None), ("text", TOLD, None), ("tool_use", None, {"n": 2}),
    ]  # fmt: skip
    assert message.stop_reason == "tool_use"


def test_without_calls_the_turn_ends() -> None:
    data = stream(call(0, "pay"), reason="tool_use")
    edit = FrameEdit(calls={(0, 0): None}, notices={0: "not said here"}, emptied=frozenset({0}), told={(0, 0): TOLD})
    message = accumulated(edited(data, edit))
    assert (message.stop_reason, [block.to_dict() for block in message.content]) == (
        "end_turn", [{"type": "text", "text": TOLD}],
    )  # fmt: skip
    cut = accumulated(edited(stream(call(0, "pay"), reason="max_tokens"), edit))
    assert cut.stop_reason == "max_tokens"


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("text:0", begin(0, text("")) + piece(0, "text_delta", text="old")),
        ("text:0", begin(0, text("old"))),
        ("thinking:0", begin(0, THINKING) + piece(0, "thinking_delta", thinking="old")),
        ("citation:0:0:title", TEXT + piece(0, "citations_delta", citation=CITATION | {"title": "old"})),
        (
            "compaction:0",
            begin(0, {"type": "compaction", "content": None}) + piece(0, "compaction_delta", content="old"),
        ),
        ("input:0", begin(0, SERVER) + piece(0, "input_json_delta", partial_json='"old"')),
    ],
)
def test_every_text_can_be_replaced(name: str, block: bytes) -> None:
    data = stream(block + stop(0))
    ((concerned, old),) = [
        (f, d.text) for f in frames(data) for d in f.deltas if isinstance(d, TextDelta) and d.stream[0] == name
    ]
    new = old.replace("old", "new")
    out = data.replace(concerned.raw, ADAPTER.edit_frame(concerned, FrameEdit(texts={(name, 0): new})))
    assert [d.text for d in deltas(out) if isinstance(d, TextDelta) and d.stream[0] == name] == [new]
    assert b"old" not in out
    assert len(accumulated(out).content) == 1


@pytest.mark.parametrize("name", ["stop_sequence", "explanation"])
def test_the_words_of_the_end_can_be_replaced(name: str) -> None:
    details = {"type": "refusal", "explanation": "old explanation"}
    data = start() + finish(
        delta={"stop_reason": "refusal", "stop_sequence": "old stop_sequence", "stop_details": details}
    )
    out = b"".join(
        ADAPTER.edit_frame(f, FrameEdit(texts={(name, 0): "new"} if f.usage and not f.model else {}))
        for f in frames(data + END)
    )
    assert b"new" in out
    assert f"old {name}".encode() not in out
    assert accumulated(out).stop_reason == "refusal"


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_arguments_can_be_replaced_in_any_frame_of_a_call(at: int) -> None:
    data = stream(call(0, "pay", "{", "}"), reason="tool_use")
    pieces = [""] * 4
    pieces[at] = '{"to":"y"}'
    out, n = b"", 0
    for frame in frames(data):
        concerned = any(isinstance(d, CallDelta) for d in frame.deltas)
        out += ADAPTER.edit_frame(frame, FrameEdit(arguments={(0, 0): pieces[n]})) if concerned else frame.raw
        n += concerned
    (block,) = accumulated(out).content
    assert block.to_dict()["input"] == {"to": "y"}
    assert "".join(d.arguments for d in deltas(out) if isinstance(d, CallDelta)) == '{"to":"y"}'


def test_arguments_that_came_at_the_begin_are_the_calls() -> None:
    data = stream(FULL + piece(0, "input_json_delta", partial_json="") + stop(0), reason="tool_use")
    assert "".join(d.arguments for d in deltas(data) if isinstance(d, CallDelta)) == '{"to":1}'
    (block,) = accumulated(data).content
    assert block.to_dict()["input"] == {"to": 1}


def test_the_apis_padding_says_nothing() -> None:
    plain = stream(say(0, "a"))
    padded = plain.replace(b"}\n\n", b"         }\n\n")
    assert deltas(padded) == deltas(plain)
    assert b"".join(frame.raw for frame in frames(padded)) == padded
    with pytest.raises(ProtocolError):
        frames(plain.replace(b"}\n\n", b" \n\n"))


def test_an_edit_of_another_block_changes_nothing() -> None:
    edit = FrameEdit(calls={(0, 7): None}, emptied=frozenset(), told={(0, 7): TOLD}, arguments={(0, 7): "{}"})
    for frame in frames(stream(say(0, "a"), call(1, "pay", "{}"), reason="tool_use")):
        before, after = frame.raw, ADAPTER.edit_frame(frame, edit)
        assert json.loads(before.partition(b"data: ")[2]) == json.loads(after.partition(b"data: ")[2])


def test_a_frame_without_a_document_cannot_be_edited() -> None:
    (frame,) = ADAPTER.reader().feed(b": hello\n\n")
    assert ADAPTER.edit_frame(frame, FrameEdit(emptied=frozenset({0}))) == b": hello\n\n"
