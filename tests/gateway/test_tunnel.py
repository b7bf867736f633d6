"""What passes the forward proxy unread: every byte both ways, to no place that it may not reach, and counted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from interlock.gateway.tunnel import Dialer, is_public
from interlock.model.errors import AuditError, UpstreamError
from interlock.model.record import Record, RecordKind
from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.proxied import basic
from tests.gateway.wire import Client, Wire, run, until, wire

LARGE = 8_000_000


@dataclass
class Echo:
    """A server that says what it hears, as it is not HTTP at all. `stalled` reads nothing until it is set."""

    port: int = 0
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    greeting: bytes = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(self.greeting)
            await self.stalled.wait()
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
            writer.write(b"bye")
        writer.close()


@contextlib.asynccontextmanager
async def echo(greeting: bytes = b"") -> AsyncIterator[Echo]:
    made = Echo(greeting=greeting)
    made.stalled.set()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def asks(gate: Wire, place: str) -> bytes:
    proof = basic("interlock", gate.key)
    return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nProxy-Authorization: {proof}\r\n\r\n".encode()


@contextlib.asynccontextmanager
async def tunnelled(gate: Wire, place: str) -> AsyncIterator[Client]:
    async with gate.client() as client:
        client.send(asks(gate, place))
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        yield client


@contextlib.asynccontextmanager
async def proxy(folder: Path, **options: Any) -> AsyncIterator[Wire]:
    async with wire(proxy_keys=folder, **{"tunnel_hosts": ("127.0.0.1", "localhost"), **options}) as gate:
        yield gate


def connects(gate: Wire) -> list[Record]:
    return gate.records(RecordKind.CONNECT)


async def ended(gate: Wire) -> None:
    await until(lambda: len(connects(gate)) == 2 and not gate.gateway.clients)


def test_everything_passes_both_ways_and_is_counted(tmp_path: Path) -> None:
    async def work() -> None:
        async with echo(greeting=b"hello ") as server, proxy(tmp_path) as gate:
            place = f"localhost:{server.port}"
            async with tunnelled(gate, place) as client:
                client.send(b"\x16\x00 any bytes")
                assert await client.reader.readexactly(18) == b"hello \x16\x00 any bytes"
                client.writer.write_eof()
                assert await client.ended() == b"bye"
            await ended(gate)
            begun, over = connects(gate)
            assert (begun.reason, over.reason) == ("passes unread", "ended")
            assert begun.request == over.request
            assert (over.upstream, over.workload) == (place, "w")
            assert (over.bytes_in, over.bytes_out) == (12, 21)
            assert gate.said == []

    run(work)


def test_a_server_that_does_not_read_holds_the_client_back(tmp_path: Path) -> None:
    async def work() -> None:
        async with echo() as server, proxy(tmp_path) as gate:
            server.stalled.clear()
            async with tunnelled(gate, f"127.0.0.1:{server.port}") as client:
                data = bytes(range(256)) * (LARGE // 256)
                client.send(data)
                (stood,) = gate.gateway.clients
                await until(lambda: stood._transport is not None and not stood._transport.is_reading())
                server.stalled.set()
                assert await client.reader.readexactly(LARGE) == data
                client.writer.write_eof()
                assert await client.ended() == b"bye"
            await ended(gate)
            assert connects(gate)[1].bytes_out == LARGE + 3

    run(work)


def test_a_tunnel_that_is_silent_is_ended(tmp_path: Path) -> None:
    async def work() -> None:
        async with echo() as server, proxy(tmp_path) as gate:
            async with tunnelled(gate, f"127.0.0.1:{server.port}") as client:
                client.send(b"a")
                assert await client.reader.readexactly(1) == b"a"
                gate.gateway.sweep(asyncio.get_running_loop().time() + 110)
                client.send(b"b")
                assert await client.reader.readexactly(1) == b"b"
                gate.gateway.sweep(asyncio.get_running_loop().time() + 130)
                assert await client.ended() == b""
            await ended(gate)

    run(work)


def test_a_key_that_is_revoked_ends_its_tunnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.gateway.proxy.PROVEN_S", 0.0)

    async def work() -> None:
        async with echo() as server, proxy(tmp_path) as gate:
            async with tunnelled(gate, f"127.0.0.1:{server.port}") as client:
                client.send(b"a")
                assert await client.reader.readexactly(1) == b"a"
                gate.gateway.keyring.replace([])
                client.send(b"b")
                assert await client.ended() == b""
            await ended(gate)
            assert connects(gate)[1].bytes_out == 1

    run(work)


@pytest.mark.parametrize("who", ["client", "server"])
def test_either_end_may_be_lost(tmp_path: Path, who: str) -> None:
    async def work() -> None:
        play: Play = [b"hi", Move.RESET] if who == "server" else [Move.HOLD]
        async with RawServer([play]) as server, proxy(tmp_path) as gate:
            async with tunnelled(gate, f"127.0.0.1:{server.port}") as client:
                if who == "client":
                    client.writer.transport.abort()
                    await server.gone.wait()
                else:
                    await client.ended()
            await ended(gate)
            assert gate.said == []

    run(work)


def test_a_server_that_is_away(tmp_path: Path) -> None:
    async def work() -> None:
        async with echo() as server:
            port = server.port
        async with proxy(tmp_path) as gate:
            answer = await gate.ask(asks(gate, f"127.0.0.1:{port}"))
            assert answer.status == 502
            assert gate.refusals()[0].status == 502

    run(work)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_no_tunnel_leads_to_interlock_itself(tmp_path: Path, host: str) -> None:
    async def work() -> None:
        async with proxy(tmp_path, tunnel_hosts=("localhost", "127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1")) as gate:
            answer = await gate.ask(asks(gate, f"{host}:{gate.port}"))
            assert answer.status == 403
            assert "interlock itself" in answer.error["message"]

    run(work)


def test_allow_lets_public_names_pass_and_no_private_ones(tmp_path: Path) -> None:
    async def work() -> None:
        async with echo() as server, proxy(tmp_path, tunnel="allow", tunnel_hosts=()) as gate:
            for place in (f"localhost:{server.port}", f"127.0.0.1:{server.port}", "chatgpt.com:443", "1.1.1.1:443"):
                answer = await gate.ask(asks(gate, place))
                assert answer.status == 403, place
            assert "public Internet" in gate.refusals()[0].reason
            assert [record.upstream for record in connects(gate)] == [f"localhost:{server.port}"]

    run(work)


def test_the_gateway_stops_with_a_tunnel_open(tmp_path: Path) -> None:
    async def work() -> None:
        async with echo() as server, proxy(tmp_path) as gate, tunnelled(gate, f"127.0.0.1:{server.port}") as client:
            await gate.gateway.stop(0.05)
            assert await client.ended() == b""
            await ended(gate)

    run(work)


def test_a_plain_address_passes_as_one_request(tmp_path: Path) -> None:
    async def work() -> None:
        said = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        async with RawServer([[Move.READ, said]]) as server, proxy(tmp_path) as gate, gate.client() as client:
            proof = basic("x", gate.key)
            place = f"127.0.0.1:{server.port}"
            lines = [
                f"POST http://{place}/a?b=c HTTP/1.1",
                "Host: elsewhere.example",
                f"Proxy-Authorization: {proof}",
                "Proxy-Connection: keep-alive",
                "Connection: keep-alive, X-Hop",
                "X-Hop: 1",
                "X-End: 2",
                "Transfer-Encoding: chunked",
            ]
            client.send("\r\n".join([*lines, "", ""]).encode() + b"2\r\nhi\r\n0\r\n\r\n")
            client.send(b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await client.ended() == said
            head = (
                f"POST /a?b=c HTTP/1.1\r\nhost: {place}\r\nconnection: close\r\nx-end: 2\r\ncontent-length: 2\r\n\r\n"
            )
            assert server.asked == [head.encode() + b"hi"]
            await ended(gate)
            assert connects(gate)[1].bytes_out == len(said)

    run(work)


ADDRESSES = {
    "1.1.1.1": True,
    "2606:4700::1111": True,
    **dict.fromkeys(["127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1"], False),
    **dict.fromkeys(["169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "224.0.0.1"], False),
    **dict.fromkeys(["255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1"], False),
    **dict.fromkeys(["::ffff:127.0.0.1", "64:ff9b::169.254.169.254", "2002:7f00:1::", "2001:db8::1"], False),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses(address: str) -> None:
    assert is_public(address) is ADDRESSES[address]


def test_a_name_that_is_none_is_no_fault() -> None:
    async def work() -> None:
        dialer = Dialer((), 5)
        for host in ("a" * 300, "..", ""):
            with pytest.raises(UpstreamError) as raised:
                await dialer.connect(asyncio.Protocol, host, 1, private=False)
            assert raised.value.status in {403, 502}

    run(work)


def test_the_beginning_is_on_the_disk_before_anything_passes(tmp_path: Path) -> None:
    async def work() -> None:
        async with RawServer([[Move.HOLD]]) as server, proxy(tmp_path, log_breaks=True) as gate:
            log, place = gate.gateway.log, f"127.0.0.1:{server.port}"

            async def lost(n: int) -> None:
                raise AuditError(f"the disk is full at {n}")

            log.durable = lost  # type: ignore[method-assign]
            assert (await gate.ask(asks(gate, place))).status == 503
            assert server.connections == 0
            assert len(connects(gate)) == 1

    run(work)
