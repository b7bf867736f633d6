"""Requests for approval are kept, decided once, and used once, whoever else tries at the same time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from interlock.model.approval import Approval, Reach, Shown, Standing
from interlock.model.record import Origin
from interlock.store import approvals as table
from interlock.store.database import address
from interlock.store.sql import SqlStore

NOW, LATER = 1_000, 2_000


def asked(id_: str = "a-1", **other: object) -> Approval:
    to = Shown("to", "bob@x.example", 13, "d1", True, (Origin.UNTRUSTED,), ("read_mail",), ("of two scripts",))
    one = Approval(
        id_, f"binding of {id_}", "w", "k1", "s_1", False, "beginning", "mail", "send", "send", (to,), 0, ("p",),
        "It came from outside.", asked_us=NOW, expires_us=LATER,
    )  # fmt: skip
    return replace(one, **other)  # type: ignore[arg-type]


def decided(one: Approval, *, granted: bool = True, reach: Reach = Reach.ONCE, by: str = "console-1") -> Approval:
    return replace(one, granted=granted, reach=reach, decided_us=NOW + 1, decided_by=by, expires_us=LATER + 500)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    kept = SqlStore(address("", tmp_path))
    yield kept
    kept.close()


def test_a_request_comes_back_as_it_was_asked(store: SqlStore) -> None:
    assert store.ask_approvals([asked(), asked("a-2", asked_us=NOW + 5)], NOW) == ("a-1", "a-2")
    assert store.approvals() == (asked("a-2", asked_us=NOW + 5), asked())
    assert store.approval("a-1") == asked()
    assert store.approval("a-9") is None


def test_what_waits_makes_no_second_request(store: SqlStore) -> None:
    store.ask_approvals([asked()], NOW)
    assert store.ask_approvals([asked("a-2", binding=asked().binding)], NOW) == ()
    assert store.ask_approvals([asked("a-3", binding=asked().binding, expires_us=9_000)], LATER) == ("a-3",)


def test_granted_once_is_used_once(store: SqlStore) -> None:
    store.ask_approvals([asked()], NOW)
    assert not store.use_approval("a-1", NOW)
    assert store.decide_approval(decided(asked())) == decided(asked())
    assert store.use_approval("a-1", NOW + 2)
    assert not store.use_approval("a-1", NOW + 3)
    now = store.approval("a-1")
    assert now is not None
    assert now.standing(NOW + 3) is Standing.USED


def test_granted_for_the_task_is_used_until_it_ends(store: SqlStore) -> None:
    store.ask_approvals([asked()], NOW)
    store.decide_approval(decided(asked(), reach=Reach.TASK))
    assert [store.use_approval("a-1", at) for at in (NOW + 2, NOW + 3, LATER + 500)] == [True, True, False]


def test_the_first_decision_counts(store: SqlStore) -> None:
    store.ask_approvals([asked()], NOW)
    store.decide_approval(decided(asked(), granted=False, by="first"))
    now = store.decide_approval(decided(asked(), by="second"))
    assert now is not None
    assert (now.granted, now.decided_by) == (False, "first")
    assert not store.use_approval("a-1", NOW + 2)


def test_what_was_granted_can_be_taken_back_until_it_is_used(store: SqlStore) -> None:
    store.ask_approvals([asked(), asked("a-2")], NOW)
    for id_ in ("a-1", "a-2"):
        store.decide_approval(decided(asked(id_)))
    store.use_approval("a-2", NOW + 2)
    back = [store.decide_approval(decided(asked(id_), granted=False)) for id_ in ("a-1", "a-2")]
    assert [one.granted for one in back if one] == [False, True]


def test_nobody_decides_what_has_expired_or_was_never_asked(store: SqlStore) -> None:
    store.ask_approvals([asked()], NOW)
    late = store.decide_approval(replace(decided(asked()), decided_us=LATER))
    assert late == asked()
    assert store.decide_approval(decided(asked("a-9"))) is None


def test_once_means_once_whoever_races(tmp_path: Path, store: SqlStore) -> None:
    store.ask_approvals([asked()], NOW)
    store.decide_approval(decided(asked()))
    others = [SqlStore(address("", tmp_path)) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        used = list(pool.map(lambda number: others[number % 4].use_approval("a-1", NOW + 2), range(16)))
    assert sum(used) == 1
    for other in others:
        other.close()


def test_the_table_is_bounded_and_forgets_what_ended_first(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_ROWS", 20)
    store.ask_approvals([asked(f"a-{number:02}", asked_us=number) for number in range(20)], NOW)
    assert store.ask_approvals([asked("full")], NOW) == ()
    store.decide_approval(decided(asked("a-00"), granted=False))
    assert store.ask_approvals([asked("new")], NOW + 1) == ("new",)
    assert store.approval("a-00") is None
    assert len(store.approvals()) == 20


def test_what_ended_long_ago_is_forgotten(store: SqlStore) -> None:
    store.ask_approvals([asked()], NOW)
    store.ask_approvals(
        [asked("a-2", asked_us=NOW + table.KEPT_US, expires_us=NOW + table.KEPT_US + 9)], NOW + table.KEPT_US
    )
    assert [one.id for one in store.approvals()] == ["a-2"]


def test_whoever_looks_notices(store: SqlStore) -> None:
    versions = [store.version()]
    store.ask_approvals([asked()], NOW)
    versions.append(store.version())
    store.decide_approval(decided(asked()))
    versions.append(store.version())
    store.use_approval("a-1", NOW + 2)
    versions.append(store.version())
    assert versions == sorted(set(versions))
