"""MCP through a real gateway, from the server's side: what it asks, what it says unasked, and odd things it lists."""

import asyncio
import json
from typing import Any

import pytest

from interlock.guard.mcp.settings import OFFERS, McpServer
from interlock.mcp import messages
from interlock.mcp.eras import CAPABILITIES_META, MODERN, VERSION_META
from interlock.mcp.framing import event
from interlock.model.record import RecordKind, Verdict
from interlock.testing.raw import Move, RawServer, Step
from tests.gateway.mcp_wire import McpWire, mcp_wire, token
from tests.gateway.test_mcp import ABOUT, DONE, FOUND, LIST, said
from tests.gateway.test_mcp_programs import COMMAND, ENV
from tests.gateway.wire import END, STREAM_HEAD, chunk, head, run, until

READ: dict[str, Any] = {"name": "read_mail", "arguments": {}}
HELLO: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "o"}}
# A server of the older era: the handshake is 1, the list 2, the call 3.
OPENED: list[Step] = [
    Move.READ, head(content_type="application/json", content_length=len(messages.result(1, HELLO)), mcp_session_id="u")
    + messages.result(1, HELLO), Move.READ, head(202, content_length=0), Move.READ, said(2, LIST),
]  # fmt: skip
TOLD: list[Step] = [Move.READ, head(202, content_length=0), Move.HOLD]


def at(server: RawServer, **more: Any) -> McpServer:
    return McpServer(url=f"{server.url}/mcp", **more)


def events(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(one.partition(b"data: ")[2]) for one in data.split(b"\n\n") if b"data: " in one]


# --- what it asks --------------------------------------------------------------------------------------------


def test_a_question_and_its_answer_travel_on_connections_of_their_own() -> None:
    async def work() -> None:
        answered = asyncio.Event()
        asks = messages.request("q", "roots/list", {})
        call: list[Step] = [Move.READ, STREAM_HEAD + chunk(event(asks)), answered]
        done: list[Step] = [chunk(event(messages.result(3, DONE))) + END, Move.HOLD]
        async with (
            RawServer([[*OPENED, *call, *done], TOLD]) as server,
            mcp_wire(at(server, offers=OFFERS)) as wire,
            wire.gate.client() as client,
        ):
            session = await wire.connect({"roots": {}})
            client.send(wire.legacy(messages.request(5, "tools/call", READ), session))
            assert b"text/event-stream" in await client.head()
            chunks = client.chunks()
            (asked,) = events(await anext(chunks))
            assert (asked["method"], asked["id"] != "q") == ("roots/list", True)
            roots = {"roots": [{"uri": "file:///srv"}]}
            answer = await wire.gate.ask(wire.legacy(messages.result(asked["id"], roots), session))
            assert answer.status == 202
            await until(lambda: any(b'"id":"q"' in one for one in server.asked))
            answered.set()
            (last,) = events(b"".join([piece async for piece in chunks]))
            assert (last["id"], last["result"]["content"]) == (5, DONE["content"])
            again = await wire.gate.ask(wire.legacy(messages.result(asked["id"], roots), session))
            assert again.status == 400

    run(work)


def test_a_client_that_goes_while_it_is_asked_ends_the_call() -> None:
    async def work() -> None:
        asks = messages.request("q", "roots/list", {})
        call: list[Step] = [Move.READ, STREAM_HEAD + chunk(event(asks)), Move.HOLD]
        async with (
            RawServer([[*OPENED, *call], TOLD]) as server,
            mcp_wire(at(server, offers=OFFERS)) as wire,
        ):
            session = await wire.connect({"roots": {}})
            async with wire.gate.client() as client:
                client.send(wire.legacy(messages.request(5, "tools/call", READ), session))
                await client.head()
            await until(lambda: any(b"notifications/cancelled" in one for one in server.asked))
            await until(lambda: not wire.gate.gateway.performing)
            assert not wire.server.sessions.get(session).asked  # type: ignore[union-attr]
            assert wire.gate.records()[-1].status == 499

    run(work)


# --- what it says unasked ------------------------------------------------------------------------------------


