"""Two connections joined without being read: what a forward proxy does with a host that interlock does not read.

Where it may lead is looked at in the addresses, after the name was resolved, and those very addresses are then
connected to: a name cannot be one thing when it is judged and another when it is used.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Collection
from typing import cast

from interlock.model.errors import UpstreamError

# Names looked up at once: a slow name server must not hold every thread that looks up names.
LOOKUPS = 2
# Azure's host agent, which answers every virtual machine with its secrets from a public address.
_NEVER = frozenset({ipaddress.ip_address("168.63.129.16")})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(text: str) -> bool:
    """Whether an address belongs to the public Internet, also the one that stands inside an IPv6 one.

    >>> is_public("1.1.1.1"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1"), is_public("64:ff9b::7f00:1")
    (True, False, False, False)
    """
    address = _inner(ipaddress.ip_address(text.partition("%")[0]))
    return address.is_global and not address.is_multicast and address not in _NEVER


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


class Dialer:
    """Connects to hosts that are not read.

    Rules: only public addresses, unless `private` says otherwise; never the ports of interlock itself on this
    machine, whatever says otherwise.
    """

    def __init__(self, own_ports: Collection[int], timeout_s: float) -> None:
        self._own_ports = own_ports
        self._timeout_s = timeout_s
        self._lookups = asyncio.Semaphore(LOOKUPS)

    async def connect(
        self, protocol: Callable[[], asyncio.Protocol], host: str, port: int, *, private: bool
    ) -> asyncio.Transport:
        """A connection. Raises: UpstreamError, with status 403 if it may not be, 502 or 504 if it cannot be."""
        try:
            async with asyncio.timeout(self._timeout_s):
                addresses = await self._allowed(host, port, private=private)
                return await self._first(protocol, addresses, host, port)
        except TimeoutError:
            raise UpstreamError("cannot be reached: no connection in time", where=host, status=504) from None

    async def _allowed(self, host: str, port: int, *, private: bool) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            async with self._lookups:
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise UpstreamError("its name cannot be resolved", where=host) from error
        addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
        if not private:
            addresses = [address for address in addresses if is_public(address)]
        if not addresses:
            raise UpstreamError("it is not on the public Internet", where=host, status=403)
        return addresses

    async def _first(
        self, protocol: Callable[[], asyncio.Protocol], addresses: list[str], host: str, port: int
    ) -> asyncio.Transport:
        """The first of the addresses that answers."""
        why = ""
        for address in addresses:
            self._refuse_own(_inner(ipaddress.ip_address(address.partition("%")[0])).is_loopback, host, port)
            try:
                made, _ = await asyncio.get_running_loop().create_connection(protocol, address, port)
            except OSError as error:
                why = error.strerror or type(error).__name__
                continue
            ends = made.get_extra_info("sockname"), made.get_extra_info("peername")
            try:
                # The same address at both ends: this machine, by one of its outer addresses.
                self._refuse_own(all(ends) and ends[0][0] == ends[1][0], host, port)
            except UpstreamError:
                made.abort()
                raise
            return made
        raise UpstreamError(f"cannot be reached: {why}", where=host)

    def _refuse_own(self, here: bool, host: str, port: int) -> None:
        if here and port in self._own_ports:
            raise UpstreamError("it is interlock itself", where=host, status=403)


class End(asyncio.Protocol):
    """One end of a tunnel: what it hears, the other end says."""

    def __init__(self, tunnel: "Tunnel") -> None:
        self._tunnel = tunnel
        self.transport: asyncio.Transport | None = None
        self.heard = 0
        self.early = b""
        self.mute = False
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.mute:
            return
        if not self._tunnel.joined:
            self.early += data
            if self.transport:
                self.transport.pause_reading()
            return
        self.heard += len(data)
        other = self._tunnel.other(self)
        if other and self._tunnel.may_go_on():
            other.write(data)

    def pause_writing(self) -> None:
        if other := self._tunnel.other(self):
            other.pause_reading()

    def resume_writing(self) -> None:
        if other := self._tunnel.other(self):
            other.resume_reading()

    def eof_received(self) -> bool:
        """This end says nothing more, but may still be told something."""
        self.ended = True
        other = self._tunnel.other(self)
        if other and not other.is_closing():
            other.write_eof()
        return not self._tunnel.is_said

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is the protocol's
        self.transport = None
        self._tunnel.lost(self)


class Tunnel:
    """A client and a server joined. `may_go_on` is asked with each piece; `over` is told when both ends are closed.

    Back-pressure goes both ways, and one side may end while the other goes on. It does NOT read, and has no time limit
    of its own.
    """

    def __init__(self, may_go_on: Callable[[], bool], over: Callable[["Tunnel"], None]) -> None:
        self.client = End(self)
        self.server = End(self)
        self.may_go_on = may_go_on
        self.joined = False
        self._over = over
        self._lost = 0

    def join(self, client: asyncio.Transport, server: asyncio.Transport, first: bytes = b"") -> None:
        """Join the client to the server, which is connected. `first` goes to the server in place of all it says."""
        self.joined = True
        self.client.mute = bool(first)
        client.set_protocol(self.client)
        self.client.connection_made(client)
        if first:
            server.write(first)
        early, self.server.early = self.server.early, b""
        if early:
            self.server.data_received(early)
        if self.server.ended:
            client.write_eof()
        client.resume_reading()
        server.resume_reading()

    @property
    def is_said(self) -> bool:
        """Whether both ends have said all they had to say."""
        return self.server.ended and (self.client.ended or self.client.mute)

    def other(self, end: End) -> asyncio.Transport | None:
        """What leads to the other end; None if it is not there."""
        return self.server.transport if end is self.client else self.client.transport

    def lost(self, end: End) -> None:
        """An end is closed: what it said last still goes to the other, which is then closed."""
        self._lost += 1
        if other := self.other(end):
            other.close()
        if self._lost == 2:
            self._over(self)
