"""What a client may do in HTTP, over a real socket: pipelining, keep-alive, HTTP/1.0, and what stands at no address."""

import asyncio
import itertools

import pytest

from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.wire import (
    BODY,
    DONE,
    END,
    PATH,
    STREAM_HEAD,
    STREAMED,
    chunk,
    event,
    run,
    streamed,
    until,
    whole,
    wire,
)

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n"
FAR = 1e9


def _open(*headers: str) -> bytes:
    """A request's head without its end."""
    return "\r\n".join([f"POST {PATH} HTTP/1.1", "Host: g", *headers, ""]).encode()


def test_pipelined_requests_are_answered_in_order() -> None:
    async def work() -> None:
        play: Play = [Move.READ, whole("one"), Move.READ, whole("two")]
        async with RawServer([play]) as server, wire(server.url) as gate, gate.client() as client:
            client.send(gate.post() + HEALTH + gate.post() + HEALTH)
            bodies = [(await client.answer()).body for _ in range(4)]
            assert b"one" in bodies[0]
            assert b"ok" in bodies[1]
            assert b"two" in bodies[2]
            assert b"ok" in bodies[3]

    run(work)


def test_hundreds_of_small_requests_ahead() -> None:
    async def work() -> None:
        async with wire() as gate, gate.client() as client:
            client.send(HEALTH * 3_000)
            for _ in range(3_000):
                assert (await client.answer()).status == 200
            assert gate.said == []

    run(work)


def test_reading_stops_while_a_request_waits() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, Move.HOLD]]) as server, wire(server.url) as gate, gate.client() as client:
            client.send(gate.post() * 2)
            await until(lambda: len(server.asked) == 1)
            [connection] = gate.gateway.clients
            assert connection._transport
            assert not connection._transport.is_reading()

    run(work)


@pytest.mark.parametrize("bad", [b"BAD\x00\r\n\r\n", _open("Content-Length: 1", "Content-Length: 2") + b"\r\n"])
def test_a_bad_request_behind_a_good_one(bad: bytes) -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole()]]) as server, wire(server.url) as gate:
            async with gate.client() as client:
                client.send(gate.post() + HEALTH + bad + HEALTH + gate.post())
                first, second, third = [await client.answer() for _ in range(3)]
                assert [first.status, second.status, third.status] == [200, 200, 400]
                assert "connection" not in first.headers
                assert third.headers["connection"] == "close"
                assert await client.ended() == b""
            assert len(gate.refusals()) == 1
            assert len(server.asked) == 1

    run(work)


def test_only_the_last_answer_says_close() -> None:
    async def work() -> None:
        async with wire() as gate, gate.client() as client:
            client.send(HEALTH + HEALTH.replace(b"Host", b"Connection: close\r\nHost"))
            first, second = await client.answer(), await client.answer()
            assert "connection" not in first.headers
            assert second.headers["connection"] == "close"
            assert await client.ended() == b""

    run(work)


def test_what_comes_behind_connection_close_is_not_a_request() -> None:
    async def work() -> None:
        async with wire() as gate, gate.client() as client:
            client.send(HEALTH.replace(b"Host", b"Connection: close\r\nHost") + HEALTH)
            assert (await client.answer()).status == 200
            assert b" 200 " not in await client.ended()

    run(work)


def test_expect_100_continue() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole()]]) as server, wire(server.url) as gate, gate.client() as client:
            data = gate.post(BODY, "Expect: 100-continue")
            client.send(data[: -len(BODY)])
            assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.send(BODY)
            assert (await client.answer()).status == 200

    run(work)


def test_no_100_continue_into_the_middle_of_another_answer() -> None:
    async def work() -> None:
        async with (
            RawServer(
                [
                    [
                        Move.READ,
                        STREAM_HEAD + chunk(event("a b c ")),
                        go,
                        chunk(event("d", "stop")) + chunk(DONE) + END,
                        Move.READ,
                        whole(),
                    ]
                ]
            ) as server,
            wire(server.url) as gate,
            gate.client() as client,
        ):
            second = gate.post(BODY, "Expect: 100-continue")
            client.send(gate.post(STREAMED) + second[: -len(BODY)])
            await client.head()
            await until(lambda: any(c.timed_out == "body" for c in gate.gateway.clients))
            go.set()
            assert b"".join([piece async for piece in client.chunks()]).endswith(DONE)
            client.send(BODY)
            assert (await client.answer()).status == 200

    go = asyncio.Event()
    run(work)


