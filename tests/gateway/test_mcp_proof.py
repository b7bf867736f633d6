"""Streams of an MCP server end with the credential that opened them; a call that began in time may end."""

import asyncio
import json
from dataclasses import replace

import pytest

from interlock.mcp import messages
from interlock.model.record import RecordKind, Verdict
from interlock.testing.raw import Move, RawServer, Step
from tests.gateway.mcp_wire import McpWire, mcp_wire, token
from tests.gateway.test_mcp import DONE, FOUND, at, said
from tests.gateway.test_mcp_both_ways import OPENED
from tests.gateway.wire import STREAM_HEAD, chunk, run, until
from tests.identity.provider import provider
from tests.identity.test_tokens import issuers

CHANGED = messages.notification("notifications/tools/list_changed")
STREAM: list[Step] = [Move.READ, STREAM_HEAD + chunk(b"data: " + CHANGED + b"\n\n"), Move.HOLD]
CALL = {"name": "read_mail", "arguments": {}}
YEAR_US = 365 * 24 * 3_600_000_000


def sweep(wire: McpWire) -> None:
    wire.gate.gateway.sweep(asyncio.get_running_loop().time())


def later(wire: McpWire) -> None:
    """A year goes by."""
    rules = wire.gate.gateway.rules
    wire.gate.gateway.rules = replace(rules, now_us=lambda: rules.now_us() + YEAR_US)


async def left(wire: McpWire, server: RawServer) -> str:
    """What the log says of a stream that has ended on both sides."""
    await server.gone.wait()
    await until(lambda: not wire.gate.gateway.performing)
    answer = wire.gate.records(RecordKind.ANSWER)[-1]
    assert (answer.status, answer.verdict) == (401, Verdict.FAILED)
    return answer.reason


def test_a_stream_opened_with_get_ends_when_its_key_is_revoked() -> None:
    async def work() -> None:
        async with RawServer([[*OPENED, *STREAM]]) as server, mcp_wire(at(server)) as wire:
            session = await wire.connect()
            async with wire.gate.client() as client:
                client.send(wire.legacy(b"", session, http="GET"))
                await client.head()
                chunks = client.chunks()
                assert CHANGED in await anext(chunks)
                sweep(wire)
                assert wire.gate.gateway.performing
                wire.gate.gateway.keyring.replace(())
                sweep(wire)
                assert [piece async for piece in chunks] == []
                assert "is unknown" in await left(wire, server)

    run(work)


@pytest.mark.parametrize("how", ["task", "token"])
def test_what_a_client_listens_to_ends_when_its_credential_expires(how: str) -> None:
    async def work() -> None:
        async with provider() as login, RawServer([[*FOUND, *STREAM[1:]]]) as server, mcp_wire(at(server)) as wire:
            wire.gate.gateway.issuers = issuers(login)
            shown = login.token() if how == "token" else token()
            assert "result" in (await wire.ask("tools/list", shown=shown)).body.decode()
            asked = {"notifications": {"toolsListChanged": True}}
            async with wire.gate.client() as client:
                client.send(wire.request("subscriptions/listen", asked, shown=shown))
                await client.head()
                chunks = client.chunks()
                await anext(chunks)
                sweep(wire)
                assert wire.gate.gateway.performing
                later(wire)
                sweep(wire)
                assert [piece async for piece in chunks]
                assert "expired" in await left(wire, server)

    run(work)


def test_a_call_ends_when_its_key_is_revoked() -> None:
    async def work() -> None:
        async with (
            RawServer([[*FOUND, Move.HOLD]]) as server,
            mcp_wire(at(server)) as wire,
            wire.gate.client() as client,
        ):
            client.send(wire.request("tools/call", CALL))
            await until(lambda: len(server.asked) == 3)
            wire.gate.gateway.keyring.replace(())
            sweep(wire)
            assert "error" in json.loads((await client.answer()).body)
            assert "is unknown" in await left(wire, server)

    run(work)


def test_a_call_whose_task_expires_meanwhile_has_its_answer() -> None:
    async def work() -> None:
        go = asyncio.Event()
        play: list[Step] = [*FOUND, go, said(3, DONE), Move.HOLD]
        async with RawServer([play]) as server, mcp_wire(at(server)) as wire, wire.gate.client() as client:
            client.send(wire.request("tools/call", CALL, shown=token()))
            await until(lambda: len(server.asked) == 3)
            later(wire)
            sweep(wire)
            go.set()
            assert json.loads((await client.answer()).body)["result"]["content"] == DONE["content"]

    run(work)


@pytest.mark.parametrize("era", ["older", "newer"])
def test_a_client_that_stops_listening_is_no_failure(era: str) -> None:
    async def work() -> None:
        play: list[Step] = [*OPENED, *STREAM] if era == "older" else [*FOUND, *STREAM[1:]]
        async with RawServer([play]) as server, mcp_wire(at(server)) as wire:
            request = wire.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
            if era == "older":
                request = wire.legacy(b"", await wire.connect(), http="GET")
            else:
                await wire.ask("tools/list")
            async with wire.gate.client() as client:
                client.send(request)
                await client.head()
                await anext(client.chunks())
            await server.gone.wait()
            await until(lambda: not wire.gate.gateway.performing)
            answer = wire.gate.records(RecordKind.ANSWER)[-1]
            assert (answer.status, answer.verdict, answer.reason) == (200, Verdict.ALLOWED, "")

    run(work)
