"""A real forward proxy on loopback, in front of a server with TLS, and clients inside of it."""

import base64
import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.identity.authority import Authority, open_authority
from interlock.model.record import Record, RecordKind
from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.wire import BODY, Client, Wire, whole, wire

PATH = "/v1/chat/completions"
OWN = "Authorization: Bearer sk-own"
SERVES: Play = [Move.READ, whole("one"), Move.READ, whole("two"), Move.HOLD]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclass
class Proxied:
    """A gateway that is a forward proxy, in front of a server with TLS at `localhost`."""

    gate: Wire
    server: RawServer
    trust: ssl.SSLContext
    made: Authority

    @property
    def place(self) -> str:
        return f"localhost:{self.server.port}"

    def asks(self, place: str, proof: str | None = None) -> bytes:
        proof = basic("interlock", self.gate.key) if proof is None else proof
        shown = f"Proxy-Authorization: {proof}\r\n" if proof else ""
        return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{shown}\r\n".encode()

    @contextlib.asynccontextmanager
    async def connected(self, place: str = "", name: str | None = None) -> AsyncIterator[Client]:
        """A client inside an intercepted connection."""
        place = place or self.place
        async with self.gate.client() as client:
            client.send(self.asks(place))
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
            await client.writer.start_tls(self.trust, server_hostname=name or place.partition(":")[0])
            yield client

    def connects(self) -> list[Record]:
        return self.gate.records(RecordKind.CONNECT)


@contextlib.asynccontextmanager
async def proxied(folder: Path, plays: list[Play], **options: Any) -> AsyncIterator[Proxied]:
    theirs = open_authority(folder / "theirs", ["localhost"], lambda: datetime.datetime.now(datetime.UTC))
    async with (
        RawServer(plays, tls=theirs.context("localhost")) as server,
        wire(
            f"https://localhost:{server.port}/v1",
            ca_file=str(theirs.certificate_pem),
            proxy_keys=folder / "ours",
            **options,
        ) as gate,
    ):
        trust = ssl.create_default_context(cafile=str(folder / "ours/ca.pem"))
        yield Proxied(gate, server, trust, theirs)


def post(body: bytes = BODY, *headers: str, host: str = "localhost", path: str = PATH) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
