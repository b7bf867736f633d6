"""The forward proxy where it reads: the client's TLS ends here, and what is inside is a request like any other."""

import asyncio
import base64
import contextlib
import datetime
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from interlock.gateway.proxy import MAX_DIRECT
from interlock.gateway.settings import Upstream
from interlock.gateway.upstream import Pool
from interlock.identity.authority import Authority, open_authority
from interlock.model.record import Record, RecordKind, Verdict
from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.wire import (
    BODY,
    PROVIDER_KEY,
    STREAMED,
    Answer,
    Client,
    Wire,
    key,
    run,
    streamed,
    until,
    whole,
    wire,
)

GROQ = "/openai/v1/chat/completions"
PATH = "/v1/chat/completions"
OWN = "Authorization: Bearer sk-own"
SERVES: Play = [Move.READ, whole("one"), Move.READ, whole("two"), Move.HOLD]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclass
class Proxied:
    """A gateway that is a forward proxy, in front of a server with TLS at `localhost`."""

    gate: Wire
    server: RawServer
    trust: ssl.SSLContext
    made: Authority

    @property
    def place(self) -> str:
        return f"localhost:{self.server.port}"

    def asks(self, place: str, proof: str | None = None) -> bytes:
        proof = basic("interlock", self.gate.key) if proof is None else proof
        shown = f"Proxy-Authorization: {proof}\r\n" if proof else ""
        return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{shown}\r\n".encode()

    @contextlib.asynccontextmanager
    async def connected(self, place: str = "", name: str | None = None) -> AsyncIterator[Client]:
        """A client inside an intercepted connection."""
        place = place or self.place
        async with self.gate.client() as client:
            client.send(self.asks(place))
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
            await client.writer.start_tls(self.trust, server_hostname=name or place.partition(":")[0])
            yield client

    def connects(self) -> list[Record]:
        return self.gate.records(RecordKind.CONNECT)


@contextlib.asynccontextmanager
async def proxied(folder: Path, plays: list[Play], **options: Any) -> AsyncIterator[Proxied]:
    theirs = open_authority(folder / "theirs", ["localhost"], lambda: datetime.datetime.now(datetime.UTC))
    async with (
        RawServer(plays, tls=theirs.context("localhost")) as server,
        wire(
            f"https://localhost:{server.port}/v1",
            ca_file=str(theirs.certificate_pem),
            proxy_keys=folder / "ours",
            **options,
        ) as gate,
    ):
        trust = ssl.create_default_context(cafile=str(folder / "ours/ca.pem"))
        yield Proxied(gate, server, trust, theirs)


def post(body: bytes = BODY, *headers: str, host: str = "localhost", path: str = PATH) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def direct(world: Proxied, host: str) -> None:
    """Let the test's server be a model's host for which no upstream is configured."""
    upstream = Upstream(f"https://localhost:{world.server.port}", "", str(world.made.certificate_pem))
    gateway = world.gate.gateway
    gateway.pools[host] = Pool(host, upstream, "", gateway.settings, asyncio.get_running_loop())


