"""The desk: requests are kept in order, used once by several gateways, and a database that is away approves nothing."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from interlock.gateway.desk import Desk
from interlock.guard.approvals import Approvals
from interlock.model.approval import Approval, Standing
from interlock.model.errors import StoreError
from interlock.policy.approvals import ApprovalSettings, decided
from interlock.store.database import address
from interlock.store.sql import SqlStore
from tests.gateway.wire import run, until
from tests.store.test_approvals import asked

NOW = 1_500


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    kept = SqlStore(address("", tmp_path))
    yield kept
    kept.close()


class Away:
    """A store that is away until it is back."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.is_away = True

    def __getattr__(self, name: str) -> object:
        if self.is_away:
            raise StoreError("cannot reach the database")
        return getattr(self._store, name)


class Working:
    """Desks at work over a store, with what each was told."""

    def __init__(self, store: object, count: int = 1) -> None:
        self.told: list[bool] = []
        self.new: list[Approval] = []
        self.approvals = Approvals(ApprovalSettings(), lambda: "1")
        self.desks = [
            Desk(store, self.approvals, lambda: NOW, self.new.append)  # type: ignore[arg-type]
            for _ in range(count)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Working":
        loop = asyncio.get_running_loop()
        self.said: list[str] = []
        loop.set_exception_handler(lambda _, context: self.said.append(context["message"]))
        self._tasks = [loop.create_task(desk.run()) for desk in self.desks]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def yes(one: Approval, by: str = "elicitation/k1", at_us: int = NOW, *, granted: bool = True) -> Approval:
    return decided(one, ApprovalSettings(), at_us, by, granted=granted)


def test_two_gateways_use_it_once(store: SqlStore) -> None:
    async def work() -> None:
        store.ask_approvals([asked()], NOW)
        store.decide_approval(yes(asked()))
        async with Working(store, 2) as at:
            for number in range(10):
                at.desks[number % 2].claim("a-1", at.told.append)
            await until(lambda: len(at.told) == 10)
        assert sum(at.told) == 1

    run(work)


def test_a_request_is_told_once_it_is_kept_and_by_one_gateway(store: SqlStore) -> None:
    async def work() -> None:
        async with Working(store, 2) as at:
            for number, desk in enumerate(at.desks):
                desk.petition(asked(f"a-{number}", binding="the same"))
            await until(lambda: len(at.new) == 1)
            at.desks[1].claim("a-0", at.told.append)
            at.desks[0].claim("a-0", at.told.append)
            await until(lambda: len(at.told) == 2)
        assert [one.binding for one in store.approvals()] == ["the same"]
        assert len(at.new) == 1

    run(work)


def test_an_answer_is_taken_after_its_request_and_once(store: SqlStore) -> None:
    async def work() -> None:
        async with Working(store) as at:
            at.desks[0].petition(asked())
            at.desks[0].answer(yes(asked()), at.told.append)
            at.desks[0].answer(yes(asked(), at_us=NOW + 1), at.told.append)
            await until(lambda: len(at.told) == 2)
        assert at.told == [True, False]
        one = store.approval("a-1")
        assert one
        assert one.standing(NOW) is Standing.USED

    run(work)


@pytest.mark.parametrize("first", [True, False])
def test_whoever_decides_first_counts(store: SqlStore, first: bool) -> None:
    async def work() -> None:
        store.ask_approvals([asked()], NOW)
        store.decide_approval(yes(asked(), "console-1", granted=first))
        async with Working(store) as at:
            at.desks[0].answer(yes(asked()), at.told.append)
            await until(lambda: bool(at.told))
        assert at.told == [False]

    run(work)


def test_a_no_is_kept(store: SqlStore) -> None:
    async def work() -> None:
        async with Working(store) as at:
            at.desks[0].petition(asked())
            at.desks[0].answer(yes(asked(), granted=False), at.told.append)
            await until(lambda: bool(at.told))
        assert at.told == [False]
        one = store.approval("a-1")
        assert one
        assert one.standing(NOW) is Standing.DENIED

    run(work)


def test_a_database_that_is_away_approves_nothing_and_loses_no_request(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.gateway.desk.AGAIN_S", 0.0)

    async def work() -> None:
        away = Away(store)
        async with Working(away) as at:
            at.desks[0].petition(asked())
            at.desks[0].claim("a-1", at.told.append)
            await until(lambda: bool(at.told) and len(at.said) > 2)
            assert at.told == [False]
            away.is_away = False
            await until(lambda: bool(at.new))
        assert store.approval("a-1") == asked()

    run(work)


def test_a_request_that_is_over_is_not_kept_any_more(store: SqlStore) -> None:
    async def work() -> None:
        async with Working(Away(store)) as at:
            at.desks[0].petition(replace(asked(), expires_us=NOW))
            at.desks[0].claim("a-1", at.told.append)
            await until(lambda: bool(at.told))
            assert len(at.said) == 2

    run(work)
