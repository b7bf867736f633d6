"""How exchanges end that do not end well: cut streams, deadlines, servers that are not there, clients that leave."""

import asyncio
import json

import pytest

from interlock.model.record import RecordKind, Verdict
from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.wire import (
    DONE,
    END,
    STREAM_HEAD,
    STREAMED,
    chunk,
    event,
    faulty,
    head,
    run,
    until,
    whole,
    wire,
)

FAR = 1e9


def test_a_stream_that_is_cut() -> None:
    async def work() -> None:
        play: Play = [Move.READ, STREAM_HEAD + chunk(event("one ")) + chunk(event("two "))]
        async with RawServer([play]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post(STREAMED))
            assert answer.status == 200
            assert b"one" in answer.body
            last = answer.body.rstrip().rpartition(b"data: ")[2]
            assert "ended its answer" in json.loads(last)["error"]["message"]
            assert DONE not in answer.body
            record = gate.records()[1]
            assert (record.status, record.verdict) == (502, Verdict.FAILED)
            assert "before its answer was whole" in record.reason

    run(work)


@pytest.mark.parametrize(
    "end",
    [
        [END],
        [chunk(b'data: {"error":{"message":"overloaded"}}\n\n'), END],
        [chunk(b"data: {\n\n"), END],
        [chunk(b"data: " + b"[" * 100_000 + b"\n\n"), END],
        [chunk(b'data: {"id":1,' + event("two")[7:]), END],
        [chunk(event("two").replace(b"two", b"\\udc00")), END],
        [chunk(b"data: " + b"x" * 20_000_000), Move.HOLD],
        [b"zz\r\n", Move.HOLD],
        [b"5;" + b"a" * 300_000, Move.HOLD],
        [Move.RESET],
    ],
    ids="no-mark error nonsense nested twice surrogate endless-line chunk-size chunk-head reset".split(),
)
def test_a_stream_that_ends_wrongly(end: list[bytes]) -> None:
    async def work() -> None:
        async with (
            RawServer([[Move.READ, STREAM_HEAD, chunk(event("one ")), *end]]) as server,
            wire(server.url) as gate,
        ):
            answer = await gate.ask(gate.post(STREAMED))
            assert b'"error"' in answer.body
            assert DONE not in answer.body
            assert len(gate.records()) == 2

    run(work)


def test_a_server_that_hangs_after_the_end_mark_is_not_waited_for() -> None:
    async def work() -> None:
        play: Play = [Move.READ, STREAM_HEAD, chunk(event("one")), chunk(event("", "stop")) + chunk(DONE), Move.HOLD]
        async with RawServer([play]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post(STREAMED))
            assert answer.body.endswith(DONE)
            await server.gone.wait()
            assert gate.records()[1].status == 200

    run(work)


def test_deadlines_of_the_model() -> None:
    async def work() -> None:
        play: Play = [Move.READ, Move.HOLD]
        async with RawServer([play]) as server, wire(server.url) as gate:
            asked = asyncio.ensure_future(gate.ask(gate.post()))
            await until(lambda: len(server.asked) == 1)
            gate.gateway.sweep(FAR)
            faulty(gate, await asked, 504, "did not answer in time")
            await server.gone.wait()

    run(work)


def test_a_stream_that_stalls() -> None:
    async def work() -> None:
        play: Play = [Move.READ, STREAM_HEAD + chunk(event("one ")), Move.HOLD]
        async with RawServer([play]) as server, wire(server.url) as gate, gate.client() as client:
            client.send(gate.post(STREAMED))
            await client.head()
            gate.gateway.sweep(FAR)
            said = b"".join([piece async for piece in client.chunks()])
            assert b"ended its answer" in said
            assert "silent" in gate.records()[1].reason
            await server.gone.wait()

    run(work)


def test_a_server_that_is_not_there() -> None:
    async def work() -> None:
        async with RawServer([[]]) as server:
            url = server.url
        async with wire(url) as gate:
            answer = await gate.ask(gate.post())
            faulty(gate, answer, 502, "cannot be reached")
            assert "127.0.0.1" not in answer.error["message"]

    run(work)


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/v1", f"http://{'a' * 70}.localhost/v1", "http://a..b/v1"])
def test_a_name_that_leads_nowhere(url: str) -> None:
    async def work() -> None:
        async with wire(url) as gate:
            faulty(gate, await gate.ask(gate.post()), 502, "cannot be reached")

    run(work)


def test_a_connection_that_does_not_come_in_time() -> None:
    async def work() -> None:
        # A server that accepts and never answers the TLS handshake.
        async with (
            RawServer([[Move.HOLD]]) as server,
            wire(server.url.replace("http:", "https:"), connect_timeout_s=0) as gate,
        ):
            faulty(gate, await gate.ask(gate.post()), 504, "no connection in time")

    run(work)


