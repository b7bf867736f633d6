"""What a client can do wrong in HTTP, over a real socket: the answer, the record, and that nothing else happens."""

import asyncio
import itertools
import tomllib
from pathlib import Path
from typing import Any

import pytest

from interlock.gateway.http import LINGER_S
from interlock.gateway.reading import MAX_HEADERS
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

CORPUS = Path(__file__).parents[1] / "corpus" / "http" / "refused.toml"
CASES: list[dict[str, Any]] = tomllib.loads(CORPUS.read_text("utf-8"))["case"]
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n"
FAR = 1e9


def _open(*headers: str) -> bytes:
    """A request's head without its end."""
    return "\r\n".join([f"POST {PATH} HTTP/1.1", "Host: g", *headers, ""]).encode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "byte by byte"])
def test_refused(case: dict[str, Any], at_once: bool) -> None:
    sent = case["sent"].encode("latin-1")

    async def work() -> None:
        async with wire() as gate:
            async with gate.client() as client:
                pieces = [sent + HEALTH] if at_once else [bytes([b]) for b in sent]
                for piece in pieces:
                    client.send(piece)
                    await client.writer.drain()
                answer = await client.answer()
                assert answer.status == case["status"]
                assert answer.headers["connection"] == "close"
                assert case["says"].lower() in answer.error["message"].lower()
                assert await client.ended() == b""
            assert await gate.serves()
            [record] = gate.refusals()
            assert record.status == case["status"]
            assert case["says"].lower() in record.reason.lower()
            assert gate.said == []

    run(work)


def test_every_cut_of_a_good_request_is_read_alike() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole(), Move.HOLD]]) as server, wire(server.url) as gate:
            data = gate.post()
            async with gate.client() as client:
                for byte in data:
                    client.send(bytes([byte]))
                    await client.writer.drain()
                answer = await client.answer()
            assert answer.status == 200
            assert server.asked[0].endswith(BODY)

    run(work)


def test_the_head_is_bounded() -> None:
    async def work() -> None:
        floods = [
            b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: g\r\n\r\n",
            _open("X: " + "a" * 10_000) + b"\r\n",
            _open("X: " + "a" * 10_000),
            _open("a" * 10_000 + ": b") + b"\r\n",
            _open(*(f"X{n}: a" for n in range(MAX_HEADERS + 1))) + b"\r\n",
            _open(*("X: a" for _ in range(MAX_HEADERS + 1))) + b"\r\n",
            b"\r\n" * 10_000,
        ]
        async with wire(max_header_bytes=8_000) as gate:
            for number, flood in enumerate(floods, 1):
                answer = await gate.ask(flood)
                assert answer.status == 431
                assert "too long" in answer.error["message"]
                assert len(gate.refusals()) == number
            assert await gate.serves()

    run(work)


def test_a_head_may_come_with_a_large_body_and_another_head_behind_it() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole(), Move.READ, whole()]]) as server, wire(server.url) as gate:
            body = BODY[:-1] + b',"user":"' + b"u" * 100_000 + b'"}'
            async with gate.client() as client:
                client.send(gate.post(body) + gate.post(body))
                assert (await client.answer()).status == 200
                assert (await client.answer()).status == 200

    run(work)


def test_the_body_is_bounded_by_its_length_and_by_its_chunks() -> None:
    async def work() -> None:
        async with wire(max_body_bytes=1_000) as gate:
            by_length = await gate.ask(_open("Content-Length: 1001") + b"\r\n")
            chunks = b"".join(b"64\r\n" + b"x" * 100 + b"\r\n" for _ in range(11))
            by_chunks = await gate.ask(_open("Transfer-Encoding: chunked") + b"\r\n" + chunks)
            one_chunk = await gate.ask(_open("Transfer-Encoding: chunked") + b"\r\nffffffffffffffff\r\n" + b"x" * 1001)
            for answer in (by_length, by_chunks, one_chunk):
                assert answer.status == 413
                assert answer.error["code"] == "body_too_large"
            assert len(gate.refusals()) == 3

    run(work)


def test_a_client_that_is_still_sending_can_read_why_it_was_refused() -> None:
    async def work() -> None:
        async with wire(max_body_bytes=1_000) as gate, gate.client() as client:
            client.send(_open("Content-Length: 4000000") + b"\r\n" + b"x" * 4_000_000)
            assert (await client.answer()).status == 413
            assert await client.ended() == b""

    run(work)


