"""Clients of one workload share a program: what it says in the call of one of them reaches no other."""

import json
import os
import sys
from pathlib import Path

import pytest

from interlock.guard.mcp.settings import McpServer
from interlock.mcp import messages
from tests.gateway.mcp_wire import McpWire, mcp_wire
from tests.gateway.wire import run, until

PROGRAM = Path(__file__).with_name("mcp_talker.py")
SERVER = McpServer(command=(sys.executable, str(PROGRAM)), offers=("sampling",))
ENV = {"PATH": os.environ["PATH"]}


def call(name: str, id_: int) -> bytes:
    return messages.request(id_, "tools/call", {"name": name, "arguments": {}})


async def heard(wire: McpWire, session: str, name: str, id_: int) -> list[str]:
    """The methods of what a client hears in its call, but for the answer."""
    answer = await wire.gate.ask(wire.legacy(call(name, id_), session))
    lines = [line.removeprefix(b"data: ") for line in answer.body.splitlines() if line.startswith(b"data: {")]
    return [json.loads(line)["method"] for line in lines if b'"method"' in line]


def test_what_is_logged_in_a_call_is_for_its_client_alone() -> None:
    async def work() -> None:
        async with mcp_wire(SERVER, ENV) as wire, wire.gate.client() as spy:
            session, own = await wire.connect(), await wire.connect()
            spy.send(wire.legacy(b"", own, http="GET"))
            assert b"200 OK" in await spy.head()
            assert await heard(wire, session, "read_logged", 5) == ["notifications/message"]
            # What the listener hears next is a change: of the call it has heard nothing.
            await heard(wire, session, "read_changes", 6)
            assert b"list_changed" in await anext(spy.chunks())

    run(work)


@pytest.mark.parametrize("says", ["read_logged", "read_asking"])
def test_with_two_calls_nobody_can_tell_whose_it_is(says: str) -> None:
    async def work() -> None:
        async with mcp_wire(SERVER, ENV) as wire, wire.gate.client() as other, wire.gate.client() as spy:
            session, own = await wire.connect({"sampling": {}}), await wire.connect({"sampling": {}})
            spy.send(wire.legacy(b"", own, http="GET"))
            assert b"200 OK" in await spy.head()
            other.send(wire.legacy(call("read_nothing", 4), own))
            waiting = wire.door.programs["s"]._running["w"]._waiting
            await until(lambda: len(waiting) == 1)
            assert await heard(wire, session, says, 5) == []
            await heard(wire, session, "read_changes", 6)
            assert b"list_changed" in await anext(spy.chunks())
            if says == "read_asking":
                records = [
                    one for one in wire.gate.records() if any(step.kind == "server_request" for step in one.steps)
                ]
                assert [one.workload for one in records] == ["w"]

    run(work)
