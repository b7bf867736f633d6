"""Rules are changed under traffic: no request is dropped, and what is not valid changes nothing."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.app import open_store
from interlock.config import Settings, load
from interlock.identity.keys import mint
from interlock.live import Live
from interlock.mcp.pins import offered
from interlock.model.record import Record, RecordKind, Verdict
from interlock.rulebook import now_us, trial
from interlock.store.segments import read
from interlock.testing.model import ModelServer, Say
from interlock.up import serving
from tests.gateway.wire import Client, run, until

CLIENTS = 4
DENY = '@id("closed") @reason("Closed.") forbid (principal, action == Action::"callModel", resource);'
PATH = "/openai/v1/chat/completions"


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer(lambda _: Say("hello")) as server:
        yield server


class Installation:
    """A folder with settings, one policy file, and a key."""

    def __init__(self, folder: Path, url: str) -> None:
        self.file, self.cedar = folder / "interlock.toml", folder / "own.cedar"
        self.url = url
        self.cedar.write_text("")
        self.write()
        store = open_store(self.settings)
        kept, self.key = mint("w", now_us(), None, os.urandom)
        store.add_key(kept)
        store.close()

    @property
    def settings(self) -> Settings:
        return load(str(self.file), str(self.file.parent / "data"), {})

    def write(self, policy: str = "", more: str = "") -> None:
        """Put another file in the place of the settings."""
        draft = self.file.with_name("draft")
        draft.write_text(
            f'[gateway]\nport = 0\n[console]\nport = 0\n[llm.upstreams.openai]\nurl = "{self.url}"\n'
            f'[policy]\nfiles = ["own.cedar"]\n{policy}\n{more}'
        )
        draft.replace(self.file)

    def life(self) -> list[Record]:
        """What the gateway's own records say of its rules."""
        found = [one.record for one in read(self.settings.data / "audit" / self.settings.gateway.name)]
        return [record for record in found if record.kind is RecordKind.GATEWAY and "reload" in record.reason]

    def post(self) -> bytes:
        body = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
        head = f"POST {PATH} HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {self.key}\r\nContent-Length: {len(body)}"
        return f"{head}\r\n\r\n".encode() + body

    async def ask(self, gateway: str) -> int:
        host, port = gateway.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            client = Client(reader, writer)
            client.send(self.post())
            return (await client.answer()).status
        finally:
            writer.close()

    async def until(self, gateway: str, status: int) -> None:
        while await self.ask(gateway) != status:  # noqa: ASYNC110 - another process would look so, too
            await asyncio.sleep(0)


@pytest.fixture
def installed(tmp_path: Path, model: ModelServer) -> Installation:
    return Installation(tmp_path, f"{model.url}/v1")


def test_rules_change_under_traffic_and_no_request_is_dropped(installed: Installation) -> None:
    statuses: list[int] = []

    async def work() -> None:
        async with serving(installed.settings, {}) as up:
            stop = asyncio.Event()

            async def keep_asking() -> None:
                while not stop.is_set():
                    statuses.append(await installed.ask(up.gateway))

            asking = [asyncio.create_task(keep_asking()) for _ in range(CLIENTS)]
            for closed in (True, False, True):
                installed.cedar.write_text(DENY if closed else "// nothing")
                up.reload()
                await installed.until(up.gateway, 403 if closed else 200)
            stop.set()
            await asyncio.gather(*asking)

    run(work)
    assert set(statuses) == {200, 403}
    life = installed.life()
    assert {record.reason for record in life} == {"reloaded", "reloaded; these policies are gone: closed"}
    assert len({record.policy_hash for record in life}) == 2


def test_what_is_not_valid_changes_nothing_and_is_said_until_it_is_mended(installed: Installation) -> None:
    said: list[str] = []

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
        async with serving(installed.settings, {}) as up:
            for broken in ("permit (", '@id("x") permit (principal, action, resource) when { context.nope };'):
                count = len(said)
                installed.cedar.write_text(broken)
                up.reload()
                await until(lambda count=count: len(said) > count)  # type: ignore[misc]
                assert await installed.ask(up.gateway) == 200
            installed.cedar.write_text(DENY)  # and this is seen without being asked
            await installed.until(up.gateway, 403)

    run(work)
    assert all("the old ones stay in force" in one for one in said)
    assert "own.cedar:1" in said[0]
    verdicts = [record.verdict for record in installed.life()]
    assert verdicts[0] is Verdict.FAILED
    assert verdicts[-1] is Verdict.ALLOWED


