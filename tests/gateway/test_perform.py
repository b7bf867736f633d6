"""An exchange when something of our own fails: the log, the disk, the guard, or the process that has to stop."""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from interlock.model.errors import AuditError
from interlock.model.record import Record, RecordKind, Verdict
from interlock.store.log import AuditLog
from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.wire import (
    BODY,
    DONE,
    END,
    STREAM_HEAD,
    STREAMED,
    Wire,
    chunk,
    completion,
    event,
    head,
    run,
    streamed,
    until,
    whole,
    wire,
)

IBAN = "DE02120300000000202051"
CALL = {"id": "call_1", "type": "function", "function": {"name": "pay", "arguments": json.dumps({"iban": IBAN})}}
OFFER = {
    "model": "m",
    "messages": [{"role": "user", "content": f"pay {IBAN}"}],
    "tools": [{"type": "function", "function": {"name": "pay", "parameters": {"type": "object"}}}],
}
ASKS_TO_PAY = json.dumps(OFFER).encode()
ASKS_TO_PAY_STREAMED = json.dumps(OFFER | {"stream": True}).encode()


def _pays() -> bytes:
    body = completion("", tool_calls=[CALL])
    return head(content_type="application/json", content_length=len(body)) + body


def _pays_streamed() -> bytes:
    choice = {"index": 0, "delta": {"tool_calls": [{"index": 0, **CALL}]}, "finish_reason": None}
    called = b"data: " + json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode() + b"\n\n"
    return STREAM_HEAD + chunk(called) + chunk(event("", "tool_calls")) + chunk(DONE)


class Slow:
    """A log whose disk takes until `go` is set; then `error`, if there is one, is what became of it."""

    def __init__(self, log: AuditLog, error: AuditError | None = None) -> None:
        self.go = asyncio.Event()
        self.waited = asyncio.Event()
        self._log = log
        self._error = error

    def append(self, record: Record) -> int:
        return self._log.append(record)

    def check(self) -> None:
        self._log.check()

    async def durable(self, n: int) -> None:
        self.waited.set()
        await self.go.wait()
        if self._error:
            raise self._error
        await self._log.durable(n)


def slow(gate: Wire, error: AuditError | None = None) -> Slow:
    log = Slow(gate.gateway.log, error)
    gate.gateway.log = log  # type: ignore[assignment]
    return log


def fill_disk(log: AuditLog) -> None:
    """From now on every write of the log fails, as on a full disk."""
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._segment)
    os.close(full)


# --- the log -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        lambda gate: gate.post(),
        lambda gate: gate.post(STREAMED),
        lambda gate: gate.post(b"{"),
        lambda gate: gate.post(path="/elsewhere"),
        lambda gate: gate.post().replace(b"Bearer", b"Basic"),
        lambda _: b"nonsense\r\n\r\n",
    ],
    ids=["whole", "streamed", "bad body", "not covered", "bad key", "no request"],
)
def test_what_cannot_be_recorded_is_not_served(data: Callable[[Wire], bytes]) -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole()]]) as server, wire(server.url, log_breaks=True) as gate:
            fill_disk(gate.gateway.log)
            for _ in range(2):
                answer = await gate.ask(data(gate))
                assert answer.status == 503
                assert answer.error["code"] == "audit_unavailable"
                assert answer.headers["connection"] == "close"
            assert server.asked == []
            assert gate.records() == []
            assert "No space left" in gate.said[0]
            assert not gate.gateway.performing

    run(work)


def test_a_gateway_that_cannot_record_is_not_healthy() -> None:
    async def work() -> None:
        async with RawServer([]) as server, wire(server.url, log_breaks=True) as gate:
            health = b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n"
            assert (await gate.ask(health)).status == 200
            fill_disk(gate.gateway.log)
            assert (await gate.ask(gate.post())).status == 503
            answer = await gate.ask(health)
            assert answer.status == 503
            assert answer.error["code"] == "audit_unavailable"

    run(work)


def test_a_log_that_breaks_before_the_answer() -> None:
    async def work() -> None:
        async with (
            RawServer([[Move.READ, go, whole(), Move.HOLD]]) as server,
            wire(server.url, log_breaks=True) as gate,
            gate.client() as client,
        ):
            client.send(gate.post())
            await until(lambda: len(server.asked) == 1)
            fill_disk(gate.gateway.log)
            go.set()
            answer = await client.answer()
            assert answer.status == 503
            assert b"hello" not in answer.body
            assert await client.ended() == b""

    go = asyncio.Event()
    run(work)


