"""`interlock run` of an MCP client: its servers are behind interlock, by a private copy of its configuration."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock.model.record import Record
from interlock.store.segments import read
from interlock.testing.model import ModelServer, Say
from tests.gateway.process import Up, configure, up
from tests.run.start import PYTHON, refused, run

# A server of the SDK, and a client that reads its configuration as clients do: by the official SDK.
SERVER = """
from mcp.server import MCPServer
server = MCPServer("notes")

@server.tool()
def read_notes() -> str:
    "Read the notes."
    return "buy milk"

server.run()
"""
CLIENT = """
import asyncio, json, sys
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

def transport(entry):
    if "url" in entry:
        http = create_mcp_http_client(headers=entry["headers"])
        return streamable_http_client(entry["url"], http_client=http)
    return stdio_client(StdioServerParameters(command=entry["command"], args=entry["args"], env=entry.get("env")))

async def main(file):
    for name, entry in json.load(open(file))["mcpServers"].items():
        async with Client(transport(entry)) as client:
            result = await client.call_tool("read_notes", {})
            print(name, "url" in entry, result.content[0].text, flush=True)

asyncio.run(main(sys.argv[1].rpartition("=")[2]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run-mcp")
    (made / "server.py").write_text(SERVER)
    (made / "client.py").write_text(CLIENT)
    program = [sys.executable, str(made / "server.py")]
    entries: dict[str, Any] = {
        "led": {"command": program[0], "args": program[1:]},
        "wrapped": {"command": program[0], "args": ["-B", *program[1:]], "env": {"NOTES_KEY": "k"}},
        "lost": {"url": "https://notes.example/mcp"},
    }
    (made / ".mcp.json").write_text(json.dumps({"mcpServers": entries}))
    return made


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[Up]:
    command = json.dumps([sys.executable, str(folder / "server.py")])
    with ModelServer(lambda _: Say("hello")) as model:
        configure(folder, model.url, f"[mcp.servers.notes]\ncommand = {command}\n")
        with up(folder) as started:
            yield started
            assert started.errors.read_text() == ""


def records(folder: Path) -> list[Record]:
    logs = [log for log in (folder / "data" / "audit").iterdir() if log.is_dir()]
    return [one.record for log in logs for one in read(log) if one.record.workload == "desk"]


@pytest.mark.parametrize("word", [".mcp.json", "--mcp-config=.mcp.json"])
def test_a_configuration_that_the_command_names_is_put_behind_interlock(folder: Path, gateway: Up, word: str) -> None:
    before = (folder / ".mcp.json").read_bytes()
    done = run(folder, gateway, "--workload", "desk", "--", PYTHON, "client.py", word)
    assert done.stdout.splitlines() == ["led True buy milk", "wrapped False buy milk"]
    assert "MCP servers in .mcp.json: led, wrapped behind interlock" in done.stderr
    assert "left out of .mcp.json: lost; interlock mcp import .mcp.json takes them over" in done.stderr
    assert (folder / ".mcp.json").read_bytes() == before
    called = {record.upstream for record in records(folder) if any(step.tool == "read_notes" for step in record.steps)}
    assert len(called) == 2


def test_one_that_only_lies_there_is_told(folder: Path, gateway: Up) -> None:
    done = run(folder, gateway, "--workload", "desk", "--", PYTHON, "-c", "print('ran')")
    assert done.stdout == "ran\n"
    assert "not behind interlock: the MCP servers in .mcp.json" in done.stderr


@pytest.mark.skipif(bool(refused()), reason=refused() or "-")
def test_in_isolation_it_finds_the_copy_in_the_files_place(folder: Path, gateway: Up) -> None:
    done = run(folder, gateway, "--isolate", "--workload", "desk", "--", PYTHON, "client.py", ".mcp.json")
    assert done.stdout.splitlines() == ["led True buy milk"]
    assert "left out of .mcp.json: wrapped, lost" in done.stderr