def test_a_stream_opened_with_get_keeps_the_ids_and_ends_with_its_client() -> None:
    async def work() -> None:
        changed = messages.notification("notifications/tools/list_changed")
        line = b"id: 42\nevent: message\ndata: " + changed + b"\n\n"
        stream: list[Step] = [Move.READ, STREAM_HEAD + chunk(line), Move.HOLD]
        async with RawServer([[*OPENED, *stream]]) as server, mcp_wire(at(server)) as wire:
            session = await wire.connect()
            async with wire.gate.client() as client:
                client.send(wire.legacy(b"", session, http="GET").replace(b"Accept", b"Last-Event-ID: 41\r\nAccept"))
                assert b"200 OK" in await client.head()
                said_ = await anext(client.chunks())
                assert b"id: 42\n" in said_
                assert events(said_)[0]["method"] == "notifications/tools/list_changed"
                assert b"last-event-id: 41" in server.asked[-1]
            await server.gone.wait()
            await until(lambda: not wire.gate.gateway.performing)

    run(work)


def test_a_request_is_cancelled_by_a_message() -> None:
    async def work() -> None:
        async with (
            RawServer([[*OPENED, Move.READ, Move.HOLD], TOLD]) as server,
            mcp_wire(at(server)) as wire,
            wire.gate.client() as client,
        ):
            session = await wire.connect()
            client.send(wire.legacy(messages.request(5, "tools/call", READ), session))
            await until(lambda: len(server.asked) == 4)
            twice = await wire.gate.ask(wire.legacy(messages.request(5, "tools/call", READ), session))
            assert json.loads(twice.body)["error"]["code"] == messages.INVALID_REQUEST
            other = messages.notification("notifications/cancelled", {"requestId": 6})
            assert (await wire.gate.ask(wire.legacy(other, session))).status == 202
            assert wire.server.under_way
            cancel = messages.notification("notifications/cancelled", {"requestId": 5})
            assert (await wire.gate.ask(wire.legacy(cancel, session))).status == 202
            answer = await client.answer()
            assert (answer.status, answer.body) == (200, b"")
            await until(lambda: any(b"notifications/cancelled" in one for one in server.asked))
            assert not wire.server.under_way
            assert any(record.status == 499 for record in wire.gate.records())

    run(work)


# --- what it lists, and how ----------------------------------------------------------------------------------


def deep(levels: int) -> bytes:
    """A list whose only tool's schema is so deep."""
    inner = b'{"properties":{"a":' * levels + b'{"type":"string"}' + b"}}" * levels
    return b'{"name":"read_mail","description":"Read.","inputSchema":' + inner + b"}"


def bomb() -> bytes:
    """A schema that is huge to whoever follows its references, and one that never ends."""
    defs = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 10} for n in range(100)}
    schema = {
        "type": "object",
        "$defs": defs | {"d100": {"$ref": "#/$defs/d0"}},
        "properties": {"a": {"$ref": "#/$defs/d0"}, "b": {"$ref": "https://evil.example/schema"}},
    }
    return json.dumps({"name": "read_mail", "description": "Read.", "inputSchema": schema}).encode()


@pytest.mark.parametrize("tool", [deep(20), deep(400), deep(200_000), bomb()], ids=["20", "400", "200000", "$ref"])
def test_schemas_that_are_bombs_neither_hang_nor_break(tool: bytes) -> None:
    async def work() -> None:
        listed = b'{"jsonrpc":"2.0","id":2,"result":{"tools":[' + tool + b"]}}"
        list_ = head(content_type="application/json", content_length=len(listed)) + listed
        play: list[Step] = [Move.READ, said(1, ABOUT), Move.READ, list_, Move.HOLD]
        async with RawServer([play]) as server, mcp_wire(at(server)) as wire:
            answer = json.loads((await wire.ask("tools/list")).body)
            names = [one["name"] for one in answer.get("result", {"tools": []})["tools"]]
            assert names == ["read_mail"] or "error" in answer or wire.gate.records()[-1].verdict is Verdict.BLOCKED
            assert server.connections == 1
            assert wire.gate.said == []

    run(work)


