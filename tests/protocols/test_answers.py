"""Whole answers and streams: understood, byte-identical when nobody edits, and valid by the SDK's types when edited."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from interlock.model.errors import ProtocolError
from interlock.model.event import Opaque, Path, ToolCall
from interlock.protocols import AnswerEdit, CallDelta, Finish, Frame, FrameEdit, TextDelta
from interlock.protocols.openai_chat import ADAPTER
from interlock.protocols.openai_chat.fields import LEGACY_CALL
from tests.protocols.wire import DONE, answer, answered, call, choice, chunk, frames, piece

NOTICE = "[interlock] Not permitted: pay."
LEGACY = {"name": "pay", "arguments": '{"to":"x"}'}


def logprobs(*tokens: str) -> dict[str, Any]:
    alternatives = [{"token": f"{token}!", "logprob": -2.5, "bytes": None} for token in tokens]
    entries = [{"token": t, "logprob": -0.5, "bytes": [1], "top_logprobs": alternatives} for t in tokens]
    return {"content": entries, "refusal": None}


def edited(data: bytes, edit: AnswerEdit) -> Any:
    """The edited answer, after the SDK's own types have accepted it."""
    out = json.loads(ADAPTER.edit_answer(ADAPTER.answer(data), edit))
    ChatCompletion.model_validate(out, strict=True)
    return out


def refuse(*paths: Path) -> AnswerEdit:
    return AnswerEdit(refused=dict.fromkeys(paths, NOTICE), notice=NOTICE)


def at(index: int, position: int = 0) -> Path:
    return ("choices", position, "message", "tool_calls", index)


# Whole answers


def test_everything_an_answer_can_say_is_an_event() -> None:
    data = answer(
        choice("a", refusal="b", reasoning_content="c"),
        choice(None, [call("f", '{"x":1}'), {"id": "2", "type": "custom", "custom": {"name": "g", "input": "ls"}}], 1),
        choice(None, index=2, function_call=LEGACY),
        usage={"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "details": {"cached": 1}},
        service_tier="default", system_fingerprint=None,
    )  # fmt: skip
    assert answered(data) == [
        "output:a", "output:b", "output:c", 'call:f({"x":1})', "call:g(ls)", 'call:pay({"to":"x"})',
    ]  # fmt: skip
    read = ADAPTER.answer(data)
    assert (read.usage.tokens_in, read.usage.tokens_out, read.model) == (3, 4, "m")
    assert [event.path for event in read.events if isinstance(event, ToolCall)] == [
        at(0, 1), at(1, 1), ("choices", 2, "message", "function_call"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "broken",
    [
        b'{"choices":null}',
        b'{"error":{"message":"x"}}',
        answer(choice("a") | {"message": None}),
        answer(choice("a", role="user")),
        answer(choice("a", role=["assistant"])),
        answer(choice(None, [call("f", custom={"name": "g", "input": ""})])),
        answer(choice(None, [call("f") | {"type": "custom"}])),
        answer(choice(None, [{"id": "1", "function": {"name": "f", "arguments": {"a": 1}}}])),
        answer(choice("a"), model=None),
    ],
)
def test_an_answer_that_is_none_is_refused(broken: bytes) -> None:
    with pytest.raises(ProtocolError):
        ADAPTER.answer(broken)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (answer(choice("a") | {"finish_reason": ["stop", "boo"]}), "choices[0].finish_reason"),
        (answer(choice("a") | {"finish_reason": "boo"}), "choices[0].finish_reason"),
        (answer(choice("a") | {"index": "boo"}), "choices[0].index"),
        (answer(choice("a"), usage={"note": "boo"}), "usage.note"),
        (answer(choice("a"), system_fingerprint={"note": "boo"}), "system_fingerprint"),
        (answer(choice("a", tool_call_id="boo")), "choices[0].message.tool_call_id"),
        (answer(choice("a", audio={"note": "boo"})), "choices[0].message.audio.note"),
        (answer(choice("a"), prompt_filter_results=[{"x": "boo"}]), "prompt_filter_results"),
    ],
)
def test_text_in_an_unexpected_place_of_an_answer_is_opaque(given: bytes, place: str) -> None:
    assert [line for line in answered(given) if line.startswith(f"opaque:{place}=") and "boo" in line]


@pytest.mark.parametrize("value", ["boo", ["boo"], {"content": ["boo"]}, {"content": [{"token": "boo"}]}, [[["boo"]]]])
def test_log_probabilities_are_text(value: object) -> None:
    assert "boo" in "".join(answered(answer(choice("a") | {"logprobs": value})))


def test_removing_one_call_keeps_the_others() -> None:
    data = answer(choice("said", [call("a", call_id="1"), call("pay", call_id="2"), call("b", call_id="3")]))
    out = edited(data, refuse(at(1)))["choices"][0]
    assert [c["id"] for c in out["message"]["tool_calls"]] == ["1", "3"]
    assert out["finish_reason"] == "tool_calls"
    assert out["message"]["content"] == f"said\n\n{NOTICE}"
    assert out["message"]["refusal"] == NOTICE


