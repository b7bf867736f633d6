"""The network is blocked in tests, except on this machine."""

import asyncio
import socket

import pytest

from tests.conftest import NetworkBlockedError


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("203.0.113.7", 443), ("2001:db8::1", 443)])
def test_another_machine_is_not_reached(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as s, pytest.raises(NetworkBlockedError):
        s.connect(address)


def test_a_name_is_not_resolved() -> None:
    with pytest.raises(NetworkBlockedError):
        socket.getaddrinfo("example.com", 443)


def test_a_datagram_is_not_sent() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as s, pytest.raises(NetworkBlockedError):
        s.sendto(b"x", ("192.0.2.1", 53))


async def _reach(host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    await writer.wait_closed()


def test_asyncio_is_blocked_too() -> None:
    with pytest.raises(NetworkBlockedError):
        asyncio.run(_reach("192.0.2.1", 80))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.7"])
def test_this_machine_is_reached(host: str) -> None:
    with socket.create_server(("127.0.0.7" if host.endswith("7") else "127.0.0.1", 0)) as server:
        asyncio.run(_reach(host, server.getsockname()[1]))
        peer, _ = server.accept()
        peer.close()
    assert peer.fileno() == -1
