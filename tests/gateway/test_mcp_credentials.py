"""What an MCP server is shown: interlock's own credential, had and renewed as it must be, and never the client's."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from interlock.gateway.mcp_upstream import McpPool
from interlock.guard.mcp.settings import McpServer, check_server
from interlock.identity.clients import ClientToken, SecretFile, Source
from interlock.mcp import messages
from interlock.model.errors import ConfigError
from interlock.testing.raw import Move, RawServer, Step
from tests.gateway.mcp_wire import McpWire, mcp_wire
from tests.gateway.test_mcp import DONE, FOUND, at, said
from tests.gateway.wire import run, until
from tests.identity.provider import provider
from tests.identity.test_clients import client
from tests.identity.test_issuers import Clock
from tests.identity.test_tokens import issuers

CALL = {"name": "read_mail", "arguments": {}}
REFUSED = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"


@contextlib.asynccontextmanager
async def behind(server: RawServer, source: Source) -> AsyncIterator[McpWire]:
    async with mcp_wire(at(server)) as gate:
        settings = gate.gate.gateway.settings
        pool = McpPool("s", at(server), "", settings, asyncio.get_running_loop(), source)
        gate.door.pools = {"s": pool}
        yield gate
        pool.close()


def shown(server: RawServer) -> list[str]:
    """The credential of each request that the server was sent."""
    lines = b"".join(server.asked).decode().split("\r\n")
    return [line.partition(" ")[2] for line in lines if line.lower().startswith("authorization:")]


def test_a_server_is_shown_the_clients_token_of_interlock() -> None:
    async def work() -> None:
        server = RawServer([[*FOUND, said(3, DONE), Move.HOLD]])
        async with provider() as login, server, behind(server, ClientToken(client(login), "r")) as gate:
            assert (await gate.call("read_mail"))["result"]["content"] == DONE["content"]
            assert shown(server) == ["Bearer upstream-token-1"] * 3

    run(work)


def test_a_refused_token_is_had_anew_once_and_the_request_repeated() -> None:
    async def work(clock: Clock, steps: list[list[Step]], works: bool) -> None:
        server = RawServer(steps)
        async with provider() as login, server, behind(server, ClientToken(client(login, clock), "r")) as gate:
            await gate.door.pools["s"]._source.token("")  # type: ignore[union-attr]
            clock.now += 60
            answer = await gate.call("read_mail")
            assert ("result" in answer) == works
            tokens = ["Bearer upstream-token-1"] + ["Bearer upstream-token-2"] * (len(shown(server)) - 1)
            assert shown(server) == tokens
            assert len(login.forms) == 2
            if not works:
                assert "refused interlock's credential" in gate.gate.records()[-1].reason
            assert gate.gate.said == []

    again: list[Step] = [Move.READ, REFUSED, *FOUND, said(3, DONE), Move.HOLD]
    run(lambda: work(Clock(), [again], True))
    run(lambda: work(Clock(), [[Move.READ, REFUSED, Move.READ, REFUSED, Move.HOLD]], False))


def test_the_callers_token_is_exchanged_and_neither_side_sees_the_others() -> None:
    async def work() -> None:
        server = RawServer([[*FOUND, said(3, DONE), Move.HOLD]])
        async with provider() as login, server:
            source = ClientToken(client(login, grant="token-exchange"), "r")
            async with behind(server, source) as gate:
                gate.gate.gateway.issuers = issuers(login)
                mine = login.token()
                answer = await gate.ask("tools/call", CALL, shown=mine)
                assert json.loads(answer.body)["result"]["content"] == DONE["content"]
                assert [form["subject_token"] for form in login.forms] == [mine]
                assert shown(server) == ["Bearer upstream-token-1"] * 3
                assert mine.encode() not in b"".join(server.asked)
                assert b"upstream-token" not in answer.body
                # A key is nothing that could be exchanged.
                refused = await gate.ask("tools/call", CALL)
                assert refused.status == 403
                assert json.loads(refused.body)["error"]["code"] == messages.INTERNAL_ERROR
                assert "showed none" in gate.gate.records()[-1].reason
                log = b"".join(path.read_bytes() for path in gate.gate.folder.iterdir())
                assert mine.rpartition(".")[2].encode() not in log
                assert b"upstream-token" not in log

    run(work)


def test_a_token_that_cannot_be_had_is_a_clear_error_and_a_record() -> None:
    async def work() -> None:
        async with provider() as login, RawServer([[Move.HOLD]]) as server:
            login.answer = lambda _: (400, {"error": "invalid_scope"})
            async with behind(server, ClientToken(client(login), "r")) as gate:
                answer = await gate.call("read_mail")
                assert answer["error"]["code"] == messages.INTERNAL_ERROR
                assert "was given no token" in answer["error"]["message"]
                assert "invalid_scope" in gate.gate.records()[-1].reason
                assert shown(server) == []

    run(work)


def test_a_client_that_vanishes_while_a_token_is_asked_for() -> None:
    async def work() -> None:
        async with provider() as login, RawServer([[Move.HOLD]]) as server:
            login.wait = asyncio.Event()
            async with behind(server, ClientToken(client(login), "r")) as gate:
                async with gate.gate.client() as gone:
                    gone.send(gate.request("tools/list"))
                    await until(lambda: bool(login.asked))
                await until(lambda: not gate.gate.gateway.performing)
                login.wait.set()
                await until(lambda: not gate.door.pools["s"]._tasks)
                assert await gate.gate.serves()
                assert shown(server) == []
                assert gate.gate.said == []

    run(work)


def test_a_secret_in_a_file(tmp_path: Path) -> None:
    async def work() -> None:
        file = tmp_path / "key"
        file.write_text("from-a-file")
        server, source = RawServer([[*FOUND, said(3, DONE), Move.HOLD]]), SecretFile(str(file), "here")
        async with server, behind(server, source) as gate:
            assert "result" in await gate.call("read_mail")
            assert shown(server) == ["Bearer from-a-file"] * 3

    run(work)


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"url": "https://s.example", "client": "c", "api_key_env": "K"}, "api_key_env"),
        ({"url": "https://s.example", "api_key_file": "f", "api_key_env": "K"}, "api_key_env"),
        ({"command": ("x",), "client": "c"}, "client"),
        ({"command": ("x",), "api_key_file": "f"}, "api_key_file"),
    ],
)
def test_a_server_has_one_credential_and_a_program_none(settings: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_server("s", McpServer(**settings))
    assert error.value.where == where