def test_removing_all_calls_of_a_choice_ends_it_as_said() -> None:
    data = answer(choice("fine"), choice(None, [call("pay"), call("pay", call_id="2")], 1), choice("also", index=2))
    first, second, third = edited(data, refuse(at(0, 1), at(1, 1)))["choices"]
    assert "tool_calls" not in second["message"]
    assert (second["finish_reason"], second["message"]["content"]) == ("stop", NOTICE)
    assert [first["message"]["content"], third["message"]["content"]] == ["fine", "also"]
    assert "refusal" not in first["message"] or first["message"]["refusal"] is None


def test_removing_a_legacy_call() -> None:
    out = edited(answer(choice(None, function_call=LEGACY)), refuse(("choices", 0, "message", "function_call")))
    assert "function_call" not in out["choices"][0]["message"]
    assert out["choices"][0]["finish_reason"] == "stop"


def test_a_legacy_call_stays_when_another_call_goes() -> None:
    data = answer(choice(None, [call("pay")], function_call=LEGACY | {"name": "read"}))
    out = edited(data, refuse(at(0)))["choices"][0]
    assert out["message"]["function_call"]["name"] == "read"
    assert out["finish_reason"] == "tool_calls", "a client must still see that a call is there"


@pytest.mark.parametrize("field", ["content", "refusal", "reasoning_content"])
def test_a_replaced_text_takes_its_tokens_along(field: str) -> None:
    kept: dict[str, Any] = {"content": "keep", field: "the key"}
    given = choice(**kept) | {"logprobs": logprobs("the", " key")}
    path: Path = ("choices", 0, "message", field)
    out = edited(answer(given), AnswerEdit(texts={path: "gone"}))["choices"][0]
    assert out["message"][field] == "gone"
    assert out["logprobs"] is None


def test_a_secret_that_stands_only_in_the_tokens_goes_with_all_of_them() -> None:
    given = choice("keep") | {"logprobs": logprobs("the", " key")}
    for key in ("logprobs", "top_logprobs"):
        out = edited(answer(given), AnswerEdit(texts={("choices", 0, key): "x"}))["choices"][0]
        assert (out["logprobs"], out["message"]["content"]) == (None, "keep")


# Streams


def deltas(data: bytes) -> list[object]:
    return [delta for frame in frames(data) for delta in frame.deltas]


def test_a_stream_of_everything() -> None:
    data = (
        chunk({"role": "assistant", "content": "", "refusal": None})
        + chunk({"content": "a"}, logprobs=logprobs("a"))
        + chunk({"reasoning_content": "r"}, index=1)
        + chunk(piece(0, name="f"))
        + chunk(piece(0, '{"x":'))
        + chunk(piece(1, "{}", name="g"))
        + chunk({"tool_calls": [{"index": 2, "id": "c", "type": "custom", "custom": {"name": "h", "input": "ls"}}]})
        + chunk({"function_call": {"name": "old", "arguments": "{}"}}, index=1)
        + chunk({}, "tool_calls")
        + DONE
    )
    assert deltas(data) == [
        TextDelta(("content", 0), "a"), TextDelta(("logprobs", 0), "a"), TextDelta(("top_logprobs", 0), "a!\n"),
        TextDelta(("reasoning_content", 1), "r"), CallDelta(0, 0, "c0", "f", ""), CallDelta(0, 0, "", "", '{"x":'),
        CallDelta(0, 1, "c1", "g", "{}"), CallDelta(0, 2, "c", "h", "ls", "custom"),
        CallDelta(1, LEGACY_CALL, "", "old", "{}"), Finish(0),
    ]  # fmt: skip
    assert frames(data)[-1].done


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_any_cut_gives_the_same_frames_and_the_same_bytes(newline: bytes) -> None:
    data = b": hello\n\n" + chunk({"content": "é"}) + b'event: x\nid: 7\ndata: {\ndata: "choices":[]}\n\n' + DONE
    data = data.replace(b"\n", newline)
    whole = frames(data)
    assert b"".join(frame.raw for frame in whole) == data
    assert [len(frame.deltas) for frame in whole] == [1, 1, 2, 0]
    for cut in range(len(data) + 1):
        reader = ADAPTER.reader()
        found = reader.feed(data[:cut]) + reader.feed(data[cut:])
        reader.end()
        assert found == whole
    reader = ADAPTER.reader()
    assert [frame for byte in data for frame in reader.feed(bytes([byte]))] == whole


@pytest.mark.parametrize(
    "broken",
    [
        DONE + chunk({"content": "more"}),
        b"\xef\xbb\xbf" + chunk({"content": "some readers strip the mark"}),
        b"data: [done]\n\n",
        b"data: [DONE]x\n\n",
        b"data: \n\n",
        b"data: {}\n\n",
        b"data: {\"choices\":[]}\rdata: x\n\n",
        b": \xff\n\n",
        b'data: {"choices":[{"delta":"x"}]}\n\n',
        b'data: {"choices":[{"delta":{"role":"system"}}]}\n\n',
        b'data: {"choices":[{"index":-1,"delta":{"content":"x"}}]}\n\n',
        b'data: {"choices":[{"index":true,"delta":{"content":"x"}}]}\n\n',
        b'data: {"choices":[{"index":1024,"delta":{"content":"x"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"x"}},{"delta":{"content":"y"}}]}\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":[{"index":-1,"function":{"name":"pay"}}]}}]}\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"a"},"custom":{"name":"b"}}]}}]}\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":{}},"x":1,"type":"y"}]}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"a","content":"b"}}]}\n\n',
        b'data: {"error":null}\n\n',
    ],
)  # fmt: skip
def test_a_stream_that_is_none_is_refused(broken: bytes) -> None:
    with pytest.raises(ProtocolError):
        frames(broken)


