"""Ollama's answers, whole and streamed: what they say, and what becomes of them when something is taken out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama._types import ChatResponse, EmbedResponse, GenerateResponse

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque, ToolCall
from interlock.protocols import AnswerEdit, CallDelta, Finish, Frame, FrameEdit, TextDelta, Usage
from interlock.protocols.ollama import ADAPTER
from interlock.protocols.ollama.stream import MAX_LINE_BYTES
from tests.protocols.ollama_wire import BEGUN, answer, answered, call, frames, lines, piece

TOKENS = [
    {"token": "o", "logprob": -1.5, "bytes": [111], "top_logprobs": [{"token": "x", "logprob": -2}]},
    {"token": "k", "logprob": 0, "bytes": None},
]
GENERATED = BEGUN | {"response": "ok", "thinking": "hm", "done": True, "done_reason": "stop", "context": [1, 2]}
NOTICE = "\n\n[interlock] no"


def edited(data: bytes, edit: AnswerEdit) -> Any:
    return json.loads(ADAPTER.edit_answer(ADAPTER.answer(data), edit))


def test_what_was_generated() -> None:
    assert answered(json.dumps(GENERATED).encode()) == ["output:ok", "output:hm"]


def test_tokens_of_a_conversation_are_taken_out_of_answers() -> None:
    data = json.dumps(GENERATED).encode()
    assert "context" not in json.loads(ADAPTER.answer(data).raw)
    (frame,) = frames(data + b"\n")
    assert "context" not in json.loads(frame.raw)
    assert answered(json.dumps(GENERATED | {"context": "words"}).encode())[-1] == "opaque:context=words"


def test_a_picture_that_was_generated() -> None:
    assert answered(json.dumps(BEGUN | {"response": "", "image": "AA==", "done": True}).encode()) == ["image:inline"]


def test_tokens_are_text() -> None:
    assert answered(answer("ok", logprobs=TOKENS)) == ["output:ok", "output:ok", "output:x"]
    assert answered(answer("ok", logprobs=[{"token": "a", "words": 1}]))[-1].startswith("opaque:logprobs=")


def test_what_is_counted() -> None:
    assert ADAPTER.answer(answer("a", prompt_eval_count=3, eval_count=4)).usage == Usage(3, 4)
    assert ADAPTER.answer(answer("a", prompt_eval_count="3", eval_count=True)).usage == Usage()
    assert frames(lines(piece("a"), piece(done=True, prompt_eval_count=3)))[-1].usage == Usage(3, 0)


@pytest.mark.parametrize("document", [
    {},
    {"done": True},
    {"message": []},
    {"message": {"role": "user", "content": "a"}},
    {"message": {"tool_calls": [call("a", [1])]}},
    {"message": {"content": "a"}, "Message": {"tool_calls": [call("pay")]}},
    {"message": {"content": "a", "Tool_calls": [call("pay")]}},
    {"message": {"tool_calls": [{"function": {"name": "a", "NAME": "pay"}}]}},
])  # fmt: skip
def test_no_answer(document: Any) -> None:
    with pytest.raises(ProtocolError):
        ADAPTER.answer(json.dumps(document).encode())


def test_a_refused_call_is_taken_out_and_the_others_stay() -> None:
    calls = [call(name, index=index) for index, name in enumerate("abc")]
    data = answer("said", calls)
    paths = [event.path for event in ADAPTER.answer(data).events if isinstance(event, ToolCall)]
    out = edited(data, AnswerEdit(refused={paths[1]: "no"}, notice="no", arguments={paths[2]: '{"x":1}'}))
    assert out["message"]["tool_calls"] == [call("a", index=0), call("c", {"x": 1}, index=1)]
    assert out["message"]["content"] == "said\n\nno"
    assert ChatResponse(**out).message.tool_calls


def test_the_last_call_is_taken_out() -> None:
    data = answer("", [call("a")], done_reason="tool_calls")
    out = edited(data, AnswerEdit(refused={("message", "tool_calls", 0): "no"}, notice="no"))
    assert out["message"] == {"role": "assistant", "content": "no"}
    assert out["done_reason"] == "stop"


def test_a_call_beside_what_was_generated() -> None:
    data = json.dumps(GENERATED | {"tool_calls": [call("a")]}).encode()
    out = edited(data, AnswerEdit(refused={("tool_calls", 0): "no"}, notice="no"))
    assert out["response"] == "ok\n\nno"
    assert "tool_calls" not in out
    assert GenerateResponse(**out).response


def test_a_replaced_text_takes_its_tokens_along() -> None:
    out = edited(answer("ok", logprobs=TOKENS), AnswerEdit({("message", "content"): "no"}))
    assert out["message"]["content"] == "no"
    assert "logprobs" not in out
    assert "logprobs" not in edited(answer("ok", logprobs=TOKENS), AnswerEdit(stripped=frozenset({"logprobs"})))


def test_vectors() -> None:
    data = b'{"model":"m","embeddings":[[0.5,1],[2,-3e-05]],"total_duration":14,"prompt_eval_count":8}'
    assert ADAPTER.answer(data).usage == Usage(8)
    assert answered(data) == answered(b'{"embedding":[0.5]}') == []
    assert answered(b'{"embeddings":[["words"]]}') == ['opaque:embeddings=[["words"]]']
    out = edited(data, AnswerEdit(stripped=frozenset({"embeddings"})))
    assert EmbedResponse(**out).embeddings == []


# Streams


STREAM = lines(
    piece("one "), piece(calls=[call("a", index=0), call("b", index=1)]), piece("two"),
    piece(calls=[call("c", {"x": 1})]), piece(done=True, done_reason="stop", eval_count=1),
)  # fmt: skip


def streamed(data: bytes) -> list[str]:
    out = []
    for delta in (delta for frame in frames(data) for delta in frame.deltas):
        match delta:
            case TextDelta(stream, text):
                out.append(f"{stream[0]}:{text}")
            case CallDelta():
                out.append(f"{delta.index}:{delta.name}({delta.arguments})")
            case _:
                out.append(type(delta).__name__)
    return out


def test_calls_of_several_lines_are_numbered_in_order() -> None:
    assert streamed(STREAM) == [
        "message.content:one ", "0:a({})", "1:b({})", "message.content:two", '2:c({"x":1})', "Finish",
    ]  # fmt: skip


def test_refused_calls_of_a_stream_are_taken_out() -> None:
    edit = FrameEdit(calls={(0, 0): None, (0, 1): 0, (0, 2): None}, notices={0: NOTICE}, arguments={(0, 1): '{"to":2}'})
    out = b"".join(ADAPTER.edit_frame(frame, edit) for frame in frames(STREAM))
    assert streamed(out) == [
        "message.content:one ", '0:b({"to":2})', "message.content:two", f"message.content:{NOTICE}", "Finish",
    ]  # fmt: skip
    documents = [json.loads(line) for line in out.splitlines()]
    assert documents[1]["message"]["tool_calls"] == [call("b", {"to": 2}, index=0)]
    assert "tool_calls" not in documents[3]["message"]
    assert all(ChatResponse(**document) for document in documents)


def test_every_call_of_a_stream_is_taken_out() -> None:
    data = lines(piece(calls=[call("a")]), piece("x", done=True, done_reason="tool_calls"))
    edit = FrameEdit(calls={(0, 0): None}, notices={0: "no"}, emptied=frozenset({0}))
    last = json.loads([ADAPTER.edit_frame(frame, edit) for frame in frames(data)][-1])
    assert last["message"]["content"] == "xno"
    assert last["done_reason"] == "stop"


def test_a_text_of_a_stream_is_replaced() -> None:
    data = lines(piece("secret", logprobs=TOKENS), piece(done=True))
    out = ADAPTER.edit_frame(frames(data)[0], FrameEdit({("message.content", 0): "a\u2028b"}))
    assert json.loads(out)["message"]["content"] == "a\u2028b"
    assert len(out.decode().splitlines()) == 1, "Python's client would see two lines"
    assert b"logprobs" not in out


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\u2029"])
def test_a_line_is_one_line_for_every_reader(end: str) -> None:
    raw = json.dumps(piece(f"a{end}b", done=True), ensure_ascii=False).encode() + b"\n"
    (frame,) = frames(raw)
    assert len(frame.raw.decode().splitlines()) == 1
    assert json.loads(frame.raw) == json.loads(raw)


def test_carriage_returns() -> None:
    raw = lines(piece("a", done=True)).replace(b"\n", b"\r\n")
    assert frames(raw)[0].raw == raw
    inside = lines(piece("a", done=True)).replace(b'{"model"', b'{\r"model"')
    assert b"\r" not in frames(inside)[0].raw


@pytest.mark.parametrize("data", [
    b"",
    lines(piece("a")),
    lines(piece("a", done=True))[:-1],
    lines(piece("a", done=True), piece("b")),
    lines(piece("a", done=True), {"error": "late"}),
    lines({"error": "a"}, piece("b")),
    lines(piece("a")) + b"[1]\n",
    lines(piece("a")) + b'{"a":1}{"b":2}\n',
    lines(piece("a")) + b'{"done":true,"done":false}\n',
    b"\xef\xbb\xbf" + lines(piece("a", done=True)),
    b" " * (MAX_LINE_BYTES + 1) + b"\n",
])  # fmt: skip
def test_no_stream(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        frames(data)


@pytest.mark.parametrize(("reported", "told"), [
    ("no memory", "no memory"),
    ({"message": "no memory", "code": 5}, "no memory"),
    (["x"], "the model's server reported an error"),
])  # fmt: skip
def test_of_an_error_only_its_words_go_on(reported: Any, told: str) -> None:
    frame = frames(lines(piece("a"), {"error": reported, "message": {"tool_calls": [call("pay")]}}))[-1]
    assert frame.error
    assert json.loads(frame.raw) == {"error": told}
    assert frame.deltas == (Opaque(("error",), told),)


def test_a_blank_line_says_nothing() -> None:
    assert frames(b"\n" + lines(piece(done=True)) + b"\n")[0] == Frame(b"\n")


@given(
    pieces=st.lists(
        st.sampled_from([
            piece("a"), piece("\u2028"), piece(calls=[call("x")]), piece("t", logprobs=TOKENS),
            piece(thinking="hm"), BEGUN | {"response": "r", "done": False}, BEGUN | {"image": "AA==", "done": False},
        ])
    ),
    size=st.integers(1, 50),
)  # fmt: skip
def test_the_size_of_the_pieces_makes_no_difference(pieces: list[Any], size: int) -> None:
    data = lines(*pieces, piece(done=True, done_reason="stop"))
    reader = ADAPTER.reader()
    found = [frame for at in range(0, len(data), size) for frame in reader.feed(data[at : at + size])]
    reader.end()
    assert found == frames(data)
    assert [frame.done for frame in found] == [False] * len(pieces) + [True]
    assert found[-1].deltas == (Finish(0),)
    assert sum(isinstance(delta, Media) for frame in found for delta in frame.deltas) == sum(
        "image" in one for one in pieces
    )
