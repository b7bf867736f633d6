"""What a model's server can do wrong: the client gets one clear error, the log a record, the next client is served."""

import asyncio
import json

import pytest

from interlock.gateway.pool import KEPT_S, Pool
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.gateway.upstream import HIGH_WATER
from interlock.model.errors import ConfigError
from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.wire import (
    END,
    PROVIDER_KEY,
    STREAMED,
    chunk,
    completion,
    faulty,
    head,
    run,
    streamed,
    until,
    whole,
    wire,
)

FAR = 1e9
JSON = "application/json"
BODY = completion()


WRONG: dict[str, tuple[Play, str]] = {
    "nothing": ([Move.READ], "before its answer was whole"),
    "a reset": ([Move.READ, Move.RESET], "before its answer was whole"),
    "half a head": ([Move.READ, b"HTTP/1.1 200 OK\r\nContent-"], "before its answer was whole"),
    "a body cut short": (
        [Move.READ, head(content_type=JSON, content_length=len(BODY) + 1), BODY],
        "before its answer was",
    ),
    "chunks cut short": ([Move.READ, head(transfer_encoding="chunked"), chunk(BODY)], "before its answer was whole"),
    "too short a length": ([Move.READ, head(content_type=JSON, content_length=len(BODY) - 5), BODY], "not valid JSON"),
    "two lengths": (
        [Move.READ, head(content_length=len(BODY))[:-2], b"Content-Length: 3\r\n\r\n", BODY],
        "Content-Length",
    ),
    "a length and chunks": (
        [Move.READ, head(content_length=4, transfer_encoding="chunked"), chunk(BODY), END],
        "Transfer-Encoding",
    ),
    "wrong chunks": ([Move.READ, head(transfer_encoding="chunked"), b"zz\r\n", BODY], "chunk size"),
    "another encoding": ([Move.READ, head(transfer_encoding="gzip"), BODY], "before its answer was whole"),
    "a compressed body": (
        [Move.READ, head(content_encoding="gzip", content_length=len(BODY)), BODY],
        "cannot be decoded",
    ),
    "no HTTP at all": ([Move.READ, b"SSH-2.0-OpenSSH_9.6\r\n"], "HTTP/1.1"),
    "bare line feeds": ([Move.READ, b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"], "HTTP/1.1"),
    "another protocol": (
        [Move.READ, b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"],
        "changed the protocol",
    ),
    "a head without end": ([Move.READ, b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 300_000, Move.HOLD], "too long a head"),
    "informs without end": ([Move.READ, b"HTTP/1.1 103 Early\r\n\r\n" * 30_000, Move.HOLD], "too long a head"),
    "a chunk's head without end": (
        [Move.READ, head(transfer_encoding="chunked") + b"1;", b"a" * 300_000, Move.HOLD],
        "too long a head",
    ),
    "trailers without end": (
        [Move.READ, head(transfer_encoding="chunked") + chunk(BODY) + b"0\r\n", b"X: y\r\n" * 60_000, Move.HOLD],
        "too long a head",
    ),
    "too much, by length": (
        [Move.READ, head(content_length=2_000_000) + b" " * 2_000_000, Move.HOLD],
        "over 1000000 bytes",
    ),
    "too much, by chunks": (
        [Move.READ, head(transfer_encoding="chunked") + chunk(b" " * 50_000) * 30, Move.HOLD],
        "over 1000000 bytes",
    ),
    "nested too deep": ([Move.READ, head(content_type=JSON, content_length=100_000), b"[" * 100_000], "nested"),
    "a key twice": (
        [Move.READ, head(content_type=JSON, content_length=len(BODY) + 8), b'{"id":1,' + BODY[1:] + b" "],
        "stands twice",
    ),
    "half a surrogate": (
        [Move.READ, head(content_type=JSON, content_length=len(BODY) + 1), BODY.replace(b"hello", b"\\ud800")],
        "not valid JSON",
    ),
    "not UTF-8": (
        [Move.READ, head(content_type=JSON, content_length=len(BODY)), BODY.replace(b"hello", b"hell\xff")],
        "not valid JSON",
    ),
    "not JSON": ([Move.READ, head(content_length=4), b"<ok>"], "not valid JSON"),
    "an empty answer": ([Move.READ, head(204)], "204"),
    "a redirect": ([Move.READ, head(307, location="http://127.0.0.1:9/x", content_length=0)], "307"),
    "an error's page": ([Move.READ, head(500, content_type="text/html", content_length=13), b"<h1>Oh</h1>  "], "500"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer(name: str) -> None:
    play, says = WRONG[name]

    async def work() -> None:
        async with RawServer([play]) as server, wire(server.url, max_body_bytes=1_000_000) as gate:
            answer = await gate.ask(gate.post())
            faulty(gate, answer, 500 if name == "an error's page" else 502, says)
            assert b"<h1>" not in answer.body
            assert "location" not in answer.headers
            assert len(server.asked) == 1
            assert await gate.serves()

    run(work)


@pytest.mark.parametrize("status", [401, 403])
def test_what_is_said_of_our_credential_is_not_passed_on(status: int) -> None:
    async def work() -> None:
        body = json.dumps({"error": {"message": f"Incorrect API key provided: {PROVIDER_KEY}"}}).encode()
        said = head(status, content_type=JSON, content_length=len(body), x_request_id="r") + body
        async with RawServer([[Move.READ, said]]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post())
            assert answer.status == 502
            assert "interlock's credential" in answer.error["message"]
            assert PROVIDER_KEY.encode() not in answer.body

    run(work)


def test_a_limit_of_the_model_is_passed_on() -> None:
    async def work() -> None:
        body = b'{"error":{"message":"slow down","type":"rate_limit"}}'
        said = head(429, content_type=JSON, content_length=len(body), retry_after=7, x_ratelimit_limit_tokens=5) + body
        async with RawServer([[Move.READ, said]]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post())
            assert answer.status == 429
            assert b"slow down" in answer.body
            assert answer.headers["retry-after"] == "7"
            assert answer.headers["x-ratelimit-limit-tokens"] == "5"
            assert gate.records()[1].status == 429

    run(work)


def test_an_error_of_over_the_high_water_mark_that_calls_itself_a_stream() -> None:
    async def work() -> None:
        said = head(500, content_type="text/event-stream", content_length=HIGH_WATER * 2) + b"x" * HIGH_WATER * 2
        async with RawServer([[Move.READ, said, Move.HOLD]]) as server, wire(server.url) as gate:
            assert (await gate.ask(gate.post(STREAMED))).status == 500

    run(work)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + whole(),
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + whole(),
        head(content_type=JSON) + BODY,
        head(content_type=JSON, connection="close") + BODY,
        head(content_type=JSON, transfer_encoding="chunked") + b"".join(chunk(bytes([b])) for b in BODY) + END,
        head(content_type=JSON, transfer_encoding="chunked") + chunk(BODY) + b"0\r\nX-Trailer: a\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        whole() + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        whole() + b"nonsense",
    ],
    ids=[
        "100",
        "103 and 102",
        "until close",
        "closing",
        "small chunks",
        "trailer",
        "HTTP/1.0",
        "a second answer",
        "more",
    ],
)
@pytest.mark.parametrize("cut", [False, True], ids=["at once", "cut"])
def test_an_unusual_answer_that_is_right(said: bytes, cut: bool) -> None:
    async def work() -> None:
        play: Play = [Move.READ, *([said[n : n + 1] for n in range(len(said))] if cut else [said])]
        async with RawServer([play]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post())
            assert answer.status == 200
            assert answer.body == BODY
            assert not gate.gateway.pools["openai"]._idle
            assert gate.said == []

    run(work)


def test_a_connection_is_used_again() -> None:
    async def work() -> None:
        play: Play = [Move.READ, whole("one"), Move.READ, streamed("two"), Move.READ, whole("three"), Move.HOLD]
        async with RawServer([play]) as server, wire(server.url) as gate:
            assert b"one" in (await gate.ask(gate.post())).body
            assert b"two" in (await gate.ask(gate.post(STREAMED))).body
            assert b"three" in (await gate.ask(gate.post())).body
            assert server.connections == 1
            [connection] = gate.gateway.pools["openai"]._idle
            assert connection.deadline is not None
            gate.gateway.sweep(connection.deadline)
            await server.gone.wait()
            assert not gate.gateway.pools["openai"]._open
            assert KEPT_S > 0

    run(work)


def test_an_answer_before_the_request_was_read() -> None:
    async def work() -> None:
        body = b'{"error":{"message":"too large"}}'
        early = head(413, content_type=JSON, content_length=len(body)) + body
        async with RawServer([[Move.HEAD, early, wait], [Move.READ, whole()]]) as server, wire(server.url) as gate:
            # The server reads no further than the head, so that most of this stays with the gateway.
            large = b'{"model":"m","messages":[{"role":"user","content":"%b"}]}' % (b"x" * 14_000_000)
            answer = await gate.ask(gate.post(large))
            assert answer.status == 413
            assert "too large" in answer.error["message"]
            assert not gate.gateway.pools["openai"]._idle
            assert (await gate.ask(gate.post())).status == 200

    wait = asyncio.Event()
    run(work)


def test_concurrent_exchanges_have_connections_of_their_own() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, go, whole(), Move.HOLD]]) as server, wire(server.url) as gate:
            asked = [asyncio.ensure_future(gate.ask(gate.post())) for _ in range(20)]
            await until(lambda: len(server.asked) == 20)
            go.set()
            assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
            assert server.connections == 20
            assert len(gate.gateway.pools["openai"]._idle) == 20

    go = asyncio.Event()
    run(work)