def test_a_log_that_breaks_before_the_end_of_a_stream() -> None:
    async def work() -> None:
        play: Play = [
            Move.READ,
            STREAM_HEAD + chunk(event("one ")),
            go,
            chunk(event("two", "stop")) + chunk(DONE) + END,
        ]
        async with (
            RawServer([play]) as server,
            wire(server.url, log_breaks=True) as gate,
            gate.client() as client,
        ):
            client.send(gate.post(STREAMED))
            await client.head()
            fill_disk(gate.gateway.log)
            go.set()
            said = await client.ended()
            assert DONE not in said
            assert not said.endswith(END)

    go = asyncio.Event()
    run(work)


@pytest.mark.parametrize("streams", [False, True])
def test_a_risky_call_goes_out_only_when_its_record_is_on_disk(streams: bool) -> None:
    async def work() -> None:
        play: Play = [Move.READ, _pays_streamed() + END if streams else _pays(), Move.HOLD]
        async with RawServer([play]) as server, wire(server.url) as gate, gate.client() as client:
            log = slow(gate)
            client.send(gate.post(ASKS_TO_PAY_STREAMED if streams else ASKS_TO_PAY))
            await log.waited.wait()
            assert IBAN.encode() not in client.reader._buffer  # type: ignore[attr-defined]
            log.go.set()
            answer = await client.answer()
            assert IBAN.encode() in answer.body
            assert [record.kind for record in gate.records()] == [RecordKind.REQUEST, RecordKind.ANSWER]

    run(work)


@pytest.mark.parametrize("streams", [False, True])
def test_a_risky_call_whose_record_is_lost_does_not_go_out(streams: bool) -> None:
    async def work() -> None:
        play: Play = [Move.READ, _pays_streamed() + END if streams else _pays(), Move.HOLD]
        async with RawServer([play]) as server, wire(server.url) as gate, gate.client() as client:
            log = slow(gate, AuditError("the disk is gone"))
            client.send(gate.post(ASKS_TO_PAY_STREAMED if streams else ASKS_TO_PAY))
            await log.waited.wait()
            log.go.set()
            if streams:
                said = await client.ended()
                assert IBAN.encode() not in said
                assert not said.endswith(END)
            else:
                answer = await client.answer()
                assert answer.status == 503
                assert IBAN.encode() not in answer.body

    run(work)


def test_an_upstream_that_closes_while_the_disk_is_waited_for_changes_nothing() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, _pays_streamed(), Move.RESET]]) as server, wire(server.url) as gate:
            async with gate.client() as client:
                log = slow(gate)
                client.send(gate.post(ASKS_TO_PAY_STREAMED))
                await log.waited.wait()
                await until(lambda: not gate.gateway.pools["openai"]._open)
                log.go.set()
                answer = await client.answer()
            assert answer.body.endswith(DONE)
            assert [record.status for record in gate.records()] == [0, 200]

    run(work)


@pytest.mark.parametrize("error", [None, AuditError("the disk is gone")])
def test_a_client_that_leaves_while_the_disk_is_waited_for(error: AuditError | None) -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, _pays(), Move.HOLD]]) as server, wire(server.url) as gate:
            log = slow(gate, error)
            async with gate.client() as client:
                client.send(gate.post(ASKS_TO_PAY))
                await log.waited.wait()
            await until(lambda: not gate.gateway.performing)
            log.go.set()
            await until(lambda: len(gate.gateway._tasks) == 1)
            assert [record.kind for record in gate.records()] == [RecordKind.REQUEST, RecordKind.ANSWER]
            assert await gate.serves()

    run(work)


# --- the guard -----------------------------------------------------------------------------------------------


def _fails_at(gate: Wire, text: str) -> None:
    """A bug: the guard fails over this text, with an error that repeats it."""

    def digest(seen: str) -> str:
        if text in seen:
            raise LookupError(f"secret {seen}")
        return "d"

    gate.gateway.rules = replace(gate.gateway.rules, digest=digest)


def _faulty(gate: Wire, kind: RecordKind) -> None:
    record = gate.records()[-1]
    assert (record.kind, record.status, record.verdict) == (kind, 500, Verdict.FAILED)
    assert record.reason.startswith("LookupError at test_perform.py:")
    [said] = gate.said
    assert "LookupError at test_perform.py:" in said
    assert "secret" not in said
    assert not gate.gateway.performing


def test_a_fault_over_a_request() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole()]]) as server, wire(server.url) as gate:
            _fails_at(gate, "hi")
            answer = await gate.ask(gate.post())
            assert answer.status == 500
            assert answer.error["code"] == "internal_error"
            assert server.asked == []
            _faulty(gate, RecordKind.REFUSAL)
            assert await gate.serves()

    run(work)