def test_a_stream_that_ends_inside_an_event_is_refused() -> None:
    reader = ADAPTER.reader()
    assert reader.feed(chunk({"content": "x"})[:-1]) == []
    with pytest.raises(ProtocolError, match="inside an event"):
        reader.end()


def test_of_an_error_event_only_its_words_go_on() -> None:
    (frame,) = frames(b'data: {"error":{"message":"boo"},"choices":[{"delta":{"content":"hidden"}}]}\n\n')
    assert frame.error
    assert "boo" in repr(frame.deltas)
    assert frame.raw == b'data: {"error":{"message":"boo"}}\n\n'


def test_an_error_that_is_null_does_not_hide_the_choices() -> None:
    (frame,) = frames(chunk({"content": "x"}).replace(b'{"id"', b'{"error": null, "id"'))
    assert not frame.error
    assert frame.deltas == (TextDelta(("content", 0), "x"),)


def test_words_beside_the_data_are_seen() -> None:
    (frame,) = frames(b": comment\nevent: name\n" + chunk({"content": "x"}))
    assert [d.text for d in frame.deltas if isinstance(d, Opaque)] == ["comment", "name"]


def test_the_last_chunk_counts_tokens() -> None:
    data = b'data: {"model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":true}}\n\n'
    (frame,) = frames(data)
    assert frame.usage is not None
    assert (frame.usage.tokens_in, frame.usage.tokens_out) == (9, 0)


def reframed(data: bytes, edit: FrameEdit) -> Any:
    """The edited frame, after the SDK's own types have accepted it and our reader has read it."""
    (frame,) = frames(data)
    out = ADAPTER.edit_frame(frame, edit)
    assert [type(again) for again in frames(out)] == [Frame]
    document = json.loads(out.removeprefix(b"data: "))
    ChatCompletionChunk.model_validate(document, strict=True)
    return document["choices"]


def test_a_replaced_delta_takes_its_tokens_along() -> None:
    (out,) = reframed(chunk({"content": "key"}, logprobs=logprobs("key")), FrameEdit(texts={("content", 0): ""}))
    assert (out["delta"]["content"], out["logprobs"]) == ("", None)
    (out,) = reframed(chunk({"content": "key"}, logprobs=logprobs("key")), FrameEdit(texts={("logprobs", 0): ""}))
    assert (out["delta"], out["logprobs"]) == ({"content": "key"}, None)


def test_an_edit_of_another_choice_changes_nothing() -> None:
    (out,) = reframed(chunk({"content": "key"}, index=1), FrameEdit(texts={("content", 0): ""}, notices={0: "no"}))
    assert out["delta"] == {"content": "key"}


def test_calls_get_new_indexes_or_go() -> None:
    edit = FrameEdit(calls={(0, 0): None, (0, 1): 0}, notices={0: NOTICE})
    assert reframed(chunk(piece(0, "{}", name="pay")), edit)[0]["delta"] == {}
    assert reframed(chunk(piece(1, "{}", name="b")), edit)[0]["delta"]["tool_calls"][0]["index"] == 0
    (end,) = reframed(chunk({}, "tool_calls"), edit)
    assert (end["finish_reason"], end["delta"]["content"]) == ("tool_calls", NOTICE)


def test_a_choice_without_calls_ends_as_said() -> None:
    edit = FrameEdit(calls={(0, 0): None}, notices={0: NOTICE}, emptied=frozenset({0}))
    (end,) = reframed(chunk({"content": "x"}, "tool_calls"), edit)
    assert (end["finish_reason"], end["delta"]["content"], end["delta"]["refusal"]) == ("stop", f"x{NOTICE}", NOTICE)


def test_a_call_without_an_index_can_be_taken_out() -> None:
    data = chunk({"tool_calls": [{"id": "c", "type": "function", "function": {"name": "pay", "arguments": "{}"}}]})
    assert reframed(data, FrameEdit(calls={(0, 0): None}))[0]["delta"] == {}


def test_a_legacy_call_goes_only_if_it_is_refused() -> None:
    data = chunk({"function_call": LEGACY})
    assert reframed(data, FrameEdit(calls={(0, LEGACY_CALL): None}))[0]["delta"] == {}
    assert reframed(data, FrameEdit(calls={(0, LEGACY_CALL): LEGACY_CALL}))[0]["delta"] == {"function_call": LEGACY}


def test_a_frame_without_a_document_cannot_be_edited() -> None:
    (frame,) = frames(DONE)
    assert ADAPTER.edit_frame(frame, FrameEdit(notices={0: "no"})) == DONE
