"""Callers with an issuer's token, through a real gateway: what they reach, what they are told, what the log says."""

import asyncio
import json

from interlock.guard.mcp.settings import McpServer
from interlock.testing.raw import Move, RawServer
from tests.gateway.mcp_wire import mcp_wire, token
from tests.gateway.test_mcp import DONE, FOUND, at, said
from tests.gateway.wire import PATH, run, until, wire
from tests.identity.provider import provider
from tests.identity.test_tokens import RESOURCE, issuers

NOWHERE = McpServer(url="http://127.0.0.1:9/mcp")
METADATA = f"{RESOURCE}/.well-known/oauth-protected-resource"
CALL = {"name": "read_mail", "arguments": {}}


def test_a_token_opens_an_mcp_server_and_is_never_sent_on() -> None:
    async def work() -> None:
        server = RawServer([[*FOUND, said(3, DONE), Move.HOLD]])
        async with provider() as login, server, mcp_wire(at(server)) as gate:
            gate.gate.gateway.issuers = issuers(login)
            shown = login.token(aud=f"{RESOURCE}/mcp/s")
            answer = await gate.ask("tools/call", CALL, shown=shown)
            assert json.loads(answer.body)["result"]["content"] == DONE["content"]
            assert {(r.workload, r.credential) for r in gate.gate.records()} == {("corp/agent", "token:corp:agent")}
            assert shown.rpartition(".")[2].encode() not in b"".join(server.asked)

    run(work)


def test_a_task_beside_a_token_has_to_be_of_the_same_workload() -> None:
    async def work() -> None:
        async with provider() as login, mcp_wire(NOWHERE) as gate:
            gate.gate.gateway.issuers = issuers(login, workloads=("agent=w",))
            mine, other = token("w"), token("other")
            refused = await gate.ask("tools/list", {}, f"Interlock-Task: {other}", shown=login.token())
            assert refused.status == 401
            assert "the task is one of other" in gate.gate.refusals()[-1].reason
            # Past the door there is no server. Keys and tasks go on to work where there are issuers.
            for shown, headers in ((login.token(), [f"Interlock-Task: {mine}"]), (mine, []), (None, [])):
                assert (await gate.ask("tools/list", {}, *headers, shown=shown)).status == 502
                assert gate.gate.records()[-1].workload == "w"

    run(work)


def test_what_a_client_is_told_whose_token_is_refused() -> None:
    async def work() -> None:
        async with provider() as login, mcp_wire(NOWHERE) as gate:
            gate.gate.gateway.issuers = issuers(login, scopes=("mcp", "read"))
            wrong = {
                "nothing": "", "expired": login.token(iat=1_000, exp=1_600),
                "audience": login.token(aud=f"{RESOURCE}/mcp/other"), "key": "ilk_" + "a" * 10,
            }  # fmt: skip
            answers = [await gate.ask("tools/list", shown=shown) for shown in wrong.values()]
            assert {(a.status, a.headers["www-authenticate"], a.body) for a in answers} == {
                (401, f'Bearer resource_metadata="{METADATA}/mcp/s"', answers[0].body)
            }
            reasons = [record.reason for record in gate.gate.refusals()]
            assert "expired" in reasons[1]
            assert "aud" in reasons[2]
            lacking = await gate.ask("tools/list", shown=login.token(scope="mcp"))
            assert lacking.status == 403
            challenge = f'Bearer error="insufficient_scope", scope="mcp read", resource_metadata="{METADATA}/mcp/s"'
            assert lacking.headers["www-authenticate"] == challenge
            assert "scope read" in gate.gate.refusals()[-1].reason

    run(work)


def test_the_metadata_is_there_for_everybody_and_tells_of_no_server() -> None:
    async def work() -> None:
        async with provider() as login, mcp_wire(NOWHERE) as gate:
            ask = "GET /.well-known/oauth-protected-resource{} HTTP/1.1\r\nHost: evil.example\r\n\r\n"
            assert (await gate.gate.ask(ask.format("").encode())).status == 404
            gate.gate.gateway.issuers = issuers(login)
            for below in ("", "/mcp/s", "/mcp/not-there"):
                answer = await gate.gate.ask(ask.format(below).encode())
                assert answer.status == 200
                found = json.loads(answer.body)
                assert (found["resource"], found["authorization_servers"]) == (RESOURCE + below, [login.url])
            assert (await gate.gate.ask(ask.format("/mcp/a/b").encode())).status == 404

    run(work)


def test_a_token_opens_a_model_and_a_session_outlives_it() -> None:
    async def work() -> None:
        async with provider() as login, wire() as gate:
            gate.gateway.issuers = issuers(login)
            asked = gate.post().replace(gate.key.encode(), login.token().encode())
            assert (await gate.ask(asked)).status == 502  # past the door: there is no such upstream
            assert gate.records()[0].workload == "corp/agent"
            health = f"GET /healthz HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {login.token()}\r\n\r\n"
            assert (await gate.ask(health.encode())).status == 200
            shown = login.token(aud="elsewhere")
            refused = await gate.ask(gate.post().replace(gate.key.encode(), shown.encode()))
            assert (refused.status, refused.error["code"]) == (401, "invalid_credential")
            assert refused.headers["www-authenticate"] == f'Bearer resource_metadata="{METADATA}"'
            assert gate.refusals()[-1].route == PATH

    run(work)


def test_while_an_issuer_is_silent_everybody_else_is_served() -> None:
    async def work() -> None:
        async with provider() as login, wire() as gate:
            login.wait = asyncio.Event()
            gate.gateway.issuers = issuers(login)
            asked = gate.post().replace(gate.key.encode(), login.token().encode())
            async with gate.client() as waiting, gate.client() as gone:
                waiting.send(asked + asked)
                gone.send(asked)
                await until(lambda: bool(login.asked))
                assert await gate.serves()
                gone.writer.close()
                login.wait.set()
                assert [(await waiting.answer()).status for _ in range(2)] == [502, 502]
            await until(lambda: not gate.gateway.clients)
            assert {record.workload for record in gate.records()} == {"corp/agent"}
            assert gate.said == []

    run(work)


def test_an_issuer_that_cannot_be_reached_refuses_and_says_why_in_the_log() -> None:
    async def work() -> None:
        async with provider() as login, wire() as gate:
            login.broken = {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}
            gate.gateway.issuers = issuers(login)
            answer = await gate.ask(gate.post().replace(gate.key.encode(), login.token().encode()))
            assert answer.status == 401
            (record,) = gate.refusals()
            assert "cannot be had" in record.reason
            assert "500" in record.reason

    run(work)
