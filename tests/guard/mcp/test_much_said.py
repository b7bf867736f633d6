"""One answer that says thousands of things: records of bounded length, and a result of bounded parts."""

from typing import Any

import pytest

from interlock.guard.mcp.approving import _STATE
from interlock.guard.mcp.content import MOST_BLOCKS, WITHHELD
from interlock.guard.mcp.link import MOST_STEPS
from interlock.guard.mcp.settings import check_names
from interlock.mcp import messages
from interlock.mcp.eras import LEGACY
from interlock.model.errors import ConfigError
from tests.guard.mcp.play import Fake, Gate


def test_what_is_said_before_an_answer_comes_into_several_records() -> None:
    said = messages.notification("notifications/message", {"level": "info", "data": "x"})
    count = 3 * MOST_STEPS + 7

    def aside(asked: Any) -> list[bytes]:
        return [said] * count if asked["method"] == "tools/call" else []

    gate = Gate(fake=Fake(aside=aside, modern=False))
    gate.play("initialize", {"capabilities": {}, "protocolVersion": LEGACY[0]}, modern=False)
    gate.play("tools/call", {"name": "read_mail"}, modern=False)
    assert max(len(record.steps) for record in gate.records) <= MOST_STEPS
    assert len(gate.steps("tool_result")) == count + 1


@pytest.mark.parametrize(("more", "told"), [(0, "x"), (1, WITHHELD)])
def test_a_result_has_so_many_parts(more: int, told: str) -> None:
    parts = [{"type": "text", "text": "x"}] * (MOST_BLOCKS + more)
    gate = Gate(fake=Fake(results={"read_mail": {"content": parts}}))
    assert gate.play("tools/call", {"name": "read_mail"}).text == told
    assert bool(gate.blocked()) == bool(more)


def test_a_state_has_plain_digits() -> None:
    assert _STATE.fullmatch("ila1.a-1.12.0123abcd")
    assert not _STATE.fullmatch("ila1.a-1.\u0661\u0662.0123abcd")


@pytest.mark.parametrize(
    ("names", "separator", "wrong"),
    [(("a", "a__b"), "__", "a__b"), (("a__b",), "__", "a__b"), (("a", "a_"), "__", "a_"), (("a", "a-b"), "-", "a-b")],
)
def test_names_that_could_be_taken_for_each_other_are_refused(
    names: tuple[str, ...], separator: str, wrong: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        check_names(names, separator)
    assert refused.value.where == wrong
    assert refused.value.hint
    check_names((*"ab", "a_b", "a-b"), "__")
