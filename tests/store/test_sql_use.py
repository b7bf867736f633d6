"""What the database knows of use by the hour, and of what belongs to no session; and how an older one gets to it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from interlock.model.record import Record, RecordKind, Step, Verdict
from interlock.store import Key, Stored, Used
from interlock.store.database import address
from interlock.store.sql import SqlStore
from interlock.store.sums import HOURS, NAMES_MAX, OTHERS
from interlock.store.tally import HOUR_US


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore(address("", tmp_path / "data"))
    yield store
    store.close()


def fill(store: SqlStore, *records: Record) -> None:
    start = store.indexed("gw-1")
    store.index([Stored("gw-1", start + n, f"{n:064x}", record) for n, record in enumerate(records)])


def asked(at_us: int, model: str = "m", workload: str = "w") -> Record:
    return Record(RecordKind.REQUEST, at_us, workload=workload, session="s", model=model)


def answered(at_us: int, model: str = "m") -> Record:
    step = Step("call", tool="pay", verdict=Verdict.BLOCKED)
    blocked = asked(at_us, model)._replace(kind=RecordKind.ANSWER, verdict=Verdict.BLOCKED, steps=(step, step))
    return blocked._replace(tokens_in=30, tokens_out=4)


def refused(at_us: int, workload: str = "w", kind: RecordKind = RecordKind.REFUSAL) -> Record:
    return Record(kind, at_us, workload=workload, verdict=Verdict.BLOCKED, status=429, reason="Limit 'day' is used up")


def test_use_is_summed_up_by_workload_and_model(store: SqlStore) -> None:
    fill(store, asked(1), answered(2), asked(HOUR_US + 1, "n"), refused(HOUR_US + 2), refused(3, ""))
    fill(store, asked(HOUR_US + 3), answered(HOUR_US + 4), Record(RecordKind.GATEWAY, 5))
    assert store.used(0) == (
        Used("", "", 1, 1, 0, 0),
        Used("w", "", 1, 1, 0, 0),
        Used("w", "m", 2, 4, 60, 8),
        Used("w", "n", 1, 0, 0, 0),
    )
    assert store.used(HOUR_US + 999) == (
        Used("w", "", 1, 1, 0, 0),
        Used("w", "m", 1, 2, 30, 4),
        Used("w", "n", 1, 0, 0, 0),
    )
    store.clear_index()
    assert store.used(0) == ()


def test_hours_that_are_long_over_go(store: SqlStore) -> None:
    fill(store, asked(1), asked(HOUR_US * 2))
    fill(store, asked(HOUR_US * (HOURS + 1)))
    assert [use.requests for use in store.used(0)] == [2]
    fill(store, asked(5))  # another log that is read late brings nothing back for long
    fill(store, asked(HOUR_US * (HOURS + 1)))
    assert [use.requests for use in store.used(0)] == [3]


def test_a_caller_cannot_fill_the_hours_with_models(store: SqlStore) -> None:
    for start in (0, 300):
        fill(store, *(asked(start + n, f"m{start + n:04}") for n in range(300)))
    used = store.used(0)
    assert len(used) == NAMES_MAX + 1
    assert used[0] == Used("w", OTHERS, 600 - NAMES_MAX, 0, 0, 0)


def test_what_belongs_to_no_session_is_paged(store: SqlStore) -> None:
    connect = RecordKind.CONNECT
    records = [refused(n // 3, "a" if n % 2 else "b", connect if n % 5 else RecordKind.REFUSAL) for n in range(30)]
    fill(store, *records, asked(5), Record(RecordKind.GATEWAY, 6))
    seen: list[Stored] = []
    before = None
    while page := store.outside(before=before, limit=4):
        assert 4 <= len(page) <= 6 or page[-1].record.at_us == 0
        seen += page
        before = page[-1].record.at_us
    assert sorted(stored.n for stored in seen) == list(range(30))
    assert [stored.record.at_us for stored in seen] == sorted((r.at_us for r in records), reverse=True)
    assert {stored.record.workload for stored in store.outside(workload="b", limit=99)} == {"b"}
    assert store.outside(workload="nobody") == ()


def test_a_database_of_the_first_schema_keeps_its_keys_and_fills_its_index_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "interlock.db"
    path.parent.mkdir()
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", "interlock.store:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with contextlib.closing(sqlite3.connect(path)) as old, old:
        old.execute("INSERT INTO keys VALUES ('k1', 'w', 'd', 1, NULL, NULL)")
        old.execute("INSERT INTO usage VALUES ('w', 1, 2, 3, 0)")
        old.execute("INSERT INTO records VALUES ('gw-1', 0, 's', 'w', 1, 'request', 0, '00', x'00')")
    store = SqlStore(address("", tmp_path / "data"))
    assert store.keys() == (Key("k1", "w", "d", 1),)
    assert (store.usage(), store.sessions(), store.indexed("gw-1")) == ((), (), 0)
    fill(store, asked(1))
    assert store.sessions()[0].requests == 1
    store.close()
