"""MCP through a real gateway: who may come in, servers that speak HTTP, and clients that do not behave."""

import asyncio
import json

import pytest

from interlock.guard.mcp.settings import McpServer
from interlock.mcp import messages
from interlock.mcp.eras import LEGACY
from interlock.model.record import RecordKind, Verdict
from interlock.testing.raw import Move, RawServer, Step
from tests.gateway.mcp_wire import CREDENTIAL, HOUR, McpWire, mcp_wire, token
from tests.gateway.wire import END, STREAM_HEAD, chunk, head, run, until

LIST: dict[str, object] = {"tools": [{"name": "read_mail", "description": "Read.", "inputSchema": {"type": "object"}}]}
ABOUT: dict[str, object] = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
DONE: dict[str, object] = {"content": [{"type": "text", "text": "done"}]}


def said(id_: int, result: dict[str, object]) -> bytes:
    body = messages.result(id_, result)
    return head(content_type="application/json", content_length=len(body)) + body


# The gateway numbers its requests to a server: the probe is 1, the list 2, the call 3.
FOUND: list[Step] = [Move.READ, said(1, ABOUT), Move.READ, said(2, LIST), Move.READ]


def at(server: RawServer, **more: object) -> McpServer:
    return McpServer(url=f"{server.url}/mcp", **more)  # type: ignore[arg-type]


# --- who may come in -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "host", "status"),
    [
        (("Origin: https://evil.example",), "localhost", 403),
        (("Origin: null",), "localhost", 403),
        (("Origin: http://localhost.evil.example",), "localhost", 403),
        ((), "evil.example", 403),
        ((), "localhost.evil.example:80", 403),
        (("Origin: http://localhost:6274",), "127.0.0.1:7700", 502),
        ((), "[::1]:7700", 502),
    ],
)
def test_pages_of_elsewhere_are_refused(headers: tuple[str, ...], host: str, status: int) -> None:
    async def work() -> None:
        async with mcp_wire(McpServer(url="http://127.0.0.1:9/mcp")) as wire:
            answer = await wire.ask("tools/list", {}, *headers, host=host)
            assert answer.status == status
            assert wire.gate.records()[0].status == status

    run(work)


def shown() -> dict[str, tuple[str, str]]:
    """What is presented, as (Authorization, Interlock-Task)."""
    good = token()
    return {
        "nothing": ("", ""),
        "a key of elsewhere": ("ilk_" + "a" * 10 + "_" + "a" * 59, ""),
        "a forged task": (token(key=b"x" * 32), ""),
        "a changed task": (good[:-2] + "AA", ""),
        "an expired task": (token(life=1_000, ago=2_000), ""),
        "a task from the future": (token(ago=-HOUR), ""),
        "a forged task beside the key": ("key", token(key=b"x" * 32)),
        "another workload's task beside the key": ("key", token("other")),
    }


@pytest.mark.parametrize("how", shown())
def test_who_cannot_prove_it_is_refused_and_recorded(how: str) -> None:
    async def work() -> None:
        async with mcp_wire(McpServer(url="http://127.0.0.1:9/mcp")) as wire:
            credential, task = shown()[how]
            key = wire.gate.key if credential == "key" else credential
            answer = await wire.ask("tools/list", {}, *([f"Interlock-Task: {task}"] if task else []), shown=key)
            assert answer.status == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            (record,) = wire.gate.refusals()
            assert record.reason
            assert task not in record.reason or not task

    run(work)


@pytest.mark.parametrize("with_key", [True, False])
def test_a_task_proves_the_workload_alone_or_beside_the_key(with_key: bool) -> None:
    async def work() -> None:
        async with RawServer([[*FOUND, said(3, DONE), Move.HOLD]]) as server, mcp_wire(at(server)) as wire:
            task, call = token(), {"name": "read_mail", "arguments": {}}
            if with_key:
                answer = await wire.ask("tools/call", call, f"Interlock-Task: {task}")
            else:
                answer = await wire.ask("tools/call", call, shown=task)
            assert json.loads(answer.body)["result"]["content"] == DONE["content"]
            assert {record.workload for record in wire.gate.records()} == {"w"}
            assert all(record.session for record in wire.gate.records())
            asked = b"".join(server.asked)
            assert asked.count(f"authorization: Bearer {CREDENTIAL}".encode()) == 3
            assert task.encode() not in asked
            assert wire.gate.key.encode() not in asked

    run(work)


def test_a_server_that_is_not_there_and_a_method_that_is_none() -> None:
    async def work() -> None:
        async with mcp_wire(McpServer(url="http://127.0.0.1:9/mcp")) as wire:
            assert (await wire.ask("tools/list", path="/mcp/other")).status == 404
            put = wire.request("tools/list").replace(b"POST", b"PUT", 1)
            assert (await wire.gate.ask(put)).status == 405
            get = await wire.gate.ask(wire.request("tools/list").replace(b"POST", b"GET", 1))
            assert (get.status, get.headers["allow"]) == (405, "POST, DELETE")

    run(work)


# --- servers that speak HTTP ---------------------------------------------------------------------------------


