"""The forward proxy where it reads: the client's TLS ends here, and what is inside is a request like any other."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from interlock.model.record import RecordKind, Verdict
from interlock.testing.raw import Move, RawServer
from tests.gateway.proxied import OWN, PATH, SERVES, basic, post, proxied
from tests.gateway.wire import BODY, PROVIDER_KEY, STREAMED, key, run, streamed, until, wire


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
