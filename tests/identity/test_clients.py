"""Tokens that interlock is given as an OAuth client: kept, asked for once, and never told to anybody."""

import asyncio
import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from interlock.identity import clients
from interlock.identity.clients import ClientToken, OAuthClient, SecretFile
from interlock.identity.settings import ClientSettings, check_client
from interlock.model.errors import ConfigError, UpstreamError
from tests.gateway.wire import run, until
from tests.identity.provider import Provider, provider
from tests.identity.test_issuers import Clock

SECRET = "client-secret/" + "with+signs"
RESOURCE = "https://tracker.example/mcp"


def client(at: Provider, clock: Clock | None = None, **settings: Any) -> OAuthClient:
    given = {"token_url": f"{at.url}/token", "client_id": "inter lock", "secret_env": "SECRET"} | settings
    made = ClientSettings(**given)
    check_client("c", made)
    return OAuthClient("c", made, {"SECRET": SECRET}, clock or Clock())


async def fails(asked: Any, *hidden: str) -> str:
    with pytest.raises(UpstreamError) as error:
        await asked
    for secret in (SECRET, *hidden):
        assert secret not in f"{error.value!s} {error.value!r} {error.value.__cause__!r}"
    return error.value.brief


def test_client_credentials_are_asked_for_once_and_again_before_the_end() -> None:
    async def work() -> None:
        async with provider() as at:
            clock = Clock()
            mine = ClientToken(client(at, clock, scopes=("a", "b"), audience="tracker"), RESOURCE)
            asked = [asyncio.create_task(mine.token("whose", "")) for _ in range(10)]
            assert await asyncio.gather(*asked) == ["upstream-token-1"] * 10
            assert at.forms == [
                {"grant_type": "client_credentials", "resource": RESOURCE, "scope": "a b", "audience": "tracker"}
            ]
            pair = base64.b64decode(at.shown[0].removeprefix("Basic ")).decode()
            assert pair == "inter+lock:client-secret%2Fwith%2Bsigns"
            clock.now = 3_600 - clients.EARLY_S - 1
            assert await mine.token("") == "upstream-token-1"
            clock.now += 1
            assert await mine.token("") == "upstream-token-2"
            other = ClientToken(mine.client, "https://other.example/mcp")
            assert await other.token("") == "upstream-token-3"
            assert SECRET not in repr(mine)
            assert "upstream-token" not in repr(list(mine.client._held.values()))

    run(work)


def test_a_token_that_the_server_refuses_is_had_anew_but_not_again_and_again() -> None:
    async def work() -> None:
        async with provider() as at:
            clock = Clock()
            mine = client(at, clock)
            first = await mine.token(RESOURCE, "")
            assert await mine.token(RESOURCE, "", first) == first
            clock.now += clients.YOUNG_S
            second = await mine.token(RESOURCE, "", first)
            assert second == await mine.token(RESOURCE, "", first) != first

    run(work)


def test_the_callers_token_is_exchanged_for_each_caller_alone(tmp_path: Path) -> None:
    async def work() -> None:
        async with provider() as at:
            actor = tmp_path / "actor"
            actor.write_text("gateway-token\n")
            settings: dict[str, Any] = {"grant": "token-exchange", "actor_file": str(actor), "auth": "post"}
            mine = client(at, **settings)
            ann, bob = await mine.token(RESOURCE, "ann-token"), await mine.token(RESOURCE, "bob-token")
            assert ann != bob
            assert await mine.token(RESOURCE, "ann-token") == ann
            assert at.forms[0] == {
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "resource": RESOURCE,
                "subject_token": "ann-token",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "actor_token": "gateway-token",
                "actor_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "client_id": "inter lock",
                "client_secret": SECRET,
            }
            assert at.shown[0] == ""
            assert "showed none" in await fails(mine.token(RESOURCE, ""))
            at.broken = {"/token"}
            assert "500" in await fails(mine.token(RESOURCE, "eve-token"), "eve-token")

    run(work)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((400, {"error": "invalid_client", "error_description": SECRET}), "400, invalid_client"),
        ((400, {"error": SECRET}), "no reason"),
        ((401, b"<html>" + SECRET.encode()), "no reason"),
        ((302, {"access_token": "x", "token_type": "Bearer"}), "302"),
        ((200, {"token_type": "Bearer"}), "without an access token"),
        ((200, {"access_token": "a\r\nx-evil: 1", "token_type": "Bearer"}), "without an access token"),
        ((200, {"access_token": "a" * 20_000, "token_type": "Bearer"}), "without an access token"),
        ((200, {"access_token": 5, "token_type": "Bearer"}), "without an access token"),
        ((200, {"access_token": "a", "token_type": "DPoP"}), "no bearer"),
        ((200, {"access_token": "a"}), "no bearer"),
        ((200, b"[1]"), "without an access token"),
    ],
)
def test_what_an_authorization_server_may_answer_instead(answer: tuple[int, object], reason: str) -> None:
    async def work() -> None:
        async with provider() as at:
            at.answer = lambda _: answer
            assert reason in await fails(client(at).token(RESOURCE, ""))

    run(work)


