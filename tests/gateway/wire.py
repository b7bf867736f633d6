"""A real gateway on loopback, raw clients of it, and what its log says."""

import asyncio
import contextlib
import datetime
import functools
import itertools
import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.app import now_us, ticks_us
from interlock.detectors import Engine, detectors
from interlock.gateway.pool import Pool
from interlock.gateway.proxy import Proxy
from interlock.gateway.server import Gateway
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.gateway.ways import Ways, intercepted
from interlock.guard import Rules
from interlock.identity.authority import open_authority
from interlock.identity.keys import Keyring, mint
from interlock.model.errors import AuditError
from interlock.model.record import Record, RecordKind, Verdict
from interlock.policy import Policies, Source
from interlock.protocols import adapters
from interlock.store import Key
from interlock.store.log import AuditLog
from interlock.store.segments import read, verifier_of, verify
from interlock.store.settings import AuditSettings

T = TypeVar("T")
LIMIT_S = 20.0
PATH = "/openai/v1/chat/completions"
PROVIDER_KEY = "sk-proj-" + "Provider0Credential1" * 3
NOWHERE = "http://127.0.0.1:9/v1"
BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
STREAMED = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}'


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a test's coroutine on the loop that the product uses; it fails if it takes too long."""

    async def limited() -> T:
        async with asyncio.timeout(LIMIT_S):
            return await work()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(limited())


@functools.cache
def _policies() -> Policies:
    bundled = files("interlock.policy")
    texts = [
        Source(name, bundled.joinpath(name).read_text("utf-8")) for name in ("schema.cedarschema", "bundled.cedar")
    ]
    return Policies(texts[0], (texts[1],), {})


@functools.cache
def _engine() -> Engine:
    return Engine(detectors())


def rules(limit: int) -> Rules:
    return Rules(
        policies=_policies(),
        engine=_engine(),
        digest=lambda text: blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest(),
        now_us=now_us,
        ticks_us=ticks_us,
        limit=limit,
    )


def key(workload: str = "w", lifetime_us: int | None = None) -> tuple[Key, str]:
    return mint(workload, now_us(), lifetime_us, secrets.token_bytes)


