"""What a client can do wrong in HTTP, over a real socket: the answer, the record, and that nothing else happens."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from interlock.gateway.http import LINGER_S
from interlock.gateway.reading import MAX_HEADERS
from interlock.testing.raw import Move, RawServer
from tests.gateway.wire import (
    BODY,
    PATH,
    run,
    until,
    whole,
    wire,
)

CORPUS = sorted((Path(__file__).parents[1] / "corpus" / "http").glob("*.toml"))
CASES: list[dict[str, Any]] = [case for file in CORPUS for case in tomllib.loads(file.read_text("utf-8"))["case"]]
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


@pytest.mark.parametrize("start", [b"1;a", b"0"], ids=["extension", "size"])
def test_the_head_of_a_chunk_is_bounded(start: bytes) -> None:
    async def work() -> None:
        async with wire(max_header_bytes=8_000) as gate, gate.client() as client:
            small = b"1\r\nx\r\n" * 3_000  # of whole ones there may be many
            client.send(_open("Transfer-Encoding: chunked") + b"\r\n" + small + start)
            for _ in range(40):
                client.send(start[-1:] * 300)
                await client.writer.drain()
            answer = await client.answer()
            assert answer.status == 400
            assert "head of a chunk" in answer.error["message"]
            assert len(gate.refusals()) == 1

    run(work)


def test_a_request_in_the_body_of_another_is_none() -> None:
    """CL.0 (PortSwigger, 2022): a server that ignores the body of a request which needs none reads it as the next."""

    async def work() -> None:
        for line in ("GET /healthz", f"GET {PATH}", "OPTIONS *", "POST /none"):
            async with wire() as gate, gate.client() as client:
                hidden = HEALTH.replace(b"healthz", b"hidden")
                client.send(f"{line} HTTP/1.1\r\nHost: g\r\nContent-Length: {len(hidden)}\r\n\r\n".encode() + hidden)
                client.send(HEALTH.replace(b"Host", b"Connection: close\r\nHost"))
                first, second = await client.answer(), await client.answer()
                assert (first.status, second.status) == (200 if "health" in line else 405 if PATH in line else 404, 200)
                assert await client.ended() == b""
                assert "hidden" not in "".join(record.route for record in gate.records())

    run(work)


def test_a_header_that_another_server_may_take_for_chunks_is_a_header() -> None:
    async def work() -> None:
        async with wire() as gate, gate.client() as client:
            client.send(_open("Transfer_Encoding: chunked", "Transfer-Encoding-: chunked") + b"\r\n0\r\n\r\n" + HEALTH)
            assert (await client.answer()).status == 401  # and what follows is no request
            assert (await client.answer()).status == 400
            assert await client.ended() == b""

    run(work)