def test_a_request_inside_is_a_request_like_any_other(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world, world.connected() as client:
            host = world.place
            client.send(post(BODY, OWN, host=host))
            assert b"one" in (await client.answer()).body
            client.send(post(BODY, OWN, host=host))
            assert b"two" in (await client.answer()).body
            for asked in world.server.asked:
                assert asked.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
                assert f"Bearer {PROVIDER_KEY}".encode() in asked
                assert b"sk-own" not in asked
                assert b"ilk_" not in asked
            connect, *others = world.gate.records()
            assert connect == world.connects()[0]
            assert (connect.workload, connect.upstream, connect.reason) == ("w", host, "read")
            assert [record.kind for record in others] == [RecordKind.REQUEST, RecordKind.ANSWER] * 2
            assert others[0].workload == "w"
            assert others[0].upstream == "openai"

    run(work)


def test_a_stream_inside(tmp_path: Path) -> None:
    async def work() -> None:
        async with (
            proxied(tmp_path, [[Move.READ, streamed("hel", "lo"), Move.HOLD]]) as world,
            world.connected() as client,
        ):
            client.send(post(STREAMED, host=world.place))
            assert (await client.answer()).body.endswith(b"data: [DONE]\n\n")

    run(work)


@pytest.mark.parametrize("proof", ["", "Basic ", "Basic !!", "Basic aWxrXzE6", "Bearer ilk_1", "Digest x", "wrong"])
def test_who_has_no_key_learns_nothing_but_that(tmp_path: Path, proof: str) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world:
            shown = basic("interlock", key("w")[1]) if proof == "wrong" else proof
            for place in (world.place, "bank.example:443", "no place"):
                answer = await world.gate.ask(world.asks(place, shown))
                assert answer.status == (400 if place == "no place" else 407)
            assert world.server.connections == 0
            answer = await world.gate.ask(world.asks(world.place, shown))
            assert answer.headers["proxy-authenticate"].startswith("Basic ")
            assert answer.headers["connection"] == "close"
            assert world.place not in answer.error["message"]
            assert not world.connects()
            assert all(record.verdict is Verdict.BLOCKED for record in world.gate.refusals())

    run(work)


def test_a_key_may_stand_as_the_user_or_after_bearer(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world:
            for proof in (
                basic(world.gate.key, ""),
                f"Bearer {world.gate.key}",
                f"bAsIc  {basic('', world.gate.key)[6:]}",
            ):
                async with world.gate.client() as client:
                    client.send(world.asks(world.place, proof))
                    assert (await client.head()).startswith(b"HTTP/1.1 200 ")

    run(work)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("bank.example:443", "no AI service"),
        ("chatgpt.com:443", "cannot be read"),
        ("api.openai.com:8443", "cannot be read"),
        ("localhost:1", "no AI service"),
        ("[::1]:443", "no AI service"),
        ("169.254.169.254:80", "no AI service"),
    ],
)
def test_what_is_not_read_is_refused(tmp_path: Path, place: str, says: str) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world, world.gate.client() as client:
            client.send(world.asks(place))
            head = (await client.head()).decode()
            assert head.startswith("HTTP/1.1 403 interlock: ")
            assert says in head.split("\r\n")[0]
            (record,) = world.gate.refusals()
            assert (record.workload, record.route) == ("w", f"CONNECT {place}")
            assert not world.connects()

    run(work)


def test_a_client_that_names_another_host_in_its_handshake(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                async with world.connected(name="api.openai.com"):
                    pass
            await until(lambda: len(world.connects()) == 2)
            assert "named another host" in world.connects()[1].reason
            assert world.connects()[1].verdict is Verdict.FAILED
            await until(lambda: not world.gate.gateway.clients)
            assert world.server.connections == 0
            assert await world.gate.serves()

    run(work)


def shake(port: int, asks: bytes, trust: ssl.SSLContext) -> None:
    """A client with the blocking socket that most programs have."""
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.sendall(asks)
        assert plain.recv(4096).startswith(b"HTTP/1.1 200 ")
        trust.wrap_socket(plain, server_hostname="localhost").close()


def test_a_client_that_does_not_trust_us(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world:
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.to_thread(shake, world.gate.port, world.asks(world.place), ssl.create_default_context())
            await until(lambda: len(world.connects()) == 2)
            assert "the client does not trust the local authority" in world.connects()[1].reason
            await until(lambda: not world.gate.gateway.clients)

    run(work)


@pytest.mark.parametrize(
    "request_",
    [
        post(host="api.openai.com"),
        post(host="localhost"),
        post(host="localhost:443"),
        post(host="evil.example, localhost"),
        post(host=""),
        post(host="{place}", path="https://api.openai.com/v1/chat/completions"),
        post(host="{place}", path="chat"),
        b"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n",
    ],
)
def test_a_request_for_another_host_is_misdirected(tmp_path: Path, request_: bytes) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world, world.connected() as client:
            client.send(request_.replace(b"{place}", world.place.encode()) + post(host=world.place))
            answer = await client.answer()
            assert answer.status in {400, 421}
            assert answer.headers["connection"] == "close"
            assert await client.ended() == b""
            assert world.server.connections == 0
            (record,) = world.gate.refusals()
            assert record.verdict is Verdict.BLOCKED

    run(work)


def test_an_address_of_the_same_host_is_a_path(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world, world.connected() as client:
            client.send(post(host=world.place, path=f"https://{world.place.upper()}{PATH}"))
            assert (await client.answer()).status == 200

    run(work)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", PATH, 405), ("POST", "/v1/files", 404), ("GET", "/healthz", 404)]
)
def test_an_address_inside_that_is_not_covered(tmp_path: Path, method: str, path: str, status: int) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world, world.connected() as client:
            client.send(f"{method} {path} HTTP/1.1\r\nHost: {world.place}\r\nContent-Length: 0\r\n\r\n".encode())
            answer = await client.answer()
            assert answer.status == status
            assert world.gate.refusals()[0].status == status
            client.send(post(host=world.place))
            assert (await client.answer()).status == 200

    run(work)


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x00\x02\x01\x00", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 5000, b"\x80\x01"]
)
def test_junk_in_place_of_a_handshake(tmp_path: Path, junk: bytes) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world:
            async with world.gate.client() as client:
                client.send(world.asks(world.place))
                await client.head()
                client.send(junk)
                client.writer.write_eof()
                await client.ended()
            await until(lambda: len(world.connects()) == 2 and not world.gate.gateway.clients)
            assert world.connects()[1].verdict is Verdict.FAILED
            assert world.gate.said == []
            assert await world.gate.serves()

    run(work)


def test_a_handshake_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES], header_timeout_s=1) as world, world.gate.client() as client:
            client.send(world.asks(world.place))
            await client.head()
            client.send(b"\x16\x03\x01")
            assert await client.ended() == b""
            await until(lambda: len(world.connects()) == 2)
            assert not world.gate.gateway.clients

    run(work)


