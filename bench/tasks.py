"""What tasks cost: `python -m bench.tasks [--tasks N] [--grants N] [--calls N]`.

Three figures, each beside its goal: the resident memory of so many live tasks, each of which has called ten tools and
read ten results; how long policies take to decide on a call that was never decided before, with so many grants in
force; and what the gateway adds to a tool call, over one connection, against the same calls made directly.
"""

import argparse
import contextlib
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.containment.__main__ import WORKLOAD, gateway
from bench.gateway import MEGABYTE, machine
from bench.gateway_peers import HOST
from interlock import __version__
from interlock.guard.mcp import Memories
from interlock.model.decision import Task
from interlock.model.event import Channel, Text, ToolCall, ToolDefinition
from interlock.model.record import Origin
from interlock.policy import CallTool, Policies, Scope, Source
from interlock.provenance import derive, judge

HOUR_US = 3_600 * 1_000_000
# What a task of a bench does: so many calls, each with a result of so many characters.
CALLS, RESULT_CHARS = 10, 2_000
MOST_MB, MOST_DECISION_US, MOST_ADDED_MS = 500.0, 100.0, 1.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TOOL = {
    "name": "read_mail",
    "description": "Read a mail.",
    "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}},
}


def rss_mb() -> float:
    """The resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES / MEGABYTE


def memory(tasks: int) -> float:
    """Megabytes that so many live tasks take, all of whose calls were judged."""
    memories, sending = Memories(0, lambda text: f"{hash(text):x}"), {"to": "bob@corp.example", "body": "Hi"}
    schema = {"type": "object", "properties": {key: {"type": "string"} for key in sending}}
    labels = derive("send_email", ToolDefinition((), "send_email", "Send.", schema), {})
    reading = derive("read_mail", ToolDefinition((), "read_mail", "Read.", {}), {})
    before = rss_mb()
    for number in range(tasks):
        task = Task(f"t{number}", "w", f"Send bob@corp.example note {number}.", 1, HOUR_US)
        held = memories.of(task, 2)
        size = held.size_bytes
        for turn in range(CALLS):
            call = ToolCall((), f"{number}-{turn}", "read_mail", json.dumps({"id": f"{number}-{turn}"}))
            text = (f"Mail {number} {turn}: " + f"words of a mail that is number {number}, " * 100)[:RESULT_CHARS]
            held.add(call, Origin.UNTRUSTED)
            held.add(Text((), Channel.TOOL_RESULT, text, "read_mail", call.call_id), Origin.UNTRUSTED, reading)
        assert Origin.USER in judge(sending, labels, held.conversation).origins
        memories.grown(size, held, 2)
    return rss_mb() - before


def decision_us(grants: int, questions: int) -> float:
    """The median of microseconds of CPU for a decision that is made for the first time."""
    folder = files("interlock.policy")
    bundled, schema = (
        Source(name, folder.joinpath(name).read_text("utf-8")) for name in ("bundled.cedar", "schema.cedarschema")
    )
    # A grant is what a workload may use: a list of tools in its scope.
    scopes = {f"w{number}": Scope(tools=tuple(f"tool{tool}" for tool in range(20))) for number in range(grants)}
    policies = Policies(schema, (bundled,), scopes)
    taken = []
    for number in range(questions):
        question = CallTool(
            f"w{number % grants}", f"tool{number % 23}", "send", frozenset({Origin.USER}), tainted=True, offered=True,
            understood=True, asked=number % 8 != 0, asked_by_model=("yes", "no", "unknown")[number // grants % 3],
        )  # fmt: skip
        begin = time.thread_time_ns()
        policies.decide(question, {})
        taken.append((time.thread_time_ns() - begin) / 1000)
    return statistics.median(taken[grants:] or taken)


class _Server(BaseHTTPRequestHandler):
    """An MCP server of the newer era that answers at once."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"jsonrpc": "2.0", "id": said.get("id"), "result": _answer(said["method"])}).encode()
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _answer(method: str) -> dict[str, Any]:
    match method:
        case "server/discover":
            return {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
        case "tools/list":
            return {"tools": [TOOL], "resultType": "complete", "ttlMs": 60_000, "cacheScope": "public"}
        case _:
            text = {"type": "text", "text": "A short mail about nothing. " * 20}
            return {"content": [text], "resultType": "complete"}


def _request(port: int, path: str, headers: dict[str, str], number: int) -> bytes:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    }
    params = {"name": "read_mail", "arguments": {"id": str(number)}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode()
    lines = {
        "Host": f"{HOST}:{port}", "Content-Type": "application/json", "Content-Length": str(len(body)),
        "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call", "Mcp-Name": "read_mail", **headers,
    }  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


class Client:
    """One connection that calls a tool again and again."""

    def __init__(self, port: int, path: str, headers: dict[str, str]) -> None:
        self._connection = socket.create_connection((HOST, port))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._at = port, path, headers
        self._numbers = itertools.count()

    def call_ms(self) -> float:
        """How long one call takes."""
        request = _request(*self._at, next(self._numbers))
        begin = time.perf_counter_ns()
        self._connection.sendall(request)
        answer, length = b"", -1
        while length < 0 or len(answer) < length:
            answer += self._connection.recv(65_536)
            if length < 0 and b"\r\n\r\n" in answer:
                head, _, _ = answer.partition(b"\r\n\r\n")
                found = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                length = len(head) + 4 + int(found[0].partition(b":")[2])
        taken = (time.perf_counter_ns() - begin) / 1e6
        if b"about nothing" not in answer:
            raise RuntimeError(f"the call was not answered: {answer[:500]!r}")
        return taken


@contextlib.contextmanager
def mcp_server() -> Iterator[int]:
    """A scripted MCP server; its port."""
    server = ThreadingHTTPServer((HOST, 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def added_ms(calls: int) -> tuple[float, float]:
    """The medians of milliseconds of a call made directly, and through the gateway; in turns."""
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as name, _own_server() as upstream:
        folder = Path(name)
        with gateway(folder, upstream, upstream, ("mail",)) as (port, _):
            minting = (sys.executable, "-m", "interlock", "task", "begin", "--workload", WORKLOAD)
            where = ("--config", str(folder / "interlock.toml"), "--data", str(folder / "data"))
            told = subprocess.run([*minting, *where], input="Read my mail.", capture_output=True, text=True, check=True)
            direct, through = Client(upstream, "/mcp", {}), Client(port, "/mcp/mail", json.loads(told.stdout))
            for _ in range(50):
                direct.call_ms()
                through.call_ms()
            taken = [(direct.call_ms(), through.call_ms()) for _ in range(calls)]
    return statistics.median(one for one, _ in taken), statistics.median(one for _, one in taken)


@contextlib.contextmanager
def _own_server() -> Iterator[int]:
    """The scripted server in a process of its own; its port."""
    with subprocess.Popen([sys.executable, "-m", "bench.tasks", "--serve"], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        try:
            yield int(one.stdout.readline())
        finally:
            one.terminate()


def main() -> int:
    """Run the bench and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000, metavar="N", help="live tasks (default: 10,000)")
    parser.add_argument("--grants", type=int, default=1_000, metavar="N", help="grants in force (default: 1,000)")
    parser.add_argument("--calls", type=int, default=1_000, metavar="N", help="tool calls each way (default: 1,000)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        with mcp_server() as port:
            print(port, flush=True)
            threading.Event().wait()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 80)
    console.print(f"{machine()}, interlock {__version__}\n")
    held_mb, decided_us = memory(args.tasks), decision_us(args.grants, 5 * args.grants)
    direct, through = added_ms(args.calls)
    rows = (
        (f"memory of {args.tasks:,} live tasks, MB", held_mb, MOST_MB),
        (f"a decision with {args.grants:,} grants, us p50", decided_us, MOST_DECISION_US),
        ("added to a tool call, ms p50", through - direct, MOST_ADDED_MS),
    )
    table = Table(title="What tasks cost", title_justify="left", title_style="bold")
    for heading in ("", "measured", "goal: at most"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, measured, most in rows:
        table.add_row(name, f"{measured:.2f}", f"{most:g}")
    console.print(table)
    console.print(
        f"Memory: growth of the resident set of this process; each task {CALLS} calls with results of {RESULT_CHARS:,} "
        f"characters, one call judged. A decision: bundled policies, {args.grants:,} workloads with 20 tools each, "
        "questions that were not asked before, one in eight for a person to approve; CPU time. A call: `interlock up` "
        f"and a scripted server of revision 2026-07-28 on loopback, a connection each, {args.calls:,} calls in turns, "
        f"direct {direct:.2f} ms, through {through:.2f} ms with its record written.",
        soft_wrap=not sys.stdout.isatty(),
    )
    return 1 if any(measured > most for _, measured, most in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