@pytest.mark.parametrize(
    "answer",
    [
        b'{"jsonrpc":"2.0","id":3,"id":3,"result":{}}',
        b'{"jsonrpc":"2.0","id":"3","result":{}}',
        b'{"jsonrpc":"2.0","id":4,"result":{}}',
        b'{"jsonrpc":"2.0","id":null,"result":{}}',
        b'[{"jsonrpc":"2.0","id":3,"result":{}}]',
        b'{"jsonrpc":"2.0","id":3,"result":{},"error":{"code":1,"message":"x"}}',
        b"<html>",
    ],
)
def test_answers_to_nobody_and_to_somebody_twice_are_none(answer: bytes) -> None:
    async def work() -> None:
        sent = head(content_type="application/json", content_length=len(answer)) + answer
        async with RawServer([[*FOUND, sent, Move.HOLD]]) as server, mcp_wire(at(server)) as wire:
            assert (await wire.call("read_mail"))["error"]["code"] == messages.INTERNAL_ERROR
            assert wire.gate.records()[-1].verdict is Verdict.FAILED

    run(work)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"Mcp-Name: read_mail", b"Mcp-Name: send_money", messages.HEADER_MISMATCH),
        (b"Mcp-Method: tools/call", b"Mcp-Method: tools/list", messages.HEADER_MISMATCH),
        (b"MCP-Protocol-Version: 2026-07-28", b"MCP-Protocol-Version: 2027-01-01", messages.HEADER_MISMATCH),
        (b"Mcp-Name: read_mail", b"Mcp-Name: =?base64?!!!?=", messages.HEADER_MISMATCH),
    ],
)
def test_headers_and_body_that_differ(old: bytes, new: bytes, code: int) -> None:
    async def work() -> None:
        async with mcp_wire(McpServer(url="http://127.0.0.1:9/mcp")) as wire:
            data = wire.request("tools/call", READ)
            assert old in data
            answer = await wire.gate.ask(data.replace(old, new))
            assert (answer.status, json.loads(answer.body)["error"]["code"]) == (400, code)
            assert wire.gate.records(RecordKind.REFUSAL)

    run(work)


# --- all servers at one address ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
def test_all_servers_at_one_address(path: str) -> None:
    async def work() -> None:
        async with RawServer([[*FOUND, said(3, DONE), Move.HOLD]]) as server, mcp_wire(at(server)) as wire:
            listed = json.loads((await wire.ask("tools/list", path=path)).body)["result"]["tools"]
            assert [one["name"] for one in listed] == ["s__read_mail"]
            assert await _called(wire, "s__read_mail", path) == DONE["content"]
            other = json.loads((await wire.ask("tools/call", {"name": "t__x", "arguments": {}}, path=path)).body)
            assert other["result"]["content"][0]["text"] == "Not permitted."
            assert (await wire.ask("tools/list", path="/mcp/t")).status == 404
            assert (await wire.gate.ask(wire.legacy(b"", http="GET", path=path))).status == 405

    run(work)


async def _called(wire: McpWire, name: str, path: str) -> object:
    answer = await wire.ask("tools/call", {"name": name, "arguments": {}}, path=path)
    return json.loads(answer.body)["result"]["content"]


# --- programs --------------------------------------------------------------------------------------------------


def test_what_a_program_asks_reaches_the_client_whose_request_is_under_way() -> None:
    async def work() -> None:
        server = McpServer(command=COMMAND, offers=OFFERS)
        async with mcp_wire(server, ENV) as wire, wire.gate.client() as client:
            session = await wire.connect({"sampling": {}})
            asks = {"name": "read_asking", "arguments": {}}
            client.send(wire.legacy(messages.request(5, "tools/call", asks), session))
            await client.head()
            chunks = client.chunks()
            (asked,) = events(await anext(chunks))
            assert asked["method"] == "sampling/createMessage"
            answer = {"role": "assistant", "content": {"type": "text", "text": "yes"}, "model": "m-1"}
            told = await wire.gate.ask(wire.legacy(messages.result(asked["id"], answer), session))
            assert told.status == 202
            (last,) = events(b"".join([piece async for piece in chunks]))
            assert last["result"]["content"][0]["text"] == "told m-1"

    run(work)


def test_what_a_program_says_unasked_reaches_who_listens() -> None:
    async def work() -> None:
        async with mcp_wire(McpServer(command=COMMAND), ENV) as wire, wire.gate.client() as client:
            session = await wire.connect()
            client.send(wire.legacy(b"", session, http="GET"))
            assert b"200 OK" in await client.head()
            assert "result" in await wire.call("read_changes")
            (said_,) = events(await anext(client.chunks()))
            assert said_["method"] == "notifications/tools/list_changed"

    run(work)


# --- clients of the newer era, whose server asks in the middle of a call ---------------------------------------

CAN: dict[str, Any] = {"sampling": {}, "roots": {}}
SAMPLED = {"role": "assistant", "content": {"type": "text", "text": "yes"}, "model": "m-1"}
ASKING: dict[str, Any] = {"name": "read_asking", "arguments": {}}