@pytest.mark.parametrize(
    "sent",
    [
        b"CONNECT {place} HTTP/1.1\r\nHost: g\r\n{proof}\r\nGET /healthz HTTP/1.1\r\nHost: g\r\n\r\n",
        b"CONNECT {place} HTTP/1.1\r\nHost: g\r\n{proof}Content-Length: 4\r\n\r\nGET ",
        b"CONNECT {place} HTTP/1.1\r\nHost: g\r\n{proof}Content-Length: 0\r\n\r\n",
        b"CONNECT {place} HTTP/1.1\r\nHost: g\r\n{proof}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"CONNECT {place} HTTP/1.1\r\nHost: g\r\n{proof}\r\n\x16\x03\x01",
    ],
)
def test_nothing_is_smuggled_behind_connect(tmp_path: Path, sent: bytes) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world, world.gate.client() as client:
            proof = f"Proxy-Authorization: {basic('x', world.gate.key)}\r\n".encode()
            client.send(sent.replace(b"{place}", world.place.encode()).replace(b"{proof}", proof))
            answer = await client.answer()
            assert answer.status == 400
            assert await client.ended() == b""
            assert not world.connects()

    run(work)


def test_requests_before_connect_are_answered_first(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world, world.gate.client() as client:
            client.send(b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n" + world.asks(world.place))
            assert (await client.answer()).body == b'{"status":"ok"}'
            assert (await client.head()).startswith(b"HTTP/1.1 200 Connection")

    run(work)


def test_a_key_that_is_revoked_ends_what_it_opened(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world, world.connected() as client:
            client.send(post(host=world.place))
            assert (await client.answer()).status == 200
            world.gate.gateway.keyring.replace([])
            client.send(post(host=world.place))
            answer = await client.answer()
            assert answer.status == 401
            assert answer.headers["connection"] == "close"

    run(work)


@pytest.mark.parametrize(
    ("host", "path"), [("api.groq.com", GROQ), ("api.mistral.ai", PATH), ("api.perplexity.ai", "/chat/completions")]
)
def test_a_model_without_an_upstream_takes_the_clients_own_key(tmp_path: Path, host: str, path: str) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES], unsafe_pass_credentials=True) as world:
            direct(world, host)
            async with world.connected(f"{host}:443") as client:
                client.send(post(BODY, OWN, "X-Secret: 1", host=host, path=path))
                assert b"one" in (await client.answer()).body
            (asked,) = world.server.asked
            assert asked.startswith(f"POST {path} HTTP/1.1\r\n".encode())
            assert asked.lower().count(b"authorization: bearer sk-own\r\n") == 1
            assert b"X-Secret" not in asked
            request = world.gate.records(RecordKind.REQUEST)[0]
            assert (request.upstream, request.workload) == (host, "w")
            assert request.route.startswith(f"/{host}/")

    run(work)


async def refused(world: Proxied, *headers: str, path: str = PATH) -> Answer:
    async with world.connected("api.mistral.ai:443") as client:
        client.send(post(BODY, *headers, host="api.mistral.ai", path=path))
        answer = await client.answer()
    assert world.server.connections == 0
    assert world.gate.refusals()[-1].workload == "w"
    return answer


def test_a_model_without_an_upstream_is_refused_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world:
            direct(world, "api.mistral.ai")
            answer = await refused(world, OWN)
            assert answer.status == 403
            assert "unsafe_pass_credentials" in answer.error["message"]

    run(work)


def test_an_interlock_key_goes_to_nobody(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES], unsafe_pass_credentials=True) as world:
            direct(world, "api.mistral.ai")
            for header in (f"Authorization: Bearer {world.gate.key}", f"X-Api-Key: {world.gate.key}"):
                answer = await refused(world, header)
                assert answer.status == 403
                assert "interlock key" in answer.error["message"]

    run(work)


