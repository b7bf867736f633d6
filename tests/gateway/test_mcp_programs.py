"""MCP servers that are programs: what is started, what they see, and what becomes of it when they misbehave."""

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from interlock.guard.mcp.settings import McpServer
from interlock.mcp import messages
from interlock.model.record import RecordKind
from tests.gateway.mcp_wire import mcp_wire
from tests.gateway.wire import run, until

PROGRAM = Path(__file__).with_name("mcp_program.py")
COMMAND = (sys.executable, str(PROGRAM))
ENV = {"PATH": os.environ["PATH"], "NOTES_KEY": "k", "SECRET": "s", "HOME": "/nowhere"}


def server(**more: object) -> McpServer:
    return McpServer(command=COMMAND, **more)  # type: ignore[arg-type]


def test_a_program_sees_the_variables_that_were_named_and_no_others() -> None:
    async def work() -> None:
        async with mcp_wire(server(env=("NOTES_KEY",)), ENV) as wire:
            seen = set((await wire.call("read_names"))["result"]["content"][0]["text"].split())
            assert {"PATH", "HOME", "NOTES_KEY"} <= seen
            assert "SECRET" not in seen

    run(work)


def test_only_the_file_that_was_approved_is_started() -> None:
    async def work(digest: str, ok: bool) -> None:
        async with mcp_wire(server(sha256=digest), ENV) as wire:
            answer = await wire.call("read_names")
            assert ("result" in answer) == ok
            if not ok:
                assert "is not started" in wire.gate.records()[-1].reason

    right = hashlib.sha256(Path(sys.executable).read_bytes()).hexdigest()
    run(lambda: work(right, True))
    run(lambda: work("0" * 64, False))


def test_a_program_that_is_not_there() -> None:
    async def work() -> None:
        async with mcp_wire(McpServer(command=("no-such-program-here; ls",)), ENV) as wire:
            assert (await wire.call("read_names"))["error"]["code"] == messages.INTERNAL_ERROR

    run(work)


@pytest.mark.parametrize(
    ("tool", "reason"),
    [("read_crash", "ended before"), ("read_junk", "no message"), ("read_endless", "too long")],
)
def test_a_program_that_breaks_is_ended_and_started_again(tool: str, reason: str) -> None:
    async def work() -> None:
        async with mcp_wire(server(max_result_bytes=100_000), ENV) as wire:
            assert (await wire.call(tool))["error"]["code"] == messages.INTERNAL_ERROR
            assert reason in wire.gate.records()[-1].reason
            assert "result" in await wire.call("read_names")
            assert wire.gate.said == []

    run(work)


def test_what_a_program_asks_its_client_is_refused_and_recorded() -> None:
    async def work() -> None:
        async with mcp_wire(server(), ENV) as wire:
            answer = await wire.call("read_asking")
            assert answer["result"]["content"][0]["text"] == "told not permitted"
            (record,) = [record for record in wire.gate.records(RecordKind.ANSWER) if record.steps]
            asked = next(step for step in record.steps if step.kind == "server_request")
            assert (record.workload, asked.tool) == ("w", "sampling/createMessage")

    run(work)


def test_a_program_that_does_not_answer_in_time() -> None:
    async def work() -> None:
        async with mcp_wire(server(), ENV) as wire:
            async with wire.gate.client() as client:
                client.send(wire.request("tools/call", {"name": "read_nothing", "arguments": {}}))
                await until(lambda: bool(wire.gate.records()))
                wire.door.sweep(float("inf"))
                answer = await client.answer()
            assert (answer.status, json.loads(answer.body)["id"]) == (504, 1)

    run(work)


def test_each_workload_has_a_program_of_its_own() -> None:
    async def work() -> None:
        from tests.gateway.mcp_wire import token

        async with mcp_wire(server(), ENV) as wire:
            await wire.call("read_names")
            await wire.ask("tools/call", {"name": "read_names", "arguments": {}}, shown=token("other"))
            running = wire.door.programs["s"]._running
            assert set(running) == {"w", "other"}
        assert not any(program.is_running for program in running.values())

    run(work)