def test_an_answer_as_a_stream_of_events() -> None:
    async def work() -> None:
        events = [b": ping\r\n\r\n", b"event: message\r\ndata: " + messages.result(3, DONE) + b"\r\n\r\n"]
        play = [*FOUND, STREAM_HEAD + b"".join(map(chunk, events)) + END, Move.HOLD]
        async with RawServer([play]) as server, mcp_wire(at(server)) as wire:
            assert (await wire.call("read_mail"))["result"]["content"] == DONE["content"]
            assert [pin.tool for pin in wire.kept] == ["read_mail"]

    run(work)


def test_a_client_of_the_older_era_and_a_server_of_the_older_era() -> None:
    async def work() -> None:
        hello: dict[str, object] = {
            "protocolVersion": LEGACY[0],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "o"},
        }
        body = messages.result(1, hello)
        opened = head(content_type="application/json", content_length=len(body), mcp_session_id="up-1") + body
        play: list[Step] = [
            Move.READ, opened, Move.READ, head(202, content_length=0), Move.READ, said(2, LIST),
            Move.READ, head(200, content_length=0), Move.HOLD,
        ]  # fmt: skip
        async with RawServer([play]) as server, mcp_wire(at(server)) as wire:
            said_ = messages.request("a", "initialize", {"protocolVersion": LEGACY[0], "capabilities": {}})
            lines = [f"Authorization: Bearer {wire.gate.key}", "Host: localhost"]
            post = "\r\n".join(["POST /mcp/s HTTP/1.1", *lines, f"Content-Length: {len(said_)}", "", ""]).encode()
            answer = await wire.gate.ask(post + said_)
            assert json.loads(answer.body)["id"] == "a"
            session = answer.headers["mcp-session-id"]
            assert session == "session-0"
            ended = "\r\n".join(["DELETE /mcp/s HTTP/1.1", *lines, f"Mcp-Session-Id: {session}", "", ""]).encode()
            assert (await wire.gate.ask(ended)).status == 200
            assert server.asked[-1].startswith(b"DELETE /v1/mcp ")
            assert b"mcp-session-id: up-1" in server.asked[-1]

    run(work)


@pytest.mark.parametrize(
    "end",
    [
        [Move.RESET],
        [head(content_type="application/json", content_length=500) + b'{"jsonrpc"', Move.END],
        [STREAM_HEAD + chunk(b"data: {"), Move.RESET],
        [STREAM_HEAD + END, Move.HOLD],
        [head(500, content_length=0), Move.HOLD],
        [b"not HTTP at all\r\n\r\n", Move.HOLD],
    ],
    ids=["reset", "half a body", "half a stream", "no answer", "500", "no HTTP"],
)
def test_a_server_that_dies_in_the_middle_of_a_call(end: list[Step]) -> None:
    async def work() -> None:
        async with RawServer([[*FOUND, *end]]) as server, mcp_wire(at(server)) as wire:
            answer = await wire.call("read_mail")
            assert answer["error"]["code"] == messages.INTERNAL_ERROR
            assert wire.gate.records()[-1].verdict is Verdict.FAILED
            assert not wire.gate.gateway.performing
            assert wire.gate.said == []

    run(work)


def test_an_endless_answer_is_cut() -> None:
    async def work() -> None:
        endless = STREAM_HEAD + chunk(b"data: " + b"x" * 50_000)
        async with (
            RawServer([[*FOUND, endless, Move.HOLD]]) as server,
            mcp_wire(at(server, max_result_bytes=10_000), max_body_bytes=40_000) as wire,
        ):
            answer = await wire.call("read_mail")
            assert answer["error"]["code"] == messages.INTERNAL_ERROR
            assert "over" in wire.gate.records()[-1].reason

    run(work)


def test_a_client_that_vanishes_ends_the_call_and_leaves_a_record() -> None:
    async def work() -> None:
        async with RawServer([[*FOUND, Move.HOLD]]) as server, mcp_wire(at(server)) as wire:
            async with wire.gate.client() as client:
                client.send(wire.request("tools/call", {"name": "read_mail", "arguments": {}}))
                await until(lambda: len(server.asked) == 3)
            await server.gone.wait()
            await until(lambda: not wire.gate.gateway.performing)
            assert wire.gate.records()[-1].status == 499

    run(work)


def test_two_clients_with_the_same_id_get_their_own_answers() -> None:
    async def work() -> None:
        play = [*FOUND, said(3, DONE), Move.READ, said(4, LIST), Move.HOLD]
        async with RawServer([play]) as server, mcp_wire(at(server)) as wire:
            await wire.call("read_mail")
            first, second = await asyncio.gather(wire.ask("tools/list"), _unknown(wire))
            assert "result" in json.loads(first.body)
            assert second["error"]["code"] == messages.METHOD_NOT_FOUND
            assert len({record.request for record in wire.gate.records()}) == 3

    run(work)


async def _unknown(wire: McpWire) -> dict[str, dict[str, object]]:
    said_: dict[str, dict[str, object]] = json.loads((await wire.ask("no/such")).body)
    return said_


def test_a_message_that_is_none_is_refused_and_recorded() -> None:
    async def work() -> None:
        async with mcp_wire(McpServer(url="http://127.0.0.1:9/mcp")) as wire:
            for body in (b"", b"{", b"[]", b'{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}', b"\xff"):
                answer = await wire.ask("ping", body=body)
                assert answer.status == 400
                assert json.loads(answer.body)["error"]["code"] in (-32700, -32600)
            assert len(wire.gate.records(RecordKind.REFUSAL)) == 5

    run(work)