@pytest.mark.parametrize(
    "path",
    [
        "/../v1/chat/completions",
        "/a/./v1/chat/completions",
        "/a//v1/chat/completions",
        "/a" * 9 + PATH,
        "/%2e%2e/v1/chat/completions",
    ],
)
def test_a_prefix_that_could_be_read_in_two_ways_is_not_covered(tmp_path: Path, path: str) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES], unsafe_pass_credentials=True) as world:
            direct(world, "api.mistral.ai")
            assert (await refused(world, OWN, path=path)).status == 404

    run(work)


def test_an_upstream_that_holds_no_key_takes_the_clients_if_the_settings_say_so(tmp_path: Path) -> None:
    async def work() -> None:
        for passes in (True, False):
            options: dict[str, Any] = {"unsafe_pass_credentials": passes, "provider_key": ""}
            async with proxied(tmp_path / str(passes), [SERVES], **options) as world, world.connected() as client:
                client.send(post(BODY, OWN, host=world.place))
                assert (await client.answer()).status == 200
                assert (b"sk-own" in world.server.asked[0]) is passes

    run(work)


def test_connections_are_kept_to_so_many_hosts_without_an_upstream(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world:
            gateway = world.gate.gateway
            assert gateway.proxy
            for number in range(MAX_DIRECT + 3):
                assert gateway.proxy._reach(gateway, f"h{number}.openai.azure.com")
            assert len(gateway.pools) == MAX_DIRECT + 1
            for name in gateway.pools:
                gateway.pools[name]._tasks.add(asyncio.get_running_loop().create_task(asyncio.Event().wait()))  # type: ignore[arg-type]
            assert not gateway.proxy._reach(gateway, "one-more.openai.azure.com")

    run(work)


def test_over_plain_http_an_upstream_is_read_by_its_address_and_by_connect(tmp_path: Path) -> None:
    async def work() -> None:
        async with RawServer([SERVES]) as server, wire(server.url, proxy_keys=tmp_path) as gate:
            place = f"127.0.0.1:{server.port}"
            proof = f"Proxy-Authorization: {basic('x', gate.key)}"
            async with gate.client() as client:
                client.send(post(BODY, OWN, proof, host=place, path=f"http://{place}{PATH}"))
                assert b"one" in (await client.answer()).body
                client.send(post(BODY, OWN, proof, host=place, path=f"http://{place}/v1/files"))
                assert (await client.answer()).status == 404
            async with gate.client() as client:
                client.send(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{proof}\r\n\r\n".encode())
                await client.head()
                client.send(post(BODY, OWN, host=place))
                assert b"two" in (await client.answer()).body
                client.send(post(host="other.example"))
                assert (await client.answer()).status == 421
            assert all(b"sk-own" not in asked and b"roxy" not in asked for asked in server.asked)

    run(work)


def test_a_model_is_not_asked_in_the_clear(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world:
            proof = f"Proxy-Authorization: {basic('x', world.gate.key)}"
            for host in ("api.openai.com", "api.openai.com:443", world.place):
                answer = await world.gate.ask(post(BODY, proof, host=host, path=f"http://{host}{PATH}"))
                assert answer.status == 403

    run(work)


def test_when_nothing_can_be_recorded_nothing_is_let_through(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES], log_breaks=True) as world:
            world.gate.gateway.log.close()
            answer = await world.gate.ask(world.asks(world.place))
            assert answer.status == 503

    run(work)
