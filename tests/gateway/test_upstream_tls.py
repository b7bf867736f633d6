"""TLS to a model's server: who is trusted, and what a client and the log are told of who is not."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from interlock.gateway.pool import Pool
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.model.errors import ConfigError
from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.wire import faulty, run, whole, wire


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def serve(self, address: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
        """A server's side for this address."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "model")])
        certificate = (
            self._builder(subject, key.public_key(), days)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        file = self._folder / "server.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int = 1) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=10))
            .not_valid_after(now + datetime.timedelta(days=days))
        )


def test_tls_that_is_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def work() -> None:
        play: Play = [Move.READ, whole("one"), Move.READ, whole("two"), Move.HOLD]
        async with (
            RawServer([play], tls=authority.serve()) as server,
            wire(server.url, ca_file=str(authority.file)) as gate,
        ):
            assert b"one" in (await gate.ask(gate.post())).body
            assert b"two" in (await gate.ask(gate.post())).body
            assert server.connections == 1

    run(work)


CONTEXTS: dict[str, Callable[[Authority], ssl.SSLContext]] = {
    "expired": lambda authority: authority.serve(days=-1),
    "another address": lambda authority: authority.serve("127.0.0.2"),
}


@pytest.mark.parametrize("wrong", [*CONTEXTS, "not trusted"])
def test_tls_that_is_not_trusted(wrong: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = CONTEXTS.get(wrong, Authority.serve)(authority)

    async def work() -> None:
        # What the server's own loop says of the failed handshake is none of the gateway's.
        async with (
            RawServer([[Move.READ, whole()]], tls=context) as server,
            wire(server.url, ca_file="" if wrong == "not trusted" else str(authority.file)) as gate,
        ):
            answer = await gate.ask(gate.post())
            assert answer.status == 502
            assert "certificate was refused" in gate.records()[1].reason
            assert server.asked == []

    run(work)


def test_plain_http_where_tls_was_expected() -> None:
    async def work() -> None:
        async with (
            RawServer([[b"HTTP/1.1 400 Bad\r\n\r\n"]]) as server,
            wire(server.url.replace("http:", "https:")) as gate,
        ):
            faulty(gate, await gate.ask(gate.post()), 502, "cannot be reached")

    run(work)


def test_a_file_of_authorities_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")

    async def work() -> None:
        for file in (tmp_path / "ca.pem", tmp_path / "absent.pem"):
            with pytest.raises(ConfigError, match="ca_file"):
                Pool("x", Upstream("https://h/v1", "", str(file)), "", GatewaySettings(), asyncio.get_running_loop())

    run(work)
