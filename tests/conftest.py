"""What holds for every test: no network but loopback, deterministic properties."""

import ipaddress
import sys

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")


class NetworkBlockedError(AssertionError):
    """A test wanted to reach a machine other than this one."""


def _is_local(host: object) -> bool:
    if host is None or isinstance(host, bytes):
        return host is None or _is_local(host.decode("ascii", "replace"))
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _block_network(event: str, args: tuple[object, ...]) -> None:
    """An audit hook, which cannot be taken out again: it refuses to name or to reach any other machine.

    It sees what goes through Python's `socket`, asyncio included; uvloop's own sockets it does not see.
    """
    host: object
    if event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = args[0]
    elif event in {"socket.connect", "socket.sendto", "socket.sendmsg"} and isinstance(args[1], tuple):
        host = args[1][0]  # (host, port, ...); a unix socket's address is text or bytes
    else:
        return
    if not _is_local(host):
        raise NetworkBlockedError(f"{event} {host!r}: tests reach nothing but loopback")


sys.addaudithook(_block_network)