def test_a_client_that_leaves_while_the_connection_is_made() -> None:
    async def work() -> None:
        async with RawServer([[Move.HOLD]]) as server, wire(server.url.replace("http:", "https:")) as gate:
            async with gate.client() as client:
                client.send(gate.post())
                await server.came.wait()
            await until(lambda: not gate.gateway.performing)
            assert [record.status for record in gate.records()] == [0, 499]

    run(work)


def test_a_connection_that_nobody_waits_for_any_more_is_kept() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole()]]) as server, wire(server.url) as gate:
            pool = gate.gateway.pools["openai"]
            async with gate.client() as client:
                client.send(gate.post())
                await until(lambda: bool(pool._tasks))
                next(iter(gate.gateway.clients)).abort()
            await until(lambda: not pool._tasks and not gate.gateway.performing)
            if not pool._idle:  # the connection was faster than the client's end
                return
            assert (await gate.ask(gate.post())).status == 200
            assert server.connections == 1

    run(work)


@pytest.mark.parametrize("when", ["before", "whole", "stream"])
def test_a_client_that_leaves(when: str) -> None:
    plays: dict[str, Play] = {
        "before": [Move.READ, Move.HOLD],
        "whole": [Move.READ, head(content_length=100) + b"{", Move.HOLD],
        "stream": [Move.READ, STREAM_HEAD + chunk(event("one ")) + chunk(event("two ")), Move.HOLD],
    }

    async def work() -> None:
        async with RawServer([plays[when]]) as server, wire(server.url) as gate:
            async with gate.client() as client:
                client.send(gate.post(STREAMED) if when == "stream" else gate.post())
                await until(lambda: len(server.asked) == 1)
                if when == "stream":
                    await client.head()
            await server.gone.wait()
            await until(lambda: not gate.gateway.performing)
            record = gate.records()[1]
            assert (record.kind, record.status) == (RecordKind.ANSWER, 499)
            assert len(gate.records()) == 2
            assert not gate.gateway.pools["openai"]._open
            assert await gate.serves()

    run(work)


def test_a_client_that_closes_its_side_counts_as_gone() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, Move.HOLD]]) as server, wire(server.url) as gate, gate.client() as client:
            client.send(gate.post())
            await until(lambda: len(server.asked) == 1)
            client.writer.write_eof()
            await server.gone.wait()
            assert await client.ended() == b""
            assert len(server.asked) == 1

    run(work)


def test_an_upstream_that_is_faster_than_the_client() -> None:
    async def work() -> None:
        many = [chunk(event("word " * 200)) * 50 for _ in range(1_000)]  # about 60 MB
        play: Play = [Move.READ, STREAM_HEAD, *many, chunk(event("", "stop")) + chunk(DONE) + END]
        async with RawServer([play]) as server, wire(server.url, max_body_bytes=200_000_000) as gate:
            async with gate.client() as client:
                client.writer.transport.pause_reading()  # type: ignore[attr-defined]
                client.send(gate.post(STREAMED))
                await until(lambda: any(not c.writable for c in gate.gateway.clients))
                [connection] = gate.gateway.clients
                [upstream] = gate.gateway.pools["openai"]._open
                assert upstream._transport
                await until(lambda: upstream._transport is not None and not upstream._transport.is_reading())
                assert connection._transport
                assert upstream._total < 30_000_000
                assert connection._transport.get_write_buffer_size() < 1_000_000
                assert upstream.deadline is None  # the model is not to blame
                assert connection.deadline is not None
                client.writer.transport.resume_reading()  # type: ignore[attr-defined]
                before = upstream._total
                await client.head()
                async for _ in client.chunks():
                    if upstream._total > before:
                        break
                else:
                    pytest.fail("nothing more came")
            await until(lambda: not gate.gateway.performing)
            assert gate.records()[1].status == 499

    run(work)


def test_a_client_that_never_reads_is_cut_off() -> None:
    async def work() -> None:
        many = [chunk(event("word " * 200)) * 50 for _ in range(1_000)]
        async with (
            RawServer([[Move.READ, STREAM_HEAD, *many, Move.HOLD]]) as server,
            wire(server.url, max_body_bytes=200_000_000) as gate,
            gate.client() as client,
        ):
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(gate.post(STREAMED))
            await until(lambda: any(not c.writable for c in gate.gateway.clients))
            [connection] = gate.gateway.clients
            assert connection.deadline is not None
            connection.expire()
            await server.gone.wait()
            await until(lambda: not gate.gateway.performing)
            assert gate.records()[1].status == 499

    run(work)