@dataclass
class Wire:
    """The gateway, and what it told the operator (`said`)."""

    gateway: Gateway
    port: int
    folder: Path
    key: str
    kept: Key
    said: list[str] = field(default_factory=list)

    def records(self, kind: RecordKind | None = None) -> list[Record]:
        """What the log holds, without the gateway's own life."""
        found = [stored.record for stored in read(self.folder)]
        return [r for r in found if r.kind is not RecordKind.GATEWAY and (kind is None or r.kind is kind)]

    def refusals(self) -> list[Record]:
        return self.records(RecordKind.REFUSAL)

    def post(self, body: bytes = BODY, *headers: str, path: str = PATH) -> bytes:
        """The bytes of a good request."""
        lines = [f"POST {path} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {self.key}", *headers]
        lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator["Client"]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()

    async def ask(self, data: bytes) -> "Answer":
        """One answer to these bytes, over a connection of its own."""
        async with self.client() as client:
            client.send(data)
            return await client.answer()

    async def serves(self) -> bool:
        """Whether the next client is served."""
        return (await self.ask(b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n")).status == 200


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error, in the shape that the SDKs read."""
        assert self.headers["content-type"] == "application/json"
        error: dict[str, Any] = json.loads(self.body)["error"]
        assert error["message"].startswith("interlock: ")
        kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
        other = "server_error" if self.status >= 500 else "invalid_request_error"
        assert error["type"] in (kinds.get(self.status, other), other)
        return error


@dataclass
class Client:
    """A client that sends bytes and reads answers by the letter of RFC 9112."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, method: str = "POST") -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = head.rstrip().split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if method == "HEAD":
            return Answer(int(status), headers, b"")
        if "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            body = b"".join([piece async for piece in self.chunks()])
        else:
            body = await self.reader.read()
        return Answer(int(status), headers, body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The pieces of a chunked answer whose head has been read."""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            yield await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def ended(self) -> bytes:
        """What still comes until the gateway closes."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


@contextlib.asynccontextmanager
async def wire(
    url: str = NOWHERE,
    *,
    ca_file: str = "",
    log_breaks: bool = False,
    proxy_keys: Path | None = None,
    provider_key: str = PROVIDER_KEY,
    **settings: Any,
) -> AsyncIterator[Wire]:
    """A gateway in front of `url`. Its log holds when it is over, unless the test breaks it.

    With `proxy_keys`, a folder, it is a forward proxy as well.
    """
    chosen = GatewaySettings(port=0, **settings)
    kept, secret = key()
    loop = asyncio.get_running_loop()
    said: list[str] = []
    loop.set_exception_handler(lambda _, context: said.append(f"{context['message']} {context.get('exception', '')}"))
    counter = itertools.count()
    with tempfile.TemporaryDirectory() as data:
        folder = Path(data) / "gw-1"
        with AuditLog.open(folder, "gw-1", Ed25519PrivateKey.generate(), AuditSettings(), now_us) as log:
            upstream = Upstream(url, "KEY", ca_file)
            pools = {"openai": Pool("openai", upstream, provider_key, chosen, loop)}
            ready = rules(chosen.max_body_bytes)
            gateway = Gateway(chosen, log, Keyring([kept]), ready, adapters(), pools, lambda: f"r{next(counter)}")
            if proxy_keys:
                gateway.proxy = _proxy(chosen, upstream, proxy_keys)
            port = await gateway.start()
            if gateway.proxy:
                gateway.proxy.own_ports.add(port)
            try:
                yield Wire(gateway, port, folder, secret, kept, said)
            finally:
                with contextlib.suppress(*[AuditError] * log_breaks):
                    await gateway.stop(0.1)
        assert verify(folder, verifier_of(folder)).damage is None
        log_bytes = b"".join(path.read_bytes() for path in folder.iterdir())
        for word in (secret.rsplit("_", 1)[1], PROVIDER_KEY):
            assert word.encode() not in log_bytes
            assert not any(word in line for line in said)


def _proxy(settings: GatewaySettings, upstream: Upstream, keys: Path) -> Proxy:
    domains = intercepted(settings, [upstream], adapters())
    authority = open_authority(keys, domains, lambda: datetime.datetime.now(datetime.UTC))
    return Proxy(settings, Ways(settings, {"openai": upstream}, adapters()), authority)


def faulty(gate: Wire, answer: Answer, status: int, *says: str) -> None:
    """The client was told, in the protocol's shape; the log says the same; no connection was kept."""
    assert answer.status == status
    assert answer.error["code"] == "upstream_error"
    request, record = gate.records()
    assert (request.kind, record.kind) == (RecordKind.REQUEST, RecordKind.ANSWER)
    assert (record.status, record.verdict) == (status, Verdict.FAILED)
    for word in says:
        assert word in record.reason
    assert not gate.gateway.pools["openai"]._open
    assert not gate.gateway.performing
    assert gate.said == []


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until it holds; the test's own limit ends it."""
    while not holds():  # noqa: ASYNC110 - what is looked at is the product's own state, which sets no event
        await asyncio.sleep(0)


def head(status: int = 200, **headers: str | int) -> bytes:
    """The head of an upstream's answer."""
    lines = [f"HTTP/1.1 {status} Said", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def completion(text: str = "hello", **message: object) -> bytes:
    """The body of a whole answer of a model's server."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    document: Mapping[str, object] = {
        "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]
    }  # fmt: skip
    return json.dumps(document).encode()


def whole(text: str = "hello") -> bytes:
    """A whole good answer, head and body."""
    body = completion(text)
    return head(content_type="application/json", content_length=len(body)) + body


def event(text: str, finish: str | None = None) -> bytes:
    """One event of a streamed answer."""
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    document = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(document).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


STREAM_HEAD = head(content_type="text/event-stream", transfer_encoding="chunked")
END = b"0\r\n\r\n"


def streamed(*texts: str) -> bytes:
    """A whole good streamed answer, head and all."""
    events = [event(text) for text in texts] + [event("", "stop"), DONE]
    return STREAM_HEAD + b"".join(chunk(e) for e in events) + END
