"""Arguments that come in pieces are put together into the whole call that is judged and goes on."""

import json
from typing import Any

import pytest

from interlock.model.errors import ProtocolError
from interlock.protocols import CallDelta, Frame
from interlock.protocols.gemini import ADAPTER
from interlock.protocols.gemini.partial import MOST_CHARS, MOST_LEAVES
from tests.protocols.gemini_wire import candidate, chunk, deltas, frames, streamed


def piece(*partial: dict[str, Any], more: bool = True, **call: Any) -> bytes:
    """A chunk with one piece of a call."""
    told = {**call, **({"partialArgs": list(partial)} if partial else {}), **({"willContinue": True} if more else {})}
    return chunk(candidate({"functionCall": told}, finish=None))


def value(path: str, more: bool = False, **said: Any) -> dict[str, Any]:
    return {"jsonPath": path, **said, **({"willContinue": True} if more else {})}


END = piece(more=False) + chunk(candidate())


def arguments(data: bytes) -> Any:
    (made,) = [delta for delta in deltas(data) if isinstance(delta, CallDelta)]
    return json.loads(made.arguments)


def test_a_call_in_pieces_goes_on_whole() -> None:
    data = (
        chunk(candidate("x", finish=None))
        + chunk(
            candidate({"functionCall": {"name": "pay", "willContinue": True}, "thoughtSignature": "AA=="}, finish=None)
        )
        + piece(value("$.to", more=True, stringValue="DE02"), id="c1")
        + piece(value("$.to", stringValue="1203"), value("$.sum", numberValue=5))
        + END
    )
    read = frames(data)
    assert streamed(data) == ["text 0:x", 'call 0.0:pay({"to":"DE021203","sum":5})']
    sent = [json.loads(frame.raw.removeprefix(b"data: "))["candidates"][0]["content"]["parts"] for frame in read[1:5]]
    whole = {"name": "pay", "args": {"to": "DE021203", "sum": 5}, "id": "c1"}
    assert sent == [[], [], [], [{"functionCall": whole, "thoughtSignature": "AA=="}]]
    assert [frame.raw for frame in read if b"willContinue" in frame.raw or b"partialArgs" in frame.raw] == []
    assert read[0].raw + read[5].raw == chunk(candidate("x", finish=None)) + chunk(candidate())
    assert streamed(b"".join(frame.raw for frame in read)) == streamed(data), "what goes on reads the same"


def test_arguments_of_all_kinds() -> None:
    data = piece(
        value("$.a.b", stringValue=""), value("$.a['c d']", boolValue=True), value('$["e"]', nullValue=None),
        value("$.f", nullValue="NULL_VALUE"), value("$.g[0]", numberValue=1.5), value("$.g[1].h", stringValue="i"),
        value("$.g[1].j[0]", stringValue="k"), value("$.l", more=True), value("$.l"), name="f",
    )  # fmt: skip
    assert arguments(data + END) == {
        "a": {"b": "", "c d": True}, "e": None, "f": None, "g": [1.5, {"h": "i", "j": ["k"]}], "l": "",
    }  # fmt: skip


def test_the_last_piece_may_hold_arguments_and_calls_may_follow_each_other() -> None:
    data = (
        piece(name="f")
        + piece(value("$.a", stringValue="b"), more=False)
        + piece(value("$.c", numberValue=1), name="g", more=False)
    )
    assert streamed(data + chunk(candidate())) == ['call 0.0:f({"a":"b"})', 'call 0.1:g({"c":1})']


def test_candidates_have_calls_of_their_own() -> None:
    def both(*calls: dict[str, Any]) -> bytes:
        return chunk(*(candidate({"functionCall": c}, finish=None, index=n) for n, c in enumerate(calls)))

    data = both({"name": "f", "willContinue": True}, {"name": "g", "willContinue": True}) + both({}, {})
    assert streamed(data + chunk(candidate(), candidate(index=1))) == ["call 0.0:f({})", "call 1.0:g({})"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (piece(name="f") + piece(name="g"), "begins before the end"),
        (piece(name="f", id="1") + piece(id="2"), "begins before the end"),
        (piece(name="f") + chunk(candidate({"functionCall": {"name": "f", "args": {"a": 1}}})), "more than its piece"),
        (piece(name="f", args={"a": 1}), "more than its piece"),
        (piece(name="f", aside="boo"), "more than its piece"),
        (chunk(candidate({"functionCall": {"name": "f", "willContinue": True}, "aside": 1})), "more than its piece"),
        (piece(value("$.a", stringValue="x", numberValue=1), name="f"), "two things at once"),
        (piece(value("$.a", stringValue="x", aside="boo"), name="f"), "an unknown one"),
        (piece(value("$.a", stringValue="x"), value("$.a", stringValue="y"), name="f"), "said twice"),
        (piece(value("$.a", stringValue="x"), value("$.a", numberValue=1), name="f"), "said twice"),
        (piece(value("$.a", numberValue=0), value("$.a", stringValue="x"), name="f"), "said twice"),
        (piece(value("$.a", nullValue=None), value("$.a", more=True), name="f"), "said twice"),
        (piece(value("$.a", stringValue=""), value("$.a", stringValue="x"), name="f"), "said twice"),
        (piece(value("$.a", more=True, numberValue=1), name="f"), "or is none"),
        (piece(value("$.a", numberValue="1"), name="f"), "or is none"),
        (piece(value("$.a", boolValue=1), name="f"), "or is none"),
        (piece(value("$.a", nullValue="text"), name="f"), "or is none"),
        (piece(value("$.a"), name="f"), "or is none"),
        (piece(value("$.a", stringValue=0), name="f"), "expected a text"),
        (piece(value("$.a", stringValue="x"), value("$.a.b", stringValue="y"), name="f") + END, "do not fit"),
        (piece(value("$.a.b", stringValue="x"), value("$.a", stringValue="y"), name="f") + END, "do not fit"),
        (piece(value("$.a.b", stringValue="x"), value("$.a[0]", stringValue="y"), name="f") + END, "do not fit"),
        (piece(value("$.a[1]", stringValue="x"), name="f") + END, "do not fit"),
        (piece(value("$[0]", stringValue="x"), name="f") + END, "do not fit"),
        *((piece(value(path, stringValue="x"), name="f"), "not understood") for path in (
            "", "$", "a", "$.", "$..a", "$.*", "$.a[*]", "$.a[-1]", "$.a[0:1]", "$['a\\'b']", "$.a b", "$" + ".a" * 33,
            "$.a[?@.b]", "$a",
        )),
        (piece(willContinue="yes", name="f", more=False), "true or false"),
        (piece() + END, "names no function"),
        (piece(name="f") + chunk(candidate()), "before the answer was complete"),
        (chunk(candidate({"functionCall": {}})), "names no function"),
    ],
)  # fmt: skip
def test_pieces_that_fit_in_two_ways_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        frames(data)


def fed(*data: bytes) -> list[Frame]:
    reader = ADAPTER.reader()
    return [frame for part in data for frame in reader.feed(part)]


def test_a_call_in_pieces_is_bounded() -> None:
    long = "x" * 1_000_000
    with pytest.raises(ProtocolError, match="too long"):
        fed(piece(name="f"), *[piece(value("$.a", more=True, stringValue=long))] * (MOST_CHARS // len(long) + 1))
    with pytest.raises(ProtocolError, match="too long"):
        fed(piece(*(value(f"$.a{n}", boolValue=True) for n in range(MOST_LEAVES + 2)), name="f"))
