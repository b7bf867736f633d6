"""What a client of the forward proxy asks of a model's host for which no upstream is configured."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from interlock.gateway.pool import Pool
from interlock.gateway.proxy import MAX_DIRECT
from interlock.gateway.settings import Upstream
from interlock.model.record import RecordKind
from tests.gateway.proxied import OWN, PATH, SERVES, Proxied, post, proxied
from tests.gateway.wire import BODY, Answer, run

GROQ = "/openai/v1/chat/completions"


def direct(world: Proxied, host: str) -> None:
    """Let the test's server be a model's host for which no upstream is configured."""
    upstream = Upstream(f"https://localhost:{world.server.port}", "", str(world.made.certificate_pem))
    gateway = world.gate.gateway
    gateway.pools[host] = Pool(host, upstream, "", gateway.settings, asyncio.get_running_loop())


@pytest.mark.parametrize(
    ("host", "path"), [("api.groq.com", GROQ), ("api.mistral.ai", PATH), ("api.perplexity.ai", "/chat/completions")]
)
def test_a_model_without_an_upstream_takes_the_clients_own_key(tmp_path: Path, host: str, path: str) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES], unsafe_pass_credentials=True) as world:
            direct(world, host)
            async with world.connected(f"{host}:443") as client:
                client.send(post(BODY, OWN, "X-Secret: 1", host=host, path=path))
                assert b"one" in (await client.answer()).body
            (asked,) = world.server.asked
            assert asked.startswith(f"POST {path} HTTP/1.1\r\n".encode())
            assert asked.lower().count(b"authorization: bearer sk-own\r\n") == 1
            assert b"X-Secret" not in asked
            request = world.gate.records(RecordKind.REQUEST)[0]
            assert (request.upstream, request.workload) == (host, "w")
            assert request.route.startswith(f"/{host}/")

    run(work)


async def refused(world: Proxied, *headers: str, path: str = PATH) -> Answer:
    async with world.connected("api.mistral.ai:443") as client:
        client.send(post(BODY, *headers, host="api.mistral.ai", path=path))
        answer = await client.answer()
    assert world.server.connections == 0
    assert world.gate.refusals()[-1].workload == "w"
    return answer


def test_a_model_without_an_upstream_is_refused_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world:
            direct(world, "api.mistral.ai")
            answer = await refused(world, OWN)
            assert answer.status == 403
            assert "unsafe_pass_credentials" in answer.error["message"]

    run(work)


def test_an_interlock_key_goes_to_nobody(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES], unsafe_pass_credentials=True) as world:
            direct(world, "api.mistral.ai")
            for header in (f"Authorization: Bearer {world.gate.key}", f"X-Api-Key: {world.gate.key}"):
                answer = await refused(world, header)
                assert answer.status == 403
                assert "interlock key" in answer.error["message"]

    run(work)


@pytest.mark.parametrize(
    "path",
    [
        "/../v1/chat/completions",
        "/a/./v1/chat/completions",
        "/a//v1/chat/completions",
        "/a" * 9 + PATH,
        "/%2e%2e/v1/chat/completions",
    ],
)
def test_a_prefix_that_could_be_read_in_two_ways_is_not_covered(tmp_path: Path, path: str) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES], unsafe_pass_credentials=True) as world:
            direct(world, "api.mistral.ai")
            assert (await refused(world, OWN, path=path)).status == 404

    run(work)


def test_an_upstream_that_holds_no_key_takes_the_clients_if_the_settings_say_so(tmp_path: Path) -> None:
    async def work() -> None:
        for passes in (True, False):
            options: dict[str, Any] = {"unsafe_pass_credentials": passes, "provider_key": ""}
            async with proxied(tmp_path / str(passes), [SERVES], **options) as world, world.connected() as client:
                client.send(post(BODY, OWN, host=world.place))
                assert (await client.answer()).status == 200
                assert (b"sk-own" in world.server.asked[0]) is passes

    run(work)


def test_connections_are_kept_to_so_many_hosts_without_an_upstream(tmp_path: Path) -> None:
    async def work() -> None:
        async with proxied(tmp_path, [SERVES]) as world:
            gateway = world.gate.gateway
            assert gateway.proxy
            for number in range(MAX_DIRECT + 3):
                assert gateway.proxy._reach(gateway, f"h{number}.openai.azure.com")
            assert len(gateway.pools) == MAX_DIRECT + 1
            for name in gateway.pools:
                gateway.pools[name]._tasks.add(asyncio.get_running_loop().create_task(asyncio.Event().wait()))  # type: ignore[arg-type]
            assert not gateway.proxy._reach(gateway, "one-more.openai.azure.com")

    run(work)
