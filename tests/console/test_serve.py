"""The listener: starts and stops in somebody else's loop, and stands what a socket can send it."""

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from interlock.console.access import Access
from interlock.console.app import build
from interlock.console.serve import MAX_HEAD_BYTES, Listening, serve
from interlock.console.settings import ConsoleSettings
from interlock.model.errors import ConfigError
from tests.console.fakes import telling

T = TypeVar("T")
ANYWHERE = ConsoleSettings(port=0)


def during(work: Callable[[Listening, Access], Awaitable[T]], settings: ConsoleSettings = ANYWHERE) -> T:
    """Do this while a console listens."""

    async def run() -> T:
        access = Access()
        async with serve(build(telling(), access, settings), settings) as listening:
            return await work(listening, access)

    return asyncio.run(run())


async def send(listening: Listening, sent: bytes, host: str = "127.0.0.1") -> bytes:
    """All that comes back for these bytes."""
    reader, writer = await asyncio.open_connection(host, listening.port)
    writer.write(sent)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


def get(path: str, listening: Listening, method: str = "GET", more: str = "") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{listening.port}\r\nConnection: close\r\n{more}\r\n"
    return head.encode("latin-1")


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_it_listens_while_the_block_runs_and_no_longer() -> None:
    async def run() -> None:
        async with serve(build(telling(), Access(), ANYWHERE), ANYWHERE) as listening:
            assert listening.port > 0
            assert listening.url == f"http://127.0.0.1:{listening.port}"
            assert status(await send(listening, get("/healthz", listening))) == 200
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await send(listening, get("/healthz", listening))

    asyncio.run(run())


def test_signals_are_not_touched() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    async def look(_listening: Listening, _access: Access) -> dict[signal.Signals, object]:
        return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    # asyncio.run itself takes SIGINT over; what matters is that SIGTERM and the runner's handler stay.
    assert during(look)[signal.SIGTERM] == before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_taken_port_is_a_configuration_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ConsoleSettings(port=taken.getsockname()[1])

        async def never(_listening: Listening, _access: Access) -> None:
            raise AssertionError("it must not start")

        with pytest.raises(ConfigError, match="cannot listen") as caught:
            during(never, settings)
    assert "port = 0" in caught.value.hint


def test_an_impossible_port_is_a_configuration_error() -> None:
    async def never(_listening: Listening, _access: Access) -> None:
        raise AssertionError("it must not start")

    with pytest.raises(ConfigError, match="no such port"):
        during(never, ConsoleSettings(port=70_000))


def test_ipv6_has_brackets() -> None:
    assert Listening("::1", 7701).url == "http://[::1]:7701"
    assert Listening("::", 7701).url == "http://[::1]:7701"
    assert Listening("0.0.0.0", 7701).url == "http://127.0.0.1:7701"


def test_nothing_is_written_of_a_request(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    async def enter(listening: Listening, access: Access) -> bytes:
        link = access.mint_link(listening.url).removeprefix(listening.url)
        return await send(listening, get(link, listening))

    with caplog.at_level(logging.DEBUG):
        answer = during(enter)
    assert status(answer) == 303
    assert b"\r\nlocation: /\r\n" in answer
    assert capfd.readouterr() == ("", "")
    assert "token" not in caplog.text


def test_of_two_uses_at_once_over_the_wire_one_wins() -> None:
    async def race(listening: Listening, access: Access) -> list[int]:
        link = access.mint_link(listening.url).removeprefix(listening.url)
        answers = await asyncio.gather(*(send(listening, get(link, listening)) for _ in range(12)))
        return sorted(status(answer) for answer in answers)

    assert during(race) == [303] + [403] * 11


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 401),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n b\x00\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /" + b"a" * 2 * MAX_HEAD_BYTES, 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: " + b"a" * 2 * MAX_HEAD_BYTES, 400),
        (b"GET /static/../../../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 404),
        (b"GET /static/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 404),
        (b"GET /\x80\xff HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET /%ff%00 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 401),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 405),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\n\r\n", 200),
    ],
)
def test_what_a_socket_can_send(sent: bytes, expected: int) -> None:
    async def ask(listening: Listening, _access: Access) -> bytes:
        return await asyncio.wait_for(send(listening, sent), 10)

    answer = during(ask)
    assert status(answer) == expected
    assert b"root:" not in answer


def test_head_has_the_headers_and_no_body() -> None:
    async def both(listening: Listening, _access: Access) -> tuple[bytes, bytes]:
        return await send(listening, get("/healthz", listening)), await send(
            listening, get("/healthz", listening, "HEAD")
        )

    full, head = during(both)
    assert full.endswith(b"\r\n\r\nok\n")
    assert head.endswith(b"\r\n\r\n")
    assert b"content-length: 3\r\n" in head


def test_headers_cannot_be_split_through_an_address() -> None:
    async def ask(listening: Listening, _access: Access) -> bytes:
        return await send(listening, get("/sessions/%0d%0aset-cookie:%20a=b?view=%0d%0ax:y", listening))

    answer = during(ask)
    assert b"set-cookie" not in answer.partition(b"\r\n\r\n")[0]


def test_a_silent_connection_does_not_keep_it_up() -> None:
    async def run() -> bytes:
        async with serve(build(telling(), Access(), ANYWHERE), ANYWHERE) as listening:
            reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
            writer.write(b"GET / HT")
            await writer.drain()
            await send(listening, get("/healthz", listening))
        left = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return left

    assert asyncio.run(asyncio.wait_for(run(), 20)) == b""


def test_it_can_be_cancelled() -> None:
    async def run() -> int:
        started = asyncio.Event()
        port = 0

        async def wait() -> None:
            nonlocal port
            async with serve(build(telling(), Access(), ANYWHERE), ANYWHERE) as listening:
                port = listening.port
                started.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(wait())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return port

    port = asyncio.run(run())
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 1)
