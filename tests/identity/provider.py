"""A small OpenID provider on loopback: keys that rotate, tokens good and bad, and the grants that interlock uses."""

import asyncio
import base64
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sign(algorithm: str, key: Any, data: bytes) -> bytes:
    """The signature of `data`, as RFC 7518 wants it."""
    method = get_default_algorithms()[algorithm]
    return method.sign(data, key)


def jwk(key: Any, kid: str | None, **more: object) -> dict[str, Any]:
    """The public half of a key, as issuers publish it."""
    name = {rsa.RSAPrivateKey: "RS256", ed25519.Ed25519PrivateKey: "EdDSA"}
    algorithm = next((alg for kind, alg in name.items() if isinstance(key, kind)), "ES256")
    shown: dict[str, Any] = dict(get_default_algorithms()[algorithm].to_jwk(key.public_key(), as_dict=True))
    return shown | ({} if kid is None else {"kid": kid}) | more


@dataclass
class Provider:
    """It is served while `provider()` runs. What is in `broken` answers 500; `asked` counts what was asked for."""

    url: str = ""
    keys: dict[str, tuple[str, Private]] = field(default_factory=dict)
    published: list[dict[str, Any]] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    answer: Callable[[dict[str, str]], tuple[int, object]] | None = None
    wait: asyncio.Event | None = None
    _ids: Any = field(default_factory=itertools.count)

    def rotate(self, kid: str, algorithm: str = "ES256", *, keep: bool = True) -> None:
        """Sign with a new key from now on."""
        kinds: dict[str, Callable[[], Private]] = {
            "RS": lambda: RSA_KEY, "PS": lambda: RSA_KEY, "ES": lambda: ec.generate_private_key(ec.SECP256R1()),
            "Ed": ed25519.Ed25519PrivateKey.generate,
        }  # fmt: skip
        key = kinds[algorithm[:2]]()
        if not keep:
            self.published.clear()
        self.published.append(jwk(key, kid, alg=algorithm, use="sig"))
        self.keys = {kid: (algorithm, key)}

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A good token, but for what is said; None takes a claim or a header out."""
        (kid, (algorithm, key)), now = next(iter(self.keys.items())), int(time.time())
        good = {
            "iss": self.url,
            "sub": "agent",
            "aud": "api",
            "iat": now,
            "exp": now + 600,
            "jti": str(next(self._ids)),
        }
        said = {name: value for name, value in (good | claims).items() if value is not None}
        first = {"alg": algorithm, "kid": kid, "typ": "at+jwt"} | (header or {})
        return self.signed({name: value for name, value in first.items() if value is not None}, said, algorithm, key)

    @staticmethod
    def signed(header: object, claims: object, algorithm: str, key: Any) -> str:
        """Any header and any claims (bytes are taken as they are), signed in any way."""
        parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
        text = ".".join(map(plain, parts))
        return f"{text}.{plain(sign(algorithm, key, text.encode()))}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            path = lines[0].split()[1]
            self.asked.append(path)
            self.shown.append(headers.get("authorization", ""))
            if self.wait:
                await self.wait.wait()
            status, said = (500, {}) if path in self.broken else self._said(path, body)
            data = said if isinstance(said, bytes) else json.dumps(said).encode()
            head = f"HTTP/1.1 {status} It\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
            writer.write(head.encode() + data)
            await writer.drain()

    def _said(self, path: str, body: bytes) -> tuple[int, object]:
        match path:
            case "/.well-known/openid-configuration" if self.document:
                return 200, self.document
            case "/.well-known/oauth-authorization-server":
                urls = {
                    name: f"{self.url}/{name.partition('_')[0]}"
                    for name in ("authorization_endpoint", "token_endpoint")
                }
                more = {"jwks_uri": f"{self.url}/keys", "response_types_supported": ["code"]}
                return 200, {"issuer": self.url, "grant_types_supported": ["client_credentials"], **urls, **more}
            case "/keys":
                return 200, {"keys": self.published}
            case "/token":
                form = dict(parse_qsl(body.decode()))
                self.forms.append(form)
                if self.answer:
                    return self.answer(form)
                number = len(self.forms)
                return 200, {"access_token": f"upstream-token-{number}", "token_type": "Bearer", "expires_in": 3600}
            case _:
                return 404, {}


@contextlib.asynccontextmanager
async def provider(algorithm: str = "ES256") -> AsyncIterator[Provider]:
    """A provider whose first key is `k1`."""
    found = Provider()
    found.rotate("k1", algorithm)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    async with server:
        found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        found.document = {"issuer": found.url, "jwks_uri": f"{found.url}/keys"}
        yield found
