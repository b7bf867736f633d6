"""The official MCP SDK on both sides of `interlock up`, in both eras: its user is asked about a call, and answers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock.model.record import RecordKind
from interlock.store.segments import read
from tests.gateway.process import LIMIT_S, configure, interlock, make_key, up

SERVER = """
import socket
import uvicorn
from mcp.server.lowlevel import Server
import mcp_types as t

SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}, "body": {"type": "string"}}}

async def list_tools(ctx, params):
    tools = [{"name": "send_email", "description": "Send an e-mail.", "inputSchema": SCHEMA}]
    return {"resultType": "complete", "tools": tools, "ttlMs": 0, "cacheScope": "private"}

async def call_tool(ctx, params):
    said = f"sent to {params.arguments['to']}, {params.input_responses}, {params.request_state}"
    return {"resultType": "complete", "content": [{"type": "text", "text": said}]}

server = Server("mail", version="1")
server.add_request_handler("tools/list", t.PaginatedRequestParams, list_tools)
server.add_request_handler("tools/call", t.CallToolRequestParams, call_tool)
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="warning")).run(sockets=[listening])
"""
CLIENT = """
import asyncio, json, sys
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
import mcp_types as t

async def main(url, mode, key, action):
    asked = []
    async def elicit(ctx, params):
        asked.append(params.message)
        return t.ElicitResult(action=action, content={} if action == "accept" else None)
    more = {} if action == "none" else {"elicitation_callback": elicit}
    async with create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode, cache=None, **more) as client:
            result = await client.call_tool("send_email", {"to": "eve@evil.example", "body": "hello"})
            print(json.dumps({"text": result.content[0].text, "failed": result.is_error, "asked": asked}))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def mail() -> Iterator[int]:
    """The server's port."""
    with subprocess.Popen((sys.executable, "-c", SERVER), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline())
        process.kill()


def called(port: int, mode: str, key: str, action: str) -> dict[str, Any]:
    """What the client's agent gets, and what its user was asked."""
    command = (sys.executable, "-c", CLIENT, f"http://127.0.0.1:{port}/mcp/mail", mode, key, action)
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_clients_user_decides(tmp_path: Path, mail: int, mode: str) -> None:
    servers = f'[mcp.servers.mail]\nurl = "http://127.0.0.1:{mail}/mcp"\n[approvals]\nunsafe_elicitation = ["w"]\n'
    configure(tmp_path, "http://127.0.0.1:9/v1", servers)
    key = make_key(tmp_path)
    with up(tmp_path) as gateway:
        silent = called(gateway.port, mode, key, "none")
        assert (silent["text"], silent["failed"]) == ("Not permitted.", True)
        yes = called(gateway.port, mode, key, "accept")
        assert yes["text"] == "sent to eve@evil.example, None, None"
        (message,) = yes["asked"]
        assert "may w call send_email on mail?" in message
        assert "to: eve@evil.example" in message
        no = called(gateway.port, mode, key, "decline")
        assert (no["text"], len(no["asked"])) == ("Not permitted.", 1)
    records = [stored.record for stored in read(tmp_path / "data/audit/gw-1")]
    assert [r.verdict.value for r in records if r.kind is RecordKind.OPERATOR] == ["allowed", "blocked"]
    assert interlock(tmp_path, "audit", "verify").returncode == 0


def test_clients_that_nobody_trusts_are_not_asked(tmp_path: Path, mail: int) -> None:
    configure(tmp_path, "http://127.0.0.1:9/v1", f'[mcp.servers.mail]\nurl = "http://127.0.0.1:{mail}/mcp"\n')
    key = make_key(tmp_path)
    with up(tmp_path) as gateway:
        refused = called(gateway.port, "legacy", key, "accept")
    assert (refused["text"], refused["asked"]) == ("Not permitted.", [])
