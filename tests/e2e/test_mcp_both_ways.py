"""The official MCP SDK on both sides of `interlock up`, in both eras: servers that ask their clients, and tell them.

A few flows of the official conformance suite, which `make conformance` runs whole.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.process import LIMIT_S, configure, make_key, up

# A server of the SDK that asks in the way of the era in which it is spoken with.
SERVER = """
import socket, sys
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.message import ServerMessageMetadata
import mcp_types as t

bus = InMemorySubscriptionBus()
FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
SAID = [{"role": "user", "content": {"type": "text", "text": "What is the capital of France?"}}]
ASKS = {
    "read_name": (t.ElicitRequest, t.ElicitResult, {"method": "elicitation/create", "params": {
        "mode": "form", "message": "What is your name?", "requestedSchema": FORM}}),
    "read_capital": (t.CreateMessageRequest, t.CreateMessageResult, {
        "method": "sampling/createMessage", "params": {"messages": SAID, "maxTokens": 9}}),
    "read_roots": (t.ListRootsRequest, t.ListRootsResult, {"method": "roots/list"}),
}

async def list_tools(ctx, params):
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in (*ASKS, "read_slowly", "read_changes")]
    return {"resultType": "complete", "tools": tools, "ttlMs": 0, "cacheScope": "private"}

def done(text):
    return {"resultType": "complete", "content": [{"type": "text", "text": text}]}

async def call_tool(ctx, params):
    if params.name == "read_slowly":
        await ctx.session.report_progress(1, 2)
        await ctx.session.send_log_message("info", "half", related_request_id=ctx.request_id)
        return done("read")
    if params.name == "read_changes":
        await bus.publish(ToolsListChanged())
        return done("changed")
    kind, answered, asked = ASKS[params.name]
    if ctx.protocol_version == "2026-07-28":
        answer = (params.input_responses or {}).get("k")
        if answer is None:
            return {"resultType": "input_required", "inputRequests": {"k": asked}, "requestState": "s t\\u00e4te"}
        assert params.request_state == "s t\\u00e4te"
    else:
        about = ServerMessageMetadata(related_request_id=ctx.request_id)
        answer = await ctx.session.send_request(kind.model_validate(asked), answered, metadata=about)
    return done(answer.model_dump_json(by_alias=True, exclude_none=True))

server = Server("office", version="1")
server.add_request_handler("tools/list", t.PaginatedRequestParams, list_tools)
server.add_request_handler("tools/call", t.CallToolRequestParams, call_tool)
server.add_request_handler("subscriptions/listen", t.SubscriptionsListenRequestParams, ListenHandler(bus))
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="warning")).run(sockets=[listening])
"""
CLIENT = """
import asyncio, json, sys
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import listen
from mcp.shared._httpx_utils import create_mcp_http_client
import mcp_types as t

async def sample(ctx, params):
    said = t.TextContent(type="text", text="Paris")
    return t.CreateMessageResult(role="assistant", content=said, model="m")

async def elicit(ctx, params):
    return t.ElicitResult(action="accept", content={"name": "Ada"})

async def roots(ctx):
    return t.ListRootsResult(roots=[{"uri": "file:///srv/notes", "name": "notes"}])

async def main(url, mode, key, lead):
    seen, logged = [], []
    async def progress(done, total, message):
        seen.append(done)
    async def log(params):
        logged.append(params.data)
    more = {} if mode == "legacy" else {"log_level": "debug"}
    async with create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http:
        async with Client(
            streamable_http_client(url, http_client=http), mode=mode, cache=None, sampling_callback=sample,
            elicitation_callback=elicit, list_roots_callback=roots, logging_callback=log, **more
        ) as client:
            out = {"tools": [tool.name for tool in (await client.list_tools()).tools]}
            for name in ("read_name", "read_capital", "read_roots", "read_slowly"):
                result = await client.call_tool(lead + name, {}, progress_callback=progress)
                out[name] = result.content[0].text
            if mode != "legacy" and not lead:
                async with client.listen(tools_list_changed=True) as changes:
                    await client.call_tool("read_changes", {})
                    async for change in changes:
                        out["change"] = type(change).__name__
                        break
            print(json.dumps(out | {"progress": seen, "log": logged}))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[int]:
    """The server's port."""
    program = tmp_path / "office.py"
    program.write_text(SERVER)
    command = [sys.executable, "-W", "ignore", str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline())
        process.kill()


def talk(url: str, mode: str, key: str, lead: str) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-c", CLIENT, url, mode, key, lead]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_servers_ask_and_tell_their_clients(office: int, mode: str, tmp_path: Path) -> None:
    server = f'[mcp.servers.office]\nurl = "http://127.0.0.1:{office}/mcp"\n'
    configure(tmp_path, "http://127.0.0.1:9/v1", server + 'offers = ["sampling", "elicitation", "roots"]\n')
    key = make_key(tmp_path, "agent")
    with up(tmp_path) as running:
        for path, lead in (("/mcp/office", ""), ("/mcp", "office__")):
            told = talk(running.url + path, mode, key, lead)
            assert lead + "read_name" in told["tools"]
            assert json.loads(told["read_name"])["content"] == {"name": "Ada"}
            assert json.loads(told["read_capital"])["content"]["text"] == "Paris"
            assert json.loads(told["read_roots"])["roots"][0]["uri"] == "file:///srv/notes"
            assert (told["read_slowly"], told["progress"], told["log"]) == ("read", [1.0], ["half"])
            assert told.get("change") == ("ToolsListChanged" if mode != "legacy" and not lead else None)
