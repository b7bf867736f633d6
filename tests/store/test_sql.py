"""The database: what goes in comes out, from several threads and processes, old and new."""

import io
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from interlock.model.asset import (
    Asset,
    AssetKind,
    Evidence,
    Finding,
    NotScanned,
    Relation,
    Scan,
    Site,
    Status,
    Workload,
)
from interlock.model.errors import StoreError
from interlock.model.meta import Confidence, Severity
from interlock.model.record import Record, RecordKind, Step, Verdict
from interlock.store import Key, Session, Stored, Usage
from interlock.store.database import VERSIONS, address
from interlock.store.migrations.versions import v0001_first, v0002_use
from interlock.store.sql import SqlStore
from interlock.store.sums import NAMES_MAX
from interlock.store.tables import metadata
from tests.audit.records import answer

FACTS: dict[str, str | int | bool | None] = {"n": 1, "b": True, "s": "1", "?": None}
SCAN = Scan(
    root="shop",
    at="2026-11-24T12:00:00Z",
    files=12,
    assets=(
        Asset("a1", AssetKind.MODEL, "gpt-5-mini", (Site("a.py", 3),), Evidence.USED, ("python",)),
        Asset("a2", AssetKind.TOOL, "pay\u00e9 \u2028", (), Evidence.DECLARED, (), FACTS),
    ),
    relations=(Relation("a1", "uses", "a2"),),
    workloads=(Workload("w1", "apps/pay", ("a1", "a2"), "team-pay"), Workload("w2", ".", ())),
    findings=(
        Finding("f", "c", Status.UNKNOWN, Severity.HIGH, Confidence.LOW, "t", "m", "x", "a1", Site("a.py", 3), "w1"),
    ),
    not_scanned=(NotScanned("b.py", "too large"),),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore(address("", tmp_path / "data"))
    yield store
    store.close()


def stored(n: int, record: Record, log: str = "gw-1") -> Stored:
    return Stored(log, n, f"{n:064x}", record)


def request(at_us: int, session: str = "s-1", workload: str = "invoice-agent", model: str = "gpt-5-mini") -> Record:
    return Record(RecordKind.REQUEST, at_us, workload=workload, session=session, model=model)


def test_a_scan_comes_back_and_is_replaced_whole(store: SqlStore) -> None:
    assert store.last_scan() is None
    assert store.scans() == ()
    store.save_scan(SCAN)
    assert store.last_scan() == SCAN
    other = replace(SCAN, root="bank", assets=SCAN.assets[:1])
    store.save_scan(other)
    assert store.last_scan() == other
    newer = replace(SCAN, at="2026-11-25T12:00:00Z", findings=())
    store.save_scan(newer)
    assert store.last_scan() == newer
    assert store.scans() == (newer, other)


_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@given(
    st.dictionaries(_names, st.none() | st.booleans() | st.integers(-(2**62), 2**62) | _names),
    st.sampled_from(AssetKind),
    _names,
)
def test_every_asset_comes_back(facts: dict[str, str | int | bool | None], kind: AssetKind, name: str) -> None:
    import msgspec

    from interlock.store.sql import _plain

    asset = Asset("a", kind, name, (Site(name, 1),), Evidence.IMPORTED, (name,), MappingProxyType(facts), name)
    back = msgspec.json.decode(msgspec.json.encode(asset, enc_hook=_plain), type=Asset)
    assert back == asset
    assert {k: type(v) for k, v in back.facts.items()} == {k: type(v) for k, v in facts.items()}


def test_a_scan_that_cannot_be_kept_leaves_the_last_one(store: SqlStore) -> None:
    store.save_scan(SCAN)
    with pytest.raises(StoreError, match="cannot be kept"):
        store.save_scan(replace(SCAN, not_scanned=(NotScanned("\udcff.py", "name is not UTF-8"),)))
    assert store.last_scan() == SCAN


def test_keys_are_kept_newest_first_and_revoked_once(store: SqlStore) -> None:
    old, new = Key("k1", "w", "d" * 64, 1, 50), Key("k2", "w", "e" * 64, 2)
    store.add_key(old)
    store.add_key(new)
    assert store.keys() == (new, old)
    assert store.revoke_key("k1", 7)
    assert store.revoke_key("k1", 8)
    assert not store.revoke_key("k3", 7)
    assert store.keys() == (new, replace(old, revoked_us=7))
    with pytest.raises(StoreError, match="already a key k1") as caught:
        store.add_key(replace(old, digest="f" * 64))
    assert "f" * 64 not in str(caught.value)


def test_records_are_indexed_in_order_without_a_gap(store: SqlStore) -> None:
    batch = [stored(n, request(n)) for n in range(5)]
    store.index(batch[:2])
    assert (store.indexed("gw-1"), store.indexed("gw-2")) == (2, 0)
    assert (store.leaf("gw-1", 1), store.leaf("gw-1", 2)) == (batch[1].leaf, None)
    with pytest.raises(StoreError, match="record 3 of log gw-1 cannot follow record 1"):
        store.index(batch[3:])
    with pytest.raises(StoreError, match="in order"):
        store.index([batch[2], batch[4]])
    with pytest.raises(StoreError, match="in order"):
        store.index([batch[2], replace(batch[3], log="gw-2")])
    store.index([])
    store.index(batch[:4])  # another process has read the same ones
    store.index(batch[1:3])
    store.index(batch)
    assert store.indexed("gw-1") == 5
    assert store.usage()[0].requests == 5


def test_sessions_are_summed_up(store: SqlStore) -> None:
    chat = answer(6).protocol
    for batch in ([stored(0, request(5))], [stored(1, answer(6)), stored(2, request(9, model=""))]):
        store.index(batch)
    assert store.sessions() == (
        Session(
            "s-1", "invoice-agent", "gpt-5-mini", 5, 9, 2, 1, blocked=1, signals=1, protocol=chat, upstream="openai"
        ),
    )
    assert [s.record for s in store.session("s-1")] == [request(5), answer(6), request(9, model="")]
    assert store.session("s-2") == ()


def test_usage_names_what_was_used(store: SqlStore) -> None:
    refusal = Record(RecordKind.REFUSAL, 3, workload="b", verdict=Verdict.BLOCKED, reason="malformed")
    store.index([stored(0, request(5, workload="b", model="m2")), stored(1, refusal)])
    store.index([stored(2, request(7, workload="b", model="m1")), stored(3, answer(8, workload="a"))])
    assert store.usage() == (
        Usage("a", 8, 8, requests=0, blocked=1, models=("gpt-5-mini",), tools=("send_payment",)),
        Usage("b", 3, 7, requests=3, blocked=1, models=("m1", "m2"), tools=()),
    )


def test_callers_who_proved_nothing_are_counted_apart(store: SqlStore) -> None:
    assert store.refused() == 0
    refusal = Record(RecordKind.REFUSAL, 3, verdict=Verdict.BLOCKED, reason="key abc is unknown")
    gateway = Record(RecordKind.GATEWAY, 2, reason="started")
    store.index([stored(0, gateway), stored(1, refusal), stored(2, refusal), stored(3, refusal._replace(workload="a"))])
    assert store.refused() == 2
    assert [u.workload for u in store.usage()] == ["a"]
    assert store.sessions() == ()


def test_a_caller_cannot_fill_the_database_with_names(store: SqlStore) -> None:
    step = Step("call", tool="t\0" + "x" * 1000)
    store.index([stored(n, request(n)._replace(model=f"m{n:04}", steps=(step,))) for n in range(700)])
    (usage,) = store.usage()
    assert len(usage.models) == NAMES_MAX
    assert len(usage.tools[0]) == 256
    assert store.sessions()[0].requests == 700


def test_sessions_are_paged_and_filtered(store: SqlStore) -> None:
    records = [request(n // 3, f"s-{n:02}", "a" if n % 2 else "b") for n in range(30)]
    records.append(answer(100, "s-99", "a"))
    store.index([stored(n, record) for n, record in enumerate(records)])
    seen: list[Session] = []
    before = None
    while page := store.sessions(before=before, limit=4):
        assert 4 <= len(page) <= 6 or page[-1].last_us == 0
        seen += page
        before = page[-1].last_us
    assert len(seen) == len({s.id for s in seen}) == 31
    assert [s.last_us for s in seen] == sorted((s.last_us for s in seen), reverse=True)
    assert {s.workload for s in store.sessions(workload="b", limit=99)} == {"b"}
    assert [s.id for s in store.sessions(blocked=True)] == ["s-99"]
    assert len(store.sessions(blocked=False, limit=99)) == 30


def test_records_are_found(store: SqlStore) -> None:
    store.index([stored(0, request(1)), stored(1, answer(2)), stored(2, request(3, "s-2", "other"))])

    def numbers(
        workload: str | None = None, session: str | None = None, blocked: bool | None = None, limit: int = 9
    ) -> list[int]:
        return [s.n for s in store.records(workload=workload, session=session, blocked=blocked, limit=limit)]

    assert numbers() == [2, 1, 0]
    assert numbers(limit=1) == [2]
    assert numbers(workload="invoice-agent") == [1, 0]
    assert numbers(session="s-2") == [2]
    assert numbers(blocked=True) == [1]
    assert numbers(blocked=False, workload="invoice-agent") == [0]
    assert store.records()[1] == stored(1, answer(2))


def test_the_index_can_be_emptied_and_keys_and_scans_stay(store: SqlStore) -> None:
    store.add_key(Key("k1", "w", "d" * 64, 1))
    store.save_scan(SCAN)
    store.index([stored(0, answer())])
    store.clear_index()
    assert (store.indexed("gw-1"), store.usage(), store.sessions(), store.records()) == (0, (), (), ())
    assert len(store.keys()) == 1
    assert store.last_scan() == SCAN


def test_version_changes_with_every_write_of_anybody(store: SqlStore, tmp_path: Path) -> None:
    first = store.version()
    assert store.version() == first
    store.save_scan(SCAN)
    second = store.version()
    assert second != first
    other = SqlStore(address("", tmp_path / "data"))
    other.add_key(Key("k1", "w", "d" * 64, 1))
    other.close()
    assert store.version() != second


def test_a_write_that_fails_leaves_nothing(store: SqlStore) -> None:
    store.add_key(Key("k1", "w", "d" * 64, 1))
    before = store.version()
    with pytest.raises(StoreError):
        store.add_key(Key("k1", "w", "d" * 64, 1))
    assert store.version() == before


def test_threads_read_and_write_together(store: SqlStore) -> None:
    def write(n: int) -> None:
        store.add_key(Key(f"k{n}", "w", "d" * 64, n))
        store.save_scan(replace(SCAN, root=f"r{n}"))

    def look(_: int) -> int:
        scan = store.last_scan()
        assert scan is None or scan.assets == SCAN.assets
        return len(store.keys())

    with ThreadPoolExecutor(8) as pool:
        writes = [pool.submit(write, n) for n in range(24)]
        looks = [pool.submit(look, n) for n in range(100)]
        assert all(f.result() is None for f in writes)
        assert max(f.result() for f in looks) <= 24
    assert len(store.keys()) == 24


@pytest.mark.usefixtures("store")
def test_a_new_database_is_private_and_at_the_newest_schema(tmp_path: Path) -> None:
    files = list((tmp_path / "data").iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    engine = create_engine(f"sqlite:///{tmp_path / 'data' / 'interlock.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == VERSIONS[-1]
        ours = [d for d in compare_metadata(context, metadata) if "alembic_version" not in str(d)]
    engine.dispose()
    assert ours == []


def test_the_versions_are_the_migrations() -> None:
    import interlock.store

    folder = os.path.join(os.path.dirname(interlock.store.__file__), "migrations")
    revisions = [script.revision for script in ScriptDirectory(folder).walk_revisions()]
    assert tuple(reversed(revisions)) == VERSIONS


def test_the_schema_is_one_for_postgresql_too() -> None:
    made = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": made, "transactional_ddl": False}
    )
    with Operations.context(context):
        v0001_first.upgrade()
        v0002_use.upgrade()
    assert "BYTEA" in made.getvalue()
    assert "CREATE INDEX sessions_blocked ON sessions (last_us) WHERE blocked > 0" in made.getvalue()


@pytest.mark.usefixtures("store")
def test_alembic_is_not_loaded_for_a_database_that_is_up_to_date(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from interlock.store.sql import SqlStore; "
        "from interlock.store.database import address; s = SqlStore(address('', Path(sys.argv[1]))); "
        "assert s.keys() == (); s.close(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "data")], check=False).returncode == 0


def test_several_begin_one_database_at_once(tmp_path: Path) -> None:
    def begin(n: int) -> int:
        store = SqlStore(address("", tmp_path / "data"))
        store.add_key(Key(f"k{n}", "w", "d" * 64, n))
        store.close()
        return n

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(begin, range(4))) == [0, 1, 2, 3]
    store = SqlStore(address("", tmp_path / "data"))
    assert len(store.keys()) == 4
    store.close()


def test_a_newer_database_is_refused(store: SqlStore, tmp_path: Path) -> None:
    store.close()
    connection = sqlite3.connect(tmp_path / "data" / "interlock.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="schema 9999") as caught:
        SqlStore(address("", tmp_path / "data"))
    assert "newer interlock" in caught.value.hint


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "interlock.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match="not a database"):
        SqlStore(address("", tmp_path))


def test_a_damaged_document_is_a_store_error(store: SqlStore, tmp_path: Path) -> None:
    store.save_scan(SCAN)
    store.index([stored(0, answer())])
    connection = sqlite3.connect(tmp_path / "data" / "interlock.db")
    connection.execute("UPDATE scans SET document = x'7b7d'")
    connection.execute("UPDATE records SET body = x'7b7d'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=r"last scan of .* cannot be read"):
        store.last_scan()
    with pytest.raises(StoreError, match="index is damaged"):
        store.records()


@pytest.mark.parametrize("url", ["no address", "nosuchdb://x/y", "postgresql+nosuchdriver://user:secret@h/d"])
def test_addresses_that_cannot_be_used(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreError) as caught:
        SqlStore(address(url, tmp_path))
    assert caught.value.hint
    assert "secret" not in str(caught.value)
