"""Chat requests as the official SDK sends them, and a load generator that costs little: raw bytes, one at a time
on each connection, a bounded number of them, each answer checked."""

import asyncio
import itertools
import json
import random
import re
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import cast

NONCE = "00000000"
"""Eight digits in each message but the system's; each request has its own, so that no text comes twice."""
LIMIT_S = 300
"""A run that takes longer than this hangs: no peer is that slow with the counts that are asked for."""
NUMBERS = itertools.count(10_000_000)

SENTENCES = (
    "The supplier confirmed the delivery for the second week of the month.",
    "Please compare the invoice with the purchase order and list what differs.",
    "Our customer asked whether the warranty covers the pump after a repair by a third party.",
    "The freight line is higher than agreed, and nobody has approved the change yet.",
    "Write a short summary for the team, with the open points first.",
    "The meeting moved to Thursday at 14:30 because the auditor is travelling.",
    "Stock in the northern warehouse fell below the reorder level on three articles.",
    "The contract renews by itself unless it is cancelled 90 days before its end.",
    "She attached the measurements of 12 March; the second column is in millimetres.",
    "If the two totals differ by more than one percent, ask the accountant before you go on.",
    "The old system exports dates as day, month, year, which the import misread last quarter.",
    "Nothing in the file says who signed for the parcel, only that it was left at the desk.",
)
SYSTEM = (
    "You are the assistant of the purchasing team. Answer in short, plain sentences. Use the tools for anything "
    "that concerns an order or an invoice, and say so when you do not know."
)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {key: {"type": "string", "description": f"The {key}."} for key in keys},
                "required": list(keys),
                "additionalProperties": False,
            },
        },
    }
    for name, description, keys in (
        ("get_order", "Reads one purchase order from the ERP system.", ("order_id",)),
        ("search_documents", "Finds invoices and delivery notes by their text.", ("query", "year")),
        ("send_message", "Sends an e-mail in the name of the purchasing team.", ("to", "subject", "body")),
    )
]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of request: how long its body is, whether its answer is streamed, whether tools are in it."""

    name: str
    size_bytes: int
    stream: bool
    tools: bool = False


SCENARIOS = (
    Scenario("2 KB", 2_048, stream=False),
    Scenario("2 KB, streamed", 2_048, stream=True),
    Scenario("3 KB with tools", 3_072, stream=False, tools=True),
    Scenario("100 KB", 102_400, stream=False),
    Scenario("100 KB, streamed", 102_400, stream=True),
)


def prose(size: int, seed: int) -> str:
    """About `size` characters of plain business English, the same for a seed."""
    choose = random.Random(seed)
    text = f"Case {NONCE}."
    while len(text) < size:
        text += " " + choose.choice(SENTENCES)
    return text[:size]


def body(scenario: Scenario, model: str) -> bytes:
    """A chat request of exactly `size_bytes`: a system text, then turns of at most 4,000 characters."""
    document: dict[str, object] = {}
    messages: list[dict[str, object]] = [{"role": "system", "content": SYSTEM}]
    if scenario.tools:
        call = {"name": "get_order", "arguments": f'{{"order_id":"{NONCE}"}}'}
        messages += [
            {"role": "user", "content": f"Has order {NONCE} arrived, and is its invoice right?"},
            {"role": "assistant", "tool_calls": [{"id": "call_7Hq2", "type": "function", "function": call}]},
            {"role": "tool", "tool_call_id": "call_7Hq2", "content": json.dumps({"note": prose(400, 1), "total": 318})},
        ]
    document |= {"messages": messages, "model": model}
    if scenario.stream:
        document |= {"stream": True, "stream_options": {"include_usage": True}}
    if scenario.tools:
        document["tools"] = TOOLS
    for turn in itertools.count(len(messages)):
        left = scenario.size_bytes - len(_compact(document))
        if left <= 0:
            break
        message: dict[str, object] = {"role": "user" if turn % 2 or left < 5000 else "assistant", "content": ""}
        overhead = len(_compact(message)) + 1
        message["content"] = prose(max(len(NONCE) + 6, left - overhead if left < 5000 else 4000), turn)
        messages.append(message)
    return _compact(document)


def _compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def requests(scenario: Scenario, port: int, path: str, key: str, model: str) -> Iterator[bytes]:
    """Whole requests without end; only their numbers differ."""
    content = body(scenario, model)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n"
        "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nUser-Agent: OpenAI/Python 3.57.0\r\n"
        "X-Stainless-Lang: python\r\nX-Stainless-Package-Version: 3.57.0\r\nX-Stainless-OS: Linux\r\n"
        "X-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\nX-Stainless-Runtime-Version: 3.11.7\r\n"
        f"Authorization: Bearer {key}\r\nX-Stainless-Async: false\r\nx-stainless-retry-count: 0\r\n"
        f"x-stainless-read-timeout: 600\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    ).encode()
    parts = (head + content).split(NONCE.encode())
    return ((b"%08d" % n).join(parts) for n in NUMBERS)


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of the load saw: how many answers, over which time, and each one's latency."""

    requests: int
    seconds: float
    latencies_s: tuple[float, ...]

    @property
    def p50_ms(self) -> float:
        """The median latency."""
        return statistics.median(self.latencies_s) * 1000


class BadAnswerError(Exception):
    """A peer answered something else than the scripted answer: a bench of it would say nothing."""


class Client(asyncio.Protocol):
    """One connection that asks, waits for the whole answer, and asks again until `take` has no more."""

    transport: asyncio.Transport

    def __init__(self, take: Callable[[], bytes | None], latencies: list[float]) -> None:
        self.take = take
        self.latencies = latencies
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answer = bytearray()
        self.need = -1  # the length of the whole answer; 0 for chunked; -1 as long as its head is not whole

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.ask()

    def ask(self) -> None:
        request = self.take()
        if request is None:
            self.done.set_result(None)
            self.transport.close()
            return
        self.answer.clear()
        self.need = -1
        self.began = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        if self.need < 0:
            end = self.answer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.answer[:end]).lower()
            if not head.startswith(b"http/1.1 200 "):
                self.fail(f"{self.answer[:400].decode('utf-8', 'replace')!r}")
                return
            length = re.search(rb"\r\ncontent-length: *(\d+)", head)
            self.need = end + 4 + int(length[1]) if length else 0
        if self.need and len(self.answer) >= self.need:
            self.check(b'"finish_reason":"stop"')
        elif not self.need and self.answer.endswith(b"\r\n0\r\n\r\n"):
            self.check(b"data: [DONE]" if b"text/event-stream" in self.answer else b'"finish_reason":"stop"')

    def check(self, mark: bytes) -> None:
        self.latencies.append(time.perf_counter() - self.began)
        if self.answer.rfind(mark) < 0:
            self.fail(f"no {mark!r} in {self.answer[-300:].decode('utf-8', 'replace')!r}")
        else:
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(f"the connection was closed: {exc}")

    def fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(BadAnswerError(why))
            self.transport.close()


async def run(port: int, source: Iterator[bytes], count: int, connections: int) -> Load:
    """Send `count` requests over `connections` connections; each waits for its answer before the next one."""
    bounded = itertools.islice(source, count)
    take = partial(next, bounded, None)
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    clients: list[Client] = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: Client(take, latencies), "127.0.0.1", port)
        clients.append(client)
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*(client.done for client in clients))
    return Load(len(latencies), time.perf_counter() - began, tuple(latencies))
