"""Where an issuer's keys come from, and what becomes of its tokens when they change or cannot be had."""

import asyncio
import datetime
import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from interlock.identity import issuers as room
from interlock.identity.fetch import LONGEST_BYTES, fetch, tls
from interlock.identity.issuers import Issuer, Issuers
from interlock.identity.settings import IssuerSettings
from interlock.model.errors import ConfigError, IdentityError, UpstreamError
from tests.gateway.wire import run, until
from tests.identity.provider import Provider, jwk, provider
from tests.identity.test_tokens import RESOURCE, issuers, proven, refused


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def clocked(at: Provider, said: list[str] | None = None, **settings: Any) -> tuple[Issuers, Clock]:
    clock, told = Clock(), said if said is not None else []
    made = IssuerSettings(**{"issuer": at.url, "audience": ("api",)} | settings)
    return Issuers({"corp": Issuer("corp", made, clock, told.append)}, RESOURCE), clock


def test_a_new_key_is_asked_for_once_and_not_for_each_id_that_somebody_invents() -> None:
    async def work() -> None:
        async with provider() as at:
            found, clock = clocked(at)
            await found.issuers["corp"].refresh()
            old = at.token()
            assert await proven(found, old) == "corp/agent"
            at.rotate("k2")
            assert await proven(found, at.token()) == "corp/agent"
            assert at.asked.count("/keys") == 2
            for number in range(50):
                assert "kid" in await refused(found, at.token({"kid": f"invented-{number}"}))
            assert at.asked.count("/keys") == 2
            clock.now += room.ASKED_S
            at.rotate("k3", keep=False)
            assert await proven(found, at.token()) == "corp/agent"
            # The issuer has taken k1 back: what it signed is nobody's, though it was believed a moment ago.
            assert "kid" in await refused(found, old)

    run(work)


def test_many_who_wait_for_the_same_key_cause_one_question_and_nothing_is_blocked() -> None:
    async def work() -> None:
        async with provider() as at:
            found, _ = clocked(at)
            at.wait = asyncio.Event()
            asking = [asyncio.create_task(proven(found, at.token())) for _ in range(20)]
            await until(lambda: bool(at.asked))
            asking[0].cancel()
            at.wait.set()
            assert await asyncio.gather(*asking[1:]) == ["corp/agent"] * 19
            assert at.asked.count("/keys") == 1

    run(work)


def test_the_last_keys_are_good_for_a_stated_time_and_then_nothing_is() -> None:
    async def work() -> None:
        async with provider() as at:
            said: list[str] = []
            found, clock = clocked(at, said, stale_s=100)
            token, issuer = at.token(), found.issuers["corp"]
            assert await proven(found, token) == "corp/agent"
            at.broken = {"/keys"}
            clock.now += room.FRESH_S
            await issuer.refresh()
            await issuer.refresh()
            assert len(said) == 1
            assert await proven(found, token) == "corp/agent"
            clock.now += 101
            reason = await refused(found, token)
            assert "cannot be had" in reason
            assert "500" in reason
            at.broken.clear()
            await issuer.refresh()
            assert await proven(found, token) == "corp/agent"

    run(work)


@pytest.mark.parametrize("how", ["none", "other use", "twice"])
def test_an_issuer_that_takes_all_its_keys_back_is_believed(how: str) -> None:
    async def work() -> None:
        async with provider() as at:
            said: list[str] = []
            found, _ = clocked(at, said)
            token, issuer, before = at.token(), found.issuers["corp"], at.published
            assert await proven(found, token) == "corp/agent"
            at.published = {"none": [], "other use": [one | {"use": "enc"} for one in before], "twice": before * 2}[how]
            await issuer.refresh()
            await issuer.refresh()
            assert "no key that can be used" in await refused(found, token)
            assert len(said) == 1
            at.published = before
            await issuer.refresh()
            assert await proven(found, token) == "corp/agent"

    run(work)


def test_keys_are_kept_current_in_the_background() -> None:
    async def work() -> None:
        async with provider() as at:
            found, _ = clocked(at)
            running = asyncio.create_task(found.run())
            await until(lambda: "/keys" in at.asked)
            assert await proven(found, at.token()) == "corp/agent"
            assert at.asked.count("/keys") == 1
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    run(work)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"issuer": "https://other.example", "jwks_uri": "{url}/keys"}, "another issuer"),
        ({"issuer": "{url}"}, "jwks_uri"),
        ({"issuer": "{url}", "jwks_uri": "http://evil.example/keys"}, "jwks_uri"),
        ({"issuer": "{url}", "jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"issuer": "{url}", "jwks_uri": 5}, "jwks_uri"),
        ({"issuer": "{url}", "jwks_uri": "{url}/elsewhere"}, "404"),
    ],
)
def test_a_discovery_document_that_cannot_be_believed(document: dict[str, Any], reason: str) -> None:
    async def work() -> None:
        async with provider() as at:
            at.document = {k: v.replace("{url}", at.url) if isinstance(v, str) else v for k, v in document.items()}
            assert reason in await refused(issuers(at), at.token())

    run(work)