def test_bytes_that_nobody_asked_for_end_an_idle_connection() -> None:
    async def work() -> None:
        play: Play = [Move.READ, whole("one"), speak, whole("evil"), Move.HOLD]
        async with RawServer([play, [Move.READ, whole("two")]]) as server, wire(server.url) as gate:
            assert b"one" in (await gate.ask(gate.post())).body
            speak.set()
            await server.gone.wait()
            assert not gate.gateway.pools["openai"]._open
            assert b"two" in (await gate.ask(gate.post())).body

    speak = asyncio.Event()
    run(work)


def test_a_kept_connection_that_has_died_is_not_used() -> None:
    """Its end is in the kernel, but the loop has not told anybody yet: the moment in which a POST would be lost."""

    async def work() -> None:
        async with (
            RawServer([[Move.READ, whole()], [Move.READ, whole("two"), Move.HOLD]]) as server,
            wire(server.url) as gate,
        ):
            assert (await gate.ask(gate.post())).status == 200
            pool = gate.gateway.pools["openai"]
            connection = next(iter(pool._idle), None)
            if connection:  # else it was told already, which is as good
                await until(lambda: not connection.is_quiet or not connection.is_open)
            assert b"two" in (await gate.ask(gate.post())).body
            assert len(server.asked) == 2

    run(work)