def test_a_fault_over_an_answer() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole("odd"), Move.HOLD]]) as server, wire(server.url) as gate:
            _fails_at(gate, "odd")
            answer = await gate.ask(gate.post())
            assert answer.status == 500
            assert b"odd" not in answer.body
            _faulty(gate, RecordKind.ANSWER)
            request, record = gate.records()
            assert record.request == request.request

    run(work)


def test_a_fault_over_a_stream() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, streamed("odd"), Move.HOLD]]) as server, wire(server.url) as gate:
            _fails_at(gate, "odd")
            async with gate.client() as client:
                client.send(gate.post(STREAMED))
                assert DONE not in await client.ended()
            _faulty(gate, RecordKind.ANSWER)
            assert await gate.serves()

    run(work)


def test_a_fault_before_the_exchange() -> None:
    class Keyring:
        def prove(self, presented: str, now_us: int) -> None:
            raise LookupError(f"secret {presented} {now_us}")

    async def work() -> None:
        async with wire() as gate:
            gate.gateway.keyring = Keyring()  # type: ignore[assignment]
            answer = await gate.ask(gate.post())
            assert answer.status == 500
            assert gate.refusals()[0].status == 500
            assert "secret" not in str(gate.said)
            assert await gate.serves()

    run(work)


# --- the end -------------------------------------------------------------------------------------------------


def test_a_running_stream_ends_before_the_gateway_stops() -> None:
    async def work() -> None:
        play: Play = [
            Move.READ,
            STREAM_HEAD + chunk(event("one ")),
            go,
            chunk(event("two", "stop")) + chunk(DONE) + END,
        ]
        async with RawServer([play]) as server, wire(server.url) as gate, gate.client() as client:
            client.send(gate.post(STREAMED))
            await client.head()
            stopped = asyncio.ensure_future(gate.gateway.stop(60))
            await until(lambda: gate.gateway._drained is not None)
            go.set()
            said = b"".join([piece async for piece in client.chunks()])
            assert said.endswith(DONE)
            client.writer.close()
            await stopped
            with pytest.raises(OSError):  # noqa: PT011 - refused, or reset
                await asyncio.open_connection("127.0.0.1", gate.port)

    go = asyncio.Event()
    run(work)


def _whole(gate: Wire) -> bytes:
    return gate.post(BODY)


def _stream(gate: Wire) -> bytes:
    return gate.post(STREAMED)


@pytest.mark.parametrize("data", [_whole, _stream])
def test_what_does_not_end_in_time_is_ended_and_recorded(data: Callable[[Wire], bytes]) -> None:
    async def work() -> None:
        play: Play = [Move.READ, STREAM_HEAD + chunk(event("one ")) if data is _stream else b"", Move.HOLD]
        async with RawServer([play]) as server, wire(server.url) as gate, gate.client() as client:
            client.send(data(gate))
            await until(lambda: len(server.asked) == 1)
            if data is _stream:
                await client.head()
            await gate.gateway.stop(0)
            if data is _stream:
                assert b"ended its answer" in await client.ended()
            else:
                answer = await client.answer()
                assert answer.status == 503
                assert "interlock stops" in answer.error["message"]
            assert "interlock stops" in gate.records()[1].reason
            await server.gone.wait()

    run(work)


def test_idle_connections_are_closed_at_the_end() -> None:
    async def work() -> None:
        async with wire() as gate, gate.client() as idle, gate.client() as begun:
            begun.send(b"POST / HTTP/1.1\r\n")
            clients = gate.gateway.clients
            await until(lambda: len(clients) == 2 and sum(client._reader.begun for client in clients) == 1)
            stopped = asyncio.ensure_future(gate.gateway.stop(60))
            assert await idle.ended() == b""
            assert await begun.ended() == b""
            idle.writer.close()
            begun.writer.close()
            await stopped

    run(work)


def test_the_sweeper_outlives_a_fault() -> None:
    class Odd:
        deadline = 0.0

        def expire(self) -> None:
            raise LookupError("odd")

    async def work() -> None:
        async with wire() as gate:
            odd = Odd()
            gate.gateway.clients.add(odd)  # type: ignore[arg-type]
            await until(lambda: len(gate.said) == 1)
            await until(lambda: len(gate.said) == 2)
            gate.gateway.clients.remove(odd)  # type: ignore[arg-type]
            assert all("LookupError" in line for line in gate.said)
            assert await gate.serves()

    run(work)
