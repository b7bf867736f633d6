"""Which upstream is asked after which: what is repeated and what is not, with whose key, and what the log says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock.config import load
from interlock.gateway.pool import DOWN_S, Pool
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.model.errors import ConfigError
from interlock.model.record import Record, Verdict
from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.wire import (
    BODY,
    DONE,
    NOWHERE,
    PROVIDER_KEY,
    STREAM_HEAD,
    STREAMED,
    Wire,
    chunk,
    event,
    head,
    run,
    streamed,
    until,
    whole,
    wire,
)

OTHER_KEY = "sk-proj-" + "Another0Credential2" * 3
SERVES: Play = [Move.READ, whole("second")]


def refuses(status: int) -> Play:
    return [Move.READ, head(status, content_length=0, retry_after=7)]


@contextlib.asynccontextmanager
async def pair(first: Play | None, *second: Play, retry_sent: bool = False) -> AsyncIterator[tuple[Wire, RawServer]]:
    """A gateway whose upstream plays `first` (None: nothing listens there), and behind it one that plays `second`."""
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(RawServer(second or [SERVES]))
        url = (await stack.enter_async_context(RawServer([first]))).url if first is not None else NOWHERE
        gate = await stack.enter_async_context(wire(url))
        settings, loop, pools = gate.gateway.settings, asyncio.get_running_loop(), gate.gateway.pools
        chained = Upstream(url, failover=("second",), retry_sent=retry_sent)
        pools["openai"] = Pool("openai", chained, PROVIDER_KEY, settings, loop)
        pools["second"] = Pool("second", Upstream(server.url), OTHER_KEY, settings, loop)
        yield gate, server


def passed(record: Record) -> list[tuple[str, str]]:
    steps = [step for step in record.steps if step.kind == "upstream"]
    assert all(step.verdict is Verdict.FAILED for step in steps)
    return [(step.tool, step.reason) for step in steps]


def test_an_upstream_that_is_not_there() -> None:
    async def work() -> None:
        async with pair(None) as (gate, server):
            answer = await gate.ask(gate.post())
            assert answer.status == 200
            assert b"second" in answer.body
            assert OTHER_KEY.encode() in server.asked[0]
            assert PROVIDER_KEY.encode() not in server.asked[0]
            assert server.asked[0].endswith(BODY)
            request, record = gate.records()
            assert (request.upstream, record.upstream) == ("openai", "second")
            assert (record.verdict, passed(request)) == (Verdict.ALLOWED, [])
            [(name, why)] = passed(record)
            assert name == "openai"
            assert "cannot be reached" in why
            assert not gate.gateway.performing

    run(work)


@pytest.mark.parametrize(
    ("first", "is_repeated"),
    [
        (refuses(429), (True, True)),
        (refuses(503), (True, True)),
        (refuses(529), (True, True)),
        (refuses(502), (False, True)),
        (refuses(504), (False, True)),
        ([Move.READ], (False, True)),
        ([Move.READ, Move.RESET], (False, True)),
        ([Move.READ, b"SSH-2.0-OpenSSH_9.6\r\n"], (False, True)),
        (refuses(400), (False, False)),
        (refuses(401), (False, False)),
        (refuses(404), (False, False)),
        (refuses(500), (False, False)),
        ([Move.READ, head(content_length=100) + b"{"], (False, False)),
        ([Move.READ, STREAM_HEAD + chunk(event("one"))], (False, False)),
    ],
    ids="429 503 529 502 504 nothing reset nonsense 400 401 404 500 half stream".split(),
)
@pytest.mark.parametrize("retry_sent", [False, True])
def test_what_is_repeated(first: Play, is_repeated: tuple[bool, bool], retry_sent: bool) -> None:
    async def work() -> None:
        async with pair(first, retry_sent=retry_sent) as (gate, server):
            answer = await gate.ask(gate.post())
            record = gate.records()[1]
            if is_repeated[retry_sent]:
                assert (answer.status, len(server.asked)) == (200, 1)
                assert "retry-after" not in answer.headers
                assert (record.upstream, len(passed(record))) == ("second", 1)
            else:
                assert len(server.asked) == 0
                assert (record.upstream, passed(record)) == ("openai", [])
            assert len(gate.records()) == 2
            assert gate.said == []
            assert not gate.gateway.performing
            assert not gate.gateway.pools["openai"]._open

    run(work)


def test_a_refusal_that_was_read_whole_leaves_a_connection_to_use_again() -> None:
    async def work() -> None:
        first: Play = [*refuses(429), *refuses(429), Move.HOLD]
        async with pair(first, [*SERVES, *SERVES]) as (gate, server):
            assert [(await gate.ask(gate.post())).status for _ in range(2)] == [200, 200]
            assert len(server.asked) == 2
            assert len(gate.gateway.pools["openai"]._idle) == 1

    run(work)


def test_a_stream_of_the_second() -> None:
    async def work() -> None:
        async with pair(refuses(503), [Move.READ, streamed("one ", "two ")]) as (gate, _):
            answer = await gate.ask(gate.post(STREAMED))
            assert answer.body.endswith(DONE)
            assert gate.records()[1].upstream == "second"

    run(work)


def test_none_that_serves() -> None:
    async def work() -> None:
        async with pair(None, refuses(503)) as (gate, _):
            answer = await gate.ask(gate.post())
            assert answer.status == 503
            assert answer.headers["retry-after"] == "7"
            record = gate.records()[1]
            assert (record.status, record.upstream) == (503, "second")
            assert [name for name, _ in passed(record)] == ["openai"]

    run(work)


def test_none_that_can_be_reached() -> None:
    async def work() -> None:
        async with pair(None) as (gate, server):
            settings, loop = gate.gateway.settings, asyncio.get_running_loop()
            gate.gateway.pools["second"] = Pool("second", Upstream(NOWHERE), "", settings, loop)
            answer = await gate.ask(gate.post())
            assert answer.status == 502
            assert answer.error["code"] == "upstream_error"
            record = gate.records()[1]
            assert record.upstream == "second"
            assert record.reason.startswith("second: cannot be reached")
            assert len(passed(record)) == 1
            assert server.asked == []

    run(work)


def test_who_failed_a_moment_ago_is_asked_last_and_one_request_finds_out_whether_it_is_back() -> None:
    async def work() -> None:
        first: Play = [*refuses(503), Move.READ, whole("first"), Move.READ, whole("first"), Move.HOLD]
        async with pair(first, [*SERVES, *SERVES, *SERVES]) as (gate, server):
            pool = gate.gateway.pools["openai"]
            assert (await gate.ask(gate.post())).status == 200
            assert pool.is_down
            assert b"second" in (await gate.ask(gate.post())).body
            record = gate.records()[3]
            assert (record.upstream, passed(record)) == ("second", [("openai", "openai: failed a moment ago")])
            pool._down_until -= DOWN_S
            assert b"first" in (await gate.ask(gate.post())).body
            assert b"first" in (await gate.ask(gate.post())).body
            assert len(server.asked) == 2
            assert not pool._down_until

    run(work)


def test_a_probe_is_made_by_one_request_at_a_time() -> None:
    async def work() -> None:
        held = asyncio.Event()
        first: Play = [*refuses(503), Move.READ, held, whole("first")]
        async with pair(first, [*SERVES, *SERVES]) as (gate, _):
            await gate.ask(gate.post())
            pool = gate.gateway.pools["openai"]
            pool._down_until -= DOWN_S
            probing = asyncio.ensure_future(gate.ask(gate.post()))
            await until(lambda: pool.is_down)
            assert b"second" in (await gate.ask(gate.post())).body
            held.set()
            assert b"first" in (await probing).body

    run(work)


def test_a_client_that_leaves_between_two_upstreams() -> None:
    async def work() -> None:
        async with pair(refuses(503), [Move.READ, Move.HOLD]) as (gate, server):
            async with gate.client() as client:
                client.send(gate.post())
                await until(lambda: len(server.asked) == 1)
            await server.gone.wait()
            await until(lambda: not gate.gateway.performing)
            record = gate.records()[1]
            assert (record.status, record.upstream) == (499, "second")

    run(work)


def test_timeouts_of_one_upstream() -> None:
    async def work() -> None:
        settings, loop = GatewaySettings(), asyncio.get_running_loop()
        plain = Pool("x", Upstream("http://h"), "", settings, loop)
        assert (plain._connect_s, plain._answer_s, plain._stream_s) == (10, 300, 120)
        upstream = Upstream("http://h", connect_timeout_s=1, answer_timeout_s=2, stream_timeout_s=3)
        own = Pool("x", upstream, "", settings, loop)
        assert (own._connect_s, own._answer_s, own._stream_s) == (1, 2, 3)

    run(work)


@pytest.mark.parametrize("others", ['["a"]', '["c"]', '["b", "c"]'])
def test_a_failover_that_leads_nowhere(others: str, tmp_path: Path) -> None:
    file = tmp_path / "interlock.toml"
    file.write_text(f'[llm.upstreams.a]\nurl = "http://a"\nfailover = {others}\n[llm.upstreams.b]\nurl = "http://b"\n')
    with pytest.raises(ConfigError, match="cannot fail over to") as caught:
        load(str(file), env={})
    assert caught.value.where.endswith("interlock.toml:3")