def test_http_1_0_gets_no_chunks() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, streamed("one", "two")]]) as server, wire(server.url) as gate:
            async with gate.client() as client:
                client.send(gate.post(STREAMED, "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"))
                answer = await client.answer()
            assert "transfer-encoding" not in answer.headers
            assert answer.headers["connection"] == "close"
            assert answer.body.endswith(DONE)
            assert b"two" in answer.body

    run(work)


def test_head_has_no_body() -> None:
    async def work() -> None:
        async with wire() as gate, gate.client() as client:
            client.send(HEALTH.replace(b"GET", b"HEAD") + HEALTH)
            assert (await client.answer("HEAD")).headers["content-length"] == "15"
            assert (await client.answer()).body == b'{"status":"ok"}'

    run(work)


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        (b"GET /openai/v1/chat/completions", 405, "method_not_allowed"),
        (b"OPTIONS *", 404, "not_covered"),
        (b"GET /openai/v1/files", 404, "not_covered"),
        (b"POST http://g/openai/v1/chat/completions", 404, "not_covered"),
        (b"POST //openai/v1/chat/completions", 404, "not_covered"),
        (b"POST /openai/v1/chat/completions/", 404, "not_covered"),
        (b"POST /openai/v1/%63hat/completions", 404, "not_covered"),
        (b"POST /x/../openai/v1/chat/completions", 404, "not_covered"),
        (b"POST /openai/v1/chat/completions#x", 404, "not_covered"),
        (b"POST /anthropic/v1/messages", 404, "not_covered"),
    ],
)
def test_what_is_not_covered(line: bytes, status: int, code: str) -> None:
    async def work() -> None:
        async with wire() as gate:
            answer = await gate.ask(line + b" HTTP/1.1\r\nHost: g\r\n\r\n")
            assert answer.status == status
            assert answer.error["code"] == code
            assert answer.headers.get("allow") == ("POST" if status == 405 else None)
            [record] = gate.refusals()
            assert record.status == status
            assert record.route.encode() == line.partition(b" ")[2][:200]

    run(work)


def test_too_many_connections() -> None:
    async def work() -> None:
        async with wire(max_connections=2) as gate:
            async with gate.client() as one, gate.client() as two:
                one.send(HEALTH)
                two.send(HEALTH)
                assert [(await c.answer()).status for c in (one, two)] == [200, 200]
                answer = await gate.ask(HEALTH)
                assert answer.status == 503
                assert answer.error["code"] == "too_many_connections"
                one.send(HEALTH)
                assert (await one.answer()).status == 200
            await until(lambda: not gate.gateway.clients)
            assert await gate.serves()
            [record] = gate.refusals()
            assert record.status == 503

    run(work)


def test_a_client_that_does_not_read_is_not_served_further() -> None:
    async def work() -> None:
        async with wire() as gate, gate.client() as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            for _ in range(200):
                client.send(HEALTH * 1_000)
                await _turn(20)
                if client.writer.transport.get_write_buffer_size() > 1_000_000:
                    break
            [connection] = gate.gateway.clients
            assert connection._transport
            assert connection._transport.get_write_buffer_size() < 2_000_000
            assert not connection._transport.is_reading()
            gate.gateway.sweep(FAR)
            await until(lambda: not gate.gateway.clients)

    run(work)


async def _turn(times: int) -> None:
    for _ in itertools.repeat(None, times):
        await asyncio.sleep(0)


def test_the_headers_of_one_request_do_not_go_with_the_next() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole(), Move.READ, whole()]]) as server, wire(server.url) as gate:
            async with gate.client() as client:
                client.send(gate.post(BODY, "OpenAI-Beta: one"))
                await client.answer()
                client.send(gate.post(BODY))
                await client.answer()
                client.send(gate.post().replace(gate.key.encode(), b"ilk_x"))
                assert (await client.answer()).status == 401
            assert b"openai-beta: one" in server.asked[0]
            assert b"openai-beta" not in server.asked[1]

    run(work)