def test_the_older_document_the_stated_address_and_the_file(tmp_path: Path) -> None:
    async def work() -> None:
        async with provider() as at:
            at.document = {}
            assert await proven(issuers(at), at.token()) == "corp/agent"
            assert at.asked[1:] == ["/.well-known/oauth-authorization-server", "/keys"]
            other = issuers(at, issuer="https://login.example/t", jwks_url=f"{at.url}/keys")
            assert await proven(other, at.token(iss="https://login.example/t")) == "corp/agent"
            file = tmp_path / "keys.json"
            file.write_text(json.dumps({"keys": at.published}))
            kept = issuers(at, issuer="kubernetes", jwks_file=str(file))
            assert await proven(kept, at.token(iss="kubernetes")) == "corp/agent"
            file.unlink()
            await kept.issuers["corp"].refresh()
            assert await proven(kept, at.token(iss="kubernetes")) == "corp/agent"
            at.rotate("k2")
            assert "file cannot be read" in await refused(kept, at.token(iss="kubernetes"))

    run(work)


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LONGEST_BYTES + 1), b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200_000,
    ],
    ids=["nothing", "nonsense", "short", "long", "headers"],
)  # fmt: skip
def test_a_peer_that_speaks_no_http(answer: bytes) -> None:
    async def work() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
            with pytest.raises(UpstreamError, match="127"):
                await fetch(url, tls("", ""))

    run(work)


def test_a_peer_that_is_silent_or_ends_its_answer_with_the_connection() -> None:
    async def work() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if b"/slow" in await reader.readuntil(b"\r\n\r\n"):
                await reader.read()
            else:
                writer.write(b"HTTP/1.0 200 OK\r\n\r\n{}")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            assert bytes((await fetch(url, tls("", ""))).body) == b"{}"
            with pytest.raises(UpstreamError, match="did not answer"):
                await fetch(f"{url}/slow", tls("", ""), timeout_s=0.01)
        with pytest.raises(UpstreamError, match="cannot be reached"):
            await fetch(url, tls("", ""))
        with pytest.raises(UpstreamError, match="neither https"):
            await fetch("http://login.example/", tls("", ""))

    run(work)


def test_an_issuer_whose_certificate_nobody_vouches_for(tmp_path: Path) -> None:
    from interlock.identity.authority import open_authority

    async def work() -> None:
        authority = open_authority(tmp_path, ["localhost"], lambda: datetime.datetime.now(datetime.UTC))
        keys = json.dumps({"keys": [jwk(next(iter(at.keys.values()))[1], "k1")]}).encode()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(keys) + keys)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=authority.context("localhost"))
        async with server:
            url = f"https://localhost:{server.sockets[0].getsockname()[1]}/keys"
            settings = {"jwks_url": url, "ca_file": str(authority.certificate_pem)}
            assert await proven(issuers(at, **settings), at.token()) == "corp/agent"
            assert "certificate was refused" in await refused(issuers(at, jwks_url=url), at.token())

    at = Provider(url="https://login.example")
    at.rotate("k1")
    run(work)


def test_authorities_that_cannot_be_read() -> None:
    with pytest.raises(ConfigError, match="authorities"):
        tls("no-such-file.pem", "here")
    assert isinstance(tls("", ""), ssl.SSLContext)


def test_what_is_told_to_those_who_look_for_the_issuer() -> None:
    found = room.build(
        {
            "corp": IssuerSettings(issuer="https://login.example", scopes=("mcp",)),
            "ci": IssuerSettings(issuer="https://ci.example", authorize=False),
        },
        RESOURCE,
        print,
    )
    assert found
    said = found.metadata("/.well-known/oauth-protected-resource/mcp/tracker")
    assert said == {
        "resource": f"{RESOURCE}/mcp/tracker",
        "authorization_servers": ["https://login.example"],
        "bearer_methods_supported": ["header"],
        "resource_name": "interlock",
        "scopes_supported": ["mcp"],
    }
    root = found.metadata("/.well-known/oauth-protected-resource")
    assert root
    assert root["resource"] == RESOURCE
    assert found.metadata("/.well-known/oauth-protected-resource/mcp")
    for path in (
        "/.well-known/oauth-protected-resource/mcp/",
        "/.well-known/oauth-protected-resource/x",
        "/.well-known/oauth-protected-resource/mcp/a/b",
        "/x",
    ):
        assert found.metadata(path) is None
    inner = f"{RESOURCE}/.well-known/oauth-protected-resource"
    assert found.challenge("/openai/v1") == f'www-authenticate: Bearer resource_metadata="{inner}"\r\n'.encode()
    assert b"/mcp/tracker" in found.challenge("/mcp/tracker")
    assert found.challenge("/mcp") == found.challenge("/mcp/") != found.challenge("/")
    for path in ('/mcp/a"b', "/mcp/a\r\nset-cookie: x", "/mcp/a\n", "/mcp/" + "a" * 65, "/mcp/\u00e9"):
        assert found.challenge(path) == found.challenge("/")
    with pytest.raises(IdentityError):
        found.prove("Bearer ey.ey.", 0)
