"""A server is used for the first time once: what it offered then, or that it offered nothing, outlasts a restart."""

from typing import Any

import pytest

from interlock.guard.mcp.state import Catalogue
from interlock.mcp.inspection import INSTRUCTIONS
from interlock.mcp.pins import Standing
from tests.guard.mcp.play import TOOLS, Fake, Gate, tool

LIST = "tools/list"


@pytest.mark.parametrize("first", [[], [tool("bad name!", "Read it.")]], ids=["nothing", "a name that is none"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_server_that_offered_nothing_was_used(first: list[dict[str, Any]], restarted: bool) -> None:
    gate = Gate(fake=Fake(tools=first))
    assert gate.play(LIST).names == []
    if restarted:
        gate.server.catalogue = Catalogue("s", "first-use", gate.kept.values())
    gate.fake.tools = list(TOOLS)
    assert gate.play(LIST).names == []
    assert {gate.kept[one["name"]].standing for one in TOOLS} == {Standing.NEW}


def test_a_server_without_tools_was_used_too() -> None:
    gate = Gate(fake=Fake(capabilities={"resources": {}}))
    gate.play(LIST)
    gate.fake.capabilities, gate.server.shared = {"tools": {}}, None
    gate.server.catalogue.expire()
    assert gate.play(LIST).names == []


def test_instructions_that_come_later_wait() -> None:
    gate = Gate(fake=Fake(tools=[]))
    gate.play(LIST)
    gate.fake.instructions, gate.server.shared = "Be kind.", None
    gate.server.catalogue.expire()
    assert "instructions" not in gate.play("server/discover").answer["result"]
    assert gate.kept[INSTRUCTIONS].standing is Standing.CHANGED


def test_what_is_kept_of_nothing_is_kept_once() -> None:
    gate = Gate(fake=Fake(tools=[]))
    for _ in range(3):
        gate.play(LIST)
    assert (gate.order.count("keep"), list(gate.kept)) == (1, [INSTRUCTIONS])