def test_a_request_whose_bytes_went_out_is_never_sent_twice() -> None:
    async def work() -> None:
        async with (
            RawServer([[Move.READ, whole(), Move.READ, Move.RESET], [Move.READ, whole()]]) as server,
            wire(server.url) as gate,
        ):
            assert (await gate.ask(gate.post())).status == 200
            answer = await gate.ask(gate.post())
            assert answer.status == 502
            assert len(server.asked) == 2
            assert server.connections == 1

    run(work)


@pytest.mark.parametrize(
    "url",
    ["http://host:99999/v1", "http://[::1/v1", "http://user:secret@host/v1", "http://host/v1?key=secret",
     "http://ho st/v1", "http://höst/v1", "http://host/v1/a b", "http://:80/v1"],
)  # fmt: skip
def test_an_address_that_cannot_be_used(url: str) -> None:
    async def work() -> None:
        with pytest.raises(ConfigError, match=r"llm\.upstreams\.x\.url") as caught:
            Pool("x", Upstream(url), "", GatewaySettings(), asyncio.get_running_loop())
        assert "secret" not in str(caught.value)

    run(work)


def test_a_credential_with_a_line_end_is_mended_and_one_with_two_lines_refused() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        pool = Pool("x", Upstream("http://h/v1", "KEY"), "sk-1\n", GatewaySettings(), loop)
        assert pool._key == b"sk-1"
        with pytest.raises(ConfigError, match="KEY") as caught:
            Pool("x", Upstream("http://h/v1", "KEY"), "sk-1\r\nHost: evil", GatewaySettings(), loop)
        assert "sk-1" not in str(caught.value)

    run(work)