def test_who_lingers_after_a_refusal_is_cut_off() -> None:
    async def work() -> None:
        async with wire() as gate, gate.client() as client:
            client.send(b"\x00")
            assert (await client.answer()).status == 400
            [connection] = gate.gateway.clients
            assert connection.deadline is not None
            gate.gateway.sweep(connection.deadline - LINGER_S / 2)
            assert gate.gateway.clients == {connection}
            gate.gateway.sweep(connection.deadline)
            await until(lambda: not gate.gateway.clients)
            assert len(gate.refusals()) == 1

    run(work)


def test_chunk_extensions_are_dropped() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole()]]) as server, wire(server.url) as gate:
            data = gate.post().partition(b"Content-Length")[0]
            chunked = b"Transfer-Encoding: chunked\r\n\r\n%x;a=b\r\n%b\r\n0;c\r\n\r\n" % (len(BODY), BODY)
            answer = await gate.ask(data + chunked)
            assert answer.status == 200
            assert b";a=b" not in server.asked[0]
            assert server.asked[0].endswith(b"\r\n\r\n" + BODY)

    run(work)


@pytest.mark.parametrize(
    "part",
    [b"POST", _open(), _open("Content-Length: 10") + b"\r\nabc", _open("Transfer-Encoding: chunked") + b"\r\n5\r\nab"],
)
def test_a_request_that_ends_too_early(part: bytes) -> None:
    async def work() -> None:
        async with wire() as gate:
            async with gate.client() as client:
                client.send(part)
                client.writer.write_eof()
                answer = await client.answer()
                assert answer.status == 400
                assert "before it was complete" in answer.error["message"]
                assert await client.ended() == b""
            async with gate.client() as client:
                client.send(part)
                await until(lambda: any(c._reader.begun for c in gate.gateway.clients))
                client.writer.transport.abort()
                await until(lambda: not gate.gateway.clients)
            assert [record.status for record in gate.refusals()] == [400, 400]
            assert await gate.serves()

    run(work)


def test_a_connection_that_says_nothing_leaves_no_record() -> None:
    async def work() -> None:
        async with wire() as gate:
            async with gate.client():
                await until(lambda: bool(gate.gateway.clients))
            await until(lambda: not gate.gateway.clients)
            assert gate.records() == []

    run(work)


def test_slow_requests_meet_their_deadline() -> None:
    async def work() -> None:
        async with wire() as gate:
            for begun, phase in ((_open(), "header"), (_open("Content-Length: 10") + b"\r\nabc", "body")):
                async with gate.client() as client:
                    client.send(begun)
                    await until(lambda phase=phase: any(c.timed_out == phase for c in gate.gateway.clients))  # type: ignore[misc]
                    gate.gateway.sweep(FAR)
                    answer = await client.answer()
                    assert answer.status == 408
                    assert phase in answer.error["message"]
                    assert await client.ended() == b""
                await until(lambda: not gate.gateway.clients)
            assert [record.status for record in gate.refusals()] == [408, 408]

    run(work)


def test_more_bytes_do_not_move_a_deadline() -> None:
    async def work() -> None:
        async with wire(header_timeout_s=10) as gate, gate.client() as client:
            client.send(b"POST / HTTP/1.1\r\n")
            await until(lambda: any(c.timed_out == "header" for c in gate.gateway.clients))
            [connection] = gate.gateway.clients
            first, fed = connection.deadline, connection._reader.fed
            client.send(b"Host: g\r\n")
            await until(lambda: connection._reader.fed > fed)
            assert connection.deadline == first

    run(work)


def test_an_idle_connection_is_closed_without_a_word() -> None:
    async def work() -> None:
        async with wire() as gate, gate.client() as client:
            client.send(HEALTH)
            assert (await client.answer()).status == 200
            gate.gateway.sweep(FAR)
            assert await client.ended() == b""
            assert gate.records() == []

    run(work)


def test_a_deadline_begins_anew_with_the_next_request() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, Move.HOLD]]) as server, wire(server.url) as gate, gate.client() as client:
            client.send(gate.post() + _open())
            await until(lambda: len(server.asked) == 1)
            [connection] = gate.gateway.clients
            assert connection.deadline is None
            assert connection.timed_out == "header"

    run(work)


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
