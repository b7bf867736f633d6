"""A real gateway on loopback in front of an MCP server: a program, or an address."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from interlock.app import now_us
from interlock.gateway.mcp import McpDoor
from interlock.gateway.mcp_programs import Programs
from interlock.gateway.mcp_upstream import McpPool
from interlock.guard.mcp import Memories, Server, Union
from interlock.guard.mcp.settings import McpServer
from interlock.guard.mcp.state import Catalogue
from interlock.identity.tasks import Taskmaster, mint
from interlock.mcp import messages
from interlock.mcp.eras import CAPABILITIES_META, MODERN, VERSION_META
from interlock.mcp.pins import Pin
from tests.gateway.wire import Answer, Wire, wire

KEY = b"t" * 32
CREDENTIAL = "upstream-" + "credential-1" * 2
HOUR = 3_600_000_000


def token(workload: str = "w", request: str = "Read it.", *, key: bytes = KEY, life: int = HOUR, ago: int = 0) -> str:
    ids = count()
    return mint(key, workload, request, now_us() - ago, life, lambda n: bytes([next(ids)] * n))


@dataclass
class McpWire:
    """`kept` is what was to be kept of tools."""

    gate: Wire
    server: Server
    door: McpDoor
    kept: list[Pin] = field(default_factory=list)

    def request(
        self, method: str, params: Mapping[str, Any] | None = None, *headers: str, host: str = "localhost",
        shown: str | None = None, path: str = "/mcp/s", body: bytes | None = None,
    ) -> bytes:  # fmt: skip
        """The bytes of a 2026-07-28 request."""
        given = dict(params or {})
        meta = {VERSION_META: MODERN, CAPABILITIES_META: {}}
        data = messages.request(1, method, {**given, "_meta": meta}) if body is None else body
        lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"MCP-Protocol-Version: {MODERN}", f"Mcp-Method: {method}"]
        lines.append(f"Authorization: Bearer {self.gate.key if shown is None else shown}")
        if name := given.get("name"):
            lines.append(f"Mcp-Name: {name}")
        lines += [*headers, f"Content-Length: {len(data)}"]
        return "\r\n".join([*lines, "", ""]).encode() + data

    async def ask(self, method: str, params: Mapping[str, Any] | None = None, *headers: str, **more: Any) -> Answer:
        return await self.gate.ask(self.request(method, params, *headers, **more))

    def legacy(self, body: bytes, session: str = "", *, http: str = "POST", path: str = "/mcp/s") -> bytes:
        """The bytes of a request of the older era."""
        lines = [f"{http} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {self.gate.key}"]
        lines += ["Accept: application/json, text/event-stream", f"Content-Length: {len(body)}"]
        lines += [f"Mcp-Session-Id: {session}"] if session else []
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def connect(self, capabilities: Mapping[str, Any] | None = None, path: str = "/mcp/s") -> str:
        """The id of a session of a client of the older era."""
        hello = {"protocolVersion": "2025-11-25", "capabilities": capabilities or {}}
        answer = await self.gate.ask(self.legacy(messages.request("hello", "initialize", hello), path=path))
        assert answer.status == 200, answer.body
        return answer.headers["mcp-session-id"]

    async def call(self, name: str) -> dict[str, Any]:
        answer = await self.ask("tools/call", {"name": name, "arguments": {}})
        said: dict[str, Any] = json.loads(answer.body)
        return said


@contextlib.asynccontextmanager
async def mcp_wire(settings: McpServer, env: Mapping[str, str] | None = None, **more: Any) -> AsyncIterator[McpWire]:
    """A gateway in front of one server, `s`."""
    async with wire(**more) as gate:
        loop, ids, kept = asyncio.get_running_loop(), count(), list[Pin]()
        server = Server("s", settings, Catalogue("s", settings.pin), lambda: f"session-{next(ids)}")
        gateway = gate.gateway
        pools = {"s": McpPool("s", settings, CREDENTIAL, gateway.settings, loop)} if settings.url else {}
        given = env or {}
        programs = {"s": Programs("s", settings, given, 20.0, loop)} if settings.command else {}
        door = McpDoor({"s": server}, pools, programs, Taskmaster(KEY), Memories(0), lambda _, pins: kept.extend(pins))
        door.union = Union({"s": server}, "__", lambda: f"union-{next(ids)}")
        gateway.mcp = door
        door.attach(gateway)
        yield McpWire(gate, server, door, kept)