@pytest.mark.parametrize("life", [None, "3600", True, -5, 1e12, 0])
def test_a_life_that_is_none_is_a_short_one(life: object) -> None:
    async def work() -> None:
        async with provider() as at:
            clock, said = Clock(), {"access_token": "a", "token_type": "bearer"}
            at.answer = lambda _: (200, said if life is None else said | {"expires_in": life})
            mine = client(at, clock)
            assert await mine.token(RESOURCE, "") == "a"
            clock.now += clients.UNSAID_S
            await mine.token(RESOURCE, "")
            assert len(at.forms) == 2

    run(work)


def test_who_stops_waiting_does_not_stop_the_others() -> None:
    async def work() -> None:
        async with provider() as at:
            at.wait = asyncio.Event()
            mine = client(at)
            one, two = (asyncio.create_task(mine.token(RESOURCE, "")) for _ in "12")
            await until(lambda: bool(at.asked))
            one.cancel()
            at.wait.set()
            assert await two == "upstream-token-1"
            at.broken = {"/token"}
            assert "500" in await fails(mine.token("https://o.example", ""))

    run(work)


def test_a_secret_in_a_file_may_be_replaced(tmp_path: Path) -> None:
    async def work() -> None:
        file, clock = tmp_path / "secret", Clock()
        file.write_text("first\n")
        held = SecretFile(str(file), "here", clock)
        assert await held.token("") == "first"
        file.write_text("second")
        assert await held.token("") == "first"
        assert await held.token("", "first") == "second"
        file.write_text("third")
        clock.now += clients.READ_S
        assert await held.token("") == "third"
        clock.now += clients.READ_S
        for wrong in (b"", b"two words", b"two\nlines", b"\xff", b"x" * 20_000):
            file.write_bytes(wrong)
            await fails(held.token(""))
        file.unlink()
        assert "No such file" in await fails(held.token(""))

    run(work)


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"token_url": "http://login.example/token"}, "token_url"),
        ({"token_url": "https://user:pw@login.example/token"}, "token_url"),
        ({"token_url": "https://login.example/token#x"}, "token_url"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": "a\nb"}, "client_id"),
        ({"secret_file": "also"}, "secret_env"),
        ({"secret_env": ""}, "secret_env"),
        ({"actor_file": "f"}, "actor_file"),
        ({"scopes": ("a b",)}, "scopes"),
    ],
)
def test_tables_that_make_no_client(changed: Mapping[str, Any], where: str) -> None:
    good: dict[str, Any] = {"token_url": "https://login.example/token", "client_id": "i", "secret_env": "S"}
    check_client("c", ClientSettings(**good))
    with pytest.raises(ConfigError) as error:
        check_client("c", ClientSettings(**good | dict(changed)))
    assert error.value.where == where


def test_a_client_whose_secret_is_not_there() -> None:
    made = ClientSettings(token_url="https://login.example/token", client_id="i", secret_env="S")
    with pytest.raises(ConfigError, match="variable S"):
        OAuthClient("c", made, {})
    assert OAuthClient("c", made, {"S": "s"}).secrets() == ["s"]