def test_what_waits_for_a_restart_is_said_and_the_rest_is_taken_over(installed: Installation) -> None:
    said: list[str] = []

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
        async with serving(installed.settings, {}) as up:
            installed.write(
                'answer_mode = "block"', '[workloads.w]\nmodels = ["other"]\n[llm.upstreams.b]\nurl = "http://b"\n'
            )
            up.reload()
            await installed.until(up.gateway, 403)

    run(work)
    assert said == ["settings reloaded; these sections wait for a restart: llm.upstreams"]


def test_a_policy_that_waits_for_a_tool_is_taken_over_once_the_tool_is_approved(installed: Installation) -> None:
    said: list[str] = []
    reads = (
        'forbid (principal, action == Action::"callTool", resource == Tool::"pay") when { context.args.amount > 9 };'
    )
    document = {"name": "pay", "inputSchema": {"properties": {"amount": {"type": "integer"}}, "required": ["amount"]}}

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
        async with serving(installed.settings, {}) as up:
            installed.cedar.write_text(f'{DENY} @id("reads") {reads}')
            up.reload()
            await until(lambda: len(said) > 0)
            assert await installed.ask(up.gateway) == 200
            store = open_store(installed.settings)
            store.keep_pins((offered("bank", document, None, trusted=True, now_us=1),))
            store.close()
            await installed.until(up.gateway, 403)

    run(work)
    assert "nobody has said what arguments it has" in said[0]
    assert len(said) == 1


class Watched:
    """What is in force for an installation, looked at by hand."""

    def __init__(self, installed: Installation) -> None:
        self.rules = trial(installed.settings)
        self.said: list[str] = []
        self.records: list[Record] = []
        self.live = Live(installed.settings, self, self.records.append, self.said.append, tuple, lambda: 0)

    def ids(self) -> set[str]:
        return {policy.id for policy in self.rules.policies.loaded}


def test_a_file_that_is_just_being_written_is_not_taken_over(installed: Installation) -> None:
    both = f"{DENY}\n{DENY.replace('closed', 'shut')}"
    installed.cedar.write_text(both)

    async def work() -> None:
        watched = Watched(installed)
        await watched.live.look()
        installed.cedar.write_text(DENY)  # cut between two policies
        await watched.live.look()
        installed.cedar.write_text(both + " ")
        await watched.live.look()
        assert watched.records == []
        await watched.live.look()
        assert [record.reason for record in watched.records] == ["reloaded"]
        assert watched.ids() >= {"closed", "shut"}

    run(work)


@pytest.mark.parametrize("which", ["cedar", "file"])
@pytest.mark.parametrize("asked", [False, True])
def test_an_empty_file_does_not_take_a_policy_away(installed: Installation, which: str, asked: bool) -> None:
    installed.cedar.write_text(DENY)
    path: Path = getattr(installed, which)

    def empty() -> None:
        path.write_text(" \n")

    async def work() -> None:
        watched = Watched(installed)
        empty()
        for _ in range(3):
            await watched.live.look(asked=asked)
        assert "closed" in watched.ids()
        assert {record.verdict for record in watched.records} == {Verdict.FAILED}
        assert "it is empty, and it was not" in watched.said[0]
        assert str(path) in watched.said[0]
        assert watched.live.exceptions

    run(work)


def test_policies_that_are_gone_are_named(installed: Installation) -> None:
    installed.cedar.write_text(f"{DENY}\n{DENY.replace('closed', 'shut')}")

    async def work() -> None:
        watched = Watched(installed)
        installed.cedar.write_text(DENY)
        await watched.live.look()
        await watched.live.look()
        assert watched.said == ["settings reloaded; these policies are gone: shut"]
        assert watched.records[-1].reason == "reloaded; these policies are gone: shut"
        assert watched.ids() >= {"closed"}

    run(work)


def test_a_policy_file_that_is_named_anew_is_looked_at_twice_as_well(installed: Installation) -> None:
    async def work() -> None:
        watched = Watched(installed)
        (installed.file.parent / "more.cedar").write_text(DENY)
        installed.write("", "")
        installed.file.write_text(installed.file.read_text().replace('"own.cedar"', '"own.cedar", "more.cedar"'))
        for _ in range(2):
            await watched.live.look()
        assert "closed" not in watched.ids()
        await watched.live.look()
        assert "closed" in watched.ids()

    run(work)