async def asks(wire: McpWire, params: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a client of the newer era gets that can do everything."""
    meta = {VERSION_META: MODERN, CAPABILITIES_META: CAN}
    body = messages.request(1, "tools/call", params | {"_meta": meta})
    answer = await wire.gate.ask(wire.request("tools/call", params, body=body, **more))
    said_: dict[str, Any] = json.loads(answer.body)
    return said_


def retry(params: dict[str, Any], question: dict[str, Any], answer: object) -> dict[str, Any]:
    return params | {"inputResponses": {"asked": answer}, "requestState": question["requestState"]}


def test_it_gets_the_question_as_its_result_and_goes_on_with_the_call() -> None:
    async def work() -> None:
        async with mcp_wire(McpServer(command=COMMAND, offers=OFFERS), ENV) as wire:
            question = (await asks(wire, ASKING))["result"]
            assert question["resultType"] == "input_required"
            assert question["inputRequests"]["asked"]["method"] == "sampling/createMessage"
            assert len(wire.gate.gateway.performing) == 1
            nothing = await asks(wire, ASKING | {"requestState": question["requestState"]})
            assert nothing["error"]["code"] == messages.INVALID_PARAMS
            done = await asks(wire, retry(ASKING, question, SAMPLED))
            assert done["result"]["content"][0]["text"] == "told m-1"
            assert not wire.gate.gateway.performing
            assert not len(wire.server.parked)
            assert not any(record.verdict is Verdict.FAILED for record in wire.gate.records())

    run(work)


@pytest.mark.parametrize("how", ["another caller", "another call"])
def test_nobody_goes_on_with_the_call_of_somebody_else(how: str) -> None:
    async def work() -> None:
        async with mcp_wire(McpServer(command=COMMAND, offers=OFFERS), ENV) as wire:
            question = (await asks(wire, ASKING))["result"]
            if how == "another caller":
                other = await asks(wire, retry(ASKING, question, SAMPLED), shown=token("other"))
                assert "told" not in json.dumps(other)
            else:
                params = {"name": "read_names", "arguments": {}}
                waiting = asyncio.ensure_future(asks(wire, retry(params, question, SAMPLED)))
                await until(lambda: len(wire.gate.gateway.performing) == 2)
            done = await asks(wire, retry(ASKING, question, SAMPLED))
            assert done["result"]["content"][0]["text"] == "told m-1"
            if how == "another call":
                assert "PATH" in (await waiting)["result"]["content"][0]["text"]

    run(work)


@pytest.mark.parametrize("ending", ["done", "error", "reset"])
def test_what_becomes_of_the_call_is_the_next_result(ending: str) -> None:
    async def work() -> None:
        question_ = messages.request("q", "roots/list", {})
        told = asyncio.Event()
        said_ = messages.result(4, DONE) if ending == "done" else messages.error(4, -5, "no")
        end: list[Step] = [Move.RESET] if ending == "reset" else [chunk(event(said_)) + END, Move.HOLD]
        handshake: list[Step] = [
            Move.READ, head(400, content_length=0), Move.READ, head(content_type="application/json",
            content_length=len(messages.result(2, HELLO)), mcp_session_id="u") + messages.result(2, HELLO),
            Move.READ, head(202, content_length=0), Move.READ, said(3, LIST),
        ]  # fmt: skip
        play: list[Step] = [*handshake, Move.READ, STREAM_HEAD + chunk(event(question_)), told, *end]
        async with RawServer([play, TOLD]) as server, mcp_wire(at(server, offers=OFFERS)) as wire:
            question = (await asks(wire, READ))["result"]
            roots = {"roots": [{"uri": "file:///srv"}]}
            task = asyncio.ensure_future(asks(wire, retry(READ, question, roots)))
            await until(lambda: any(b'"id":"q"' in one for one in server.asked))
            told.set()
            got = await task
            assert got.get("result", {}).get("content") == (DONE["content"] if ending == "done" else None)
            assert ("error" in got) == (ending != "done")
            await until(lambda: not wire.gate.gateway.performing)

    run(work)


def test_a_client_that_goes_while_it_waits_again_ends_the_call() -> None:
    async def work() -> None:
        async with mcp_wire(McpServer(command=COMMAND, offers=OFFERS), ENV) as wire:
            silent = {"name": "read_half", "arguments": {}}
            question = (await asks(wire, silent))["result"]
            async with wire.gate.client() as client:
                params = retry(silent, question, SAMPLED)
                meta = {VERSION_META: MODERN, CAPABILITIES_META: CAN}
                body = messages.request(1, "tools/call", params | {"_meta": meta})
                client.send(wire.request("tools/call", params, body=body))
                await until(lambda: len(wire.gate.gateway.performing) == 2)
            await until(lambda: not wire.gate.gateway.performing)
            assert sorted(record.status for record in wire.gate.records())[-2:] == [499, 499]

    run(work)
