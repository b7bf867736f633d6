"""Messages come out whole however their bytes were cut, and none is longer than its limit."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.mcp.framing import Framing, Messages, event
from interlock.model.errors import ProtocolError

SAID = [b'{"a":1}', b'{"b":"\\n"}', b'{"c":[]}']
WHOLE = {
    Framing.BODY: (b'{"a":1}', [b'{"a":1}']),
    Framing.EVENTS: (b": ping\n\nid: 1\ndata: \n\n" + b"".join(map(event, SAID)) + b"event: other\ndata: {}\n\n", SAID),
    Framing.LINES: (b"\n".join(SAID) + b"\n\n", SAID),
}


@pytest.mark.parametrize("framing", Framing)
@given(cuts=st.lists(st.integers(0, 120), max_size=6))
def test_cuts_change_nothing(framing: Framing, cuts: list[int]) -> None:
    data, messages = WHOLE[framing]
    at = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    reader = Messages(framing, 1_000)
    found = [one for start, end in itertools.pairwise(at) for one in reader.feed(data[start:end])]
    assert found + reader.end() == messages


@pytest.mark.parametrize("framing", Framing)
def test_a_message_that_is_too_long_is_refused(framing: Framing) -> None:
    reader = Messages(framing, 100)
    with pytest.raises(ProtocolError, match="over 100 bytes"):
        reader.feed({Framing.EVENTS: event(b"x" * 101)}.get(framing, b"x" * 101))


@pytest.mark.parametrize("framing", [Framing.EVENTS, Framing.LINES])
def test_a_message_that_was_cut_is_refused(framing: Framing) -> None:
    reader = Messages(framing, 1_000)
    assert reader.feed(b'data: {"a"') == []
    with pytest.raises(ProtocolError):
        reader.end()
