"""`SqlStore`: the Store over SQLAlchemy Core; SQLite by default, PostgreSQL beyond one machine."""

from collections.abc import Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Select, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from interlock.audit.canonical import decode, encode
from interlock.mcp.labels import SetLabels
from interlock.mcp.pins import Pin
from interlock.model.approval import Approval
from interlock.model.asset import Scan
from interlock.model.errors import AuditError, StoreError
from interlock.model.record import RecordKind
from interlock.store import Key, Session, Stored, Usage, Used, approvals, labels, pins, sums, tables
from interlock.store.database import Database
from interlock.store.tally import HOUR_US, count_blocked, name, tally

# The sums are read and put back for so many records at once, to keep their statements short.
_BATCH = 500
# What is recorded outside of any session, for the console.
_OUTSIDE = (RecordKind.REFUSAL.value, RecordKind.CONNECT.value)


class SqlStore:
    """What interlock keeps in a database; see `Store`. Safe to use from several threads and processes.

    It does NOT hold a secret: keys are hashes. The index over the logs is a copy, and proves nothing.
    """

    def __init__(self, url: URL) -> None:
        """Open the database at `url`, made or brought up to date first. Raises: StoreError."""
        self._database = Database(url)

    def save_scan(self, scan: Scan) -> None:
        """Make `scan` the current one for its root."""
        try:
            document = msgspec.json.encode(scan, enc_hook=_plain)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise StoreError(f"this scan cannot be kept: {error}", where=scan.root) from error
        with self._database.write() as db:
            newest = db.execute(select(func.max(tables.scans.c.seq))).scalar() or 0
            db.execute(delete(tables.scans).where(tables.scans.c.root == scan.root))
            db.execute(insert(tables.scans).values(root=scan.root, seq=newest + 1, document=document))

    def last_scan(self) -> Scan | None:
        """The newest scan, or None if nothing was ever scanned."""
        newest = select(tables.scans).order_by(tables.scans.c.seq.desc()).limit(1)
        return next(iter(self._scans(newest)), None)

    def scans(self) -> tuple[Scan, ...]:
        """The newest scan of each root, newest first."""
        return self._scans(select(tables.scans).order_by(tables.scans.c.seq.desc()))

    def _scans(self, wanted: Select[Any]) -> tuple[Scan, ...]:
        with self._database.read() as db:
            rows = db.execute(wanted).all()
        return tuple([self._scan(row.root, row.document) for row in rows])

    def _scan(self, root: str, document: bytes) -> Scan:
        try:
            return msgspec.json.decode(document, type=Scan)
        except msgspec.MsgspecError as error:
            what = f"the last scan of {root} cannot be read: {error}"
            hint = "scan it again: that replaces it"
            raise StoreError(what, where=self._database.where, hint=hint) from error

    def add_key(self, key: Key) -> None:
        """Keep a new key."""
        try:
            with self._database.write() as db:
                db.execute(insert(tables.keys).values({c.name: getattr(key, c.name) for c in tables.keys.c}))
        except StoreError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise StoreError(f"there is already a key {key.id}", where=self._database.where) from error
            raise

    def keys(self) -> tuple[Key, ...]:
        """All keys, revoked and expired ones too, newest first."""
        newest_first = select(tables.keys).order_by(tables.keys.c.created_us.desc(), tables.keys.c.id)
        with self._database.read() as db:
            return tuple([Key(**row) for row in db.execute(newest_first).mappings()])

    def revoke_key(self, key_id: str, at_us: int) -> bool:
        """Whether there was such a key; a second call keeps the first time."""
        this = tables.keys.c.id == key_id
        with self._database.write() as db:
            db.execute(update(tables.keys).where(this, tables.keys.c.revoked_us.is_(None)).values(revoked_us=at_us))
            return db.execute(select(tables.keys.c.id).where(this)).first() is not None

    def keep_pins(self, kept: Sequence[Pin]) -> None:
        """Keep what is offered now; what somebody has approved meanwhile stays approved."""
        with self._database.write() as db:
            pins.keep(db, kept)

    def approve_pins(self, approved: Sequence[Pin]) -> tuple[str, ...]:
        """Approve these, each only if it is still what is offered; the names of those that are not."""
        with self._database.write() as db:
            return pins.approve(db, approved)

    def pins(self, server: str | None = None) -> tuple[Pin, ...]:
        """What is known of the tools of a server, or of all, by server and name."""
        with self._database.read() as db:
            return pins.known(db, server)

    def set_labels(self, one: SetLabels) -> None:
        """Keep labels that somebody has set for a tool, in place of any before."""
        with self._database.write() as db:
            labels.put(db, one)

    def clear_labels(self, server: str, tool: str) -> bool:
        """Whether there were labels set for this tool; now there are none."""
        with self._database.write() as db:
            return labels.clear(db, server, tool)

    def labels(self) -> tuple[SetLabels, ...]:
        """The labels that somebody has set, by server and tool."""
        with self._database.read() as db:
            return labels.known(db)

    def ask_approvals(self, asked: Sequence[Approval], now_us: int) -> tuple[str, ...]:
        """Keep new requests for approval; the ids of those kept: what waits already makes no second one."""
        with self._database.write() as db:
            return approvals.ask(db, asked, now_us)

    def decide_approval(self, decided: Approval) -> Approval | None:
        """Keep a decision, if it is the first one; what stands now, or None if there is no such request."""
        with self._database.write() as db:
            return approvals.decide(db, decided)

    def use_approval(self, id_: str, now_us: int) -> bool:
        """Whether it was there to use. What was granted once is used up by it, in all processes."""
        with self._database.write() as db:
            return approvals.use(db, id_, now_us)

    def approvals(self, live_us: int | None = None) -> tuple[Approval, ...]:
        """The newest requests first, a bounded number; or every one that waits or holds at `live_us`."""
        with self._database.read() as db:
            return approvals.known(db, live_us)

    def approval(self, id_: str) -> Approval | None:
        """One request, or None."""
        with self._database.read() as db:
            return approvals.find(db, id_)

    def indexed(self, log: str) -> int:
        """How many records of this log the index holds; the next one to add has that number."""
        with self._database.read() as db:
            return _indexed(db, log)

    def leaf(self, log: str, n: int) -> str | None:
        """The leaf hash (hex) of a record as the index has it; None if it has no such record."""
        this = and_(tables.records.c.log == log, tables.records.c.n == n)
        with self._database.read() as db:
            return db.execute(select(tables.records.c.leaf).where(this)).scalar()

    def index(self, records: Sequence[Stored]) -> None:
        """Add the next records of a log to the index; those it has already are passed over, a gap is a StoreError."""
        if any(b.log != a.log or b.n != a.n + 1 for a, b in pairwise(records)):
            raise StoreError("these records are not the ones of one log in order")
        if not records:
            return
        with self._database.write() as db:
            have = _indexed(db, records[0].log)
            if records[0].n > have:
                what = f"record {records[0].n} of log {records[0].log} cannot follow record {have - 1} in the index"
                raise StoreError(what, where=self._database.where)
            new = [stored for stored in records if stored.n >= have]
            if new:
                db.execute(insert(tables.records), [_row(stored) for stored in new])
            for start in range(0, len(new), _BATCH):
                sums.add(db, tally(new[start : start + _BATCH]))

    def clear_index(self) -> None:
        """Empty the index, to be filled again from the logs."""
        with self._database.write() as db:
            for table in (tables.records, tables.sessions, tables.usage, tables.used, tables.hours):
                db.execute(delete(table))

    def records(
        self,
        *,
        workload: str | None = None,
        session: str | None = None,
        blocked: bool | None = None,
        limit: int = 50,
    ) -> tuple[Stored, ...]:
        """The newest records that fit, newest first."""
        table = tables.records
        wanted = select(table.c.leaf, table.c.body)
        if workload is not None:
            wanted = wanted.where(table.c.workload == name(workload))
        if session is not None:
            wanted = wanted.where(table.c.session == name(session))
        newest_first = (table.c.at_us.desc(), table.c.log, table.c.n.desc())
        return self._stored(_filter_blocked(wanted, blocked).order_by(*newest_first).limit(limit))

    def usage(self) -> tuple[Usage, ...]:
        """What each workload did, by name."""
        used: dict[tuple[str, str], list[str]] = {}
        with self._database.read() as db:
            for row in db.execute(select(tables.used).order_by(tables.used.c.name)):
                used.setdefault((row.workload, row.kind), []).append(row.name)
            rows = db.execute(select(tables.usage).where(tables.usage.c.workload != "").order_by("workload"))
            return tuple(
                [
                    Usage(
                        **row,
                        models=tuple(used.get((row["workload"], "model"), ())),
                        tools=tuple(used.get((row["workload"], "tool"), ())),
                    )
                    for row in rows.mappings()
                ]
            )

    def sessions(
        self, *, workload: str | None = None, blocked: bool | None = None, before: int | None = None, limit: int = 50
    ) -> tuple[Session, ...]:
        """Newest first by `last_us`; `before` is the `last_us` to continue below.

        A page has `limit` sessions, and as many more as ended in the same microsecond as its last one, so
        that continuing below it leaves none out.
        """
        table = tables.sessions
        wanted = select(table)
        if workload is not None:
            wanted = wanted.where(table.c.workload == name(workload))
        if before is not None:
            wanted = wanted.where(table.c.last_us < before)
        wanted = _filter_blocked(wanted, blocked).order_by(table.c.last_us.desc(), table.c.id, table.c.workload)
        with self._database.read() as db:
            page = [Session(**row) for row in db.execute(wanted.limit(limit)).mappings()]
            if page and len(page) == limit:
                ties = wanted.where(table.c.last_us == page[-1].last_us)
                same = [Session(**row) for row in db.execute(ties).mappings()]
                page = [s for s in page if s.last_us != page[-1].last_us] + same
        return tuple(page)

    def session(self, session_id: str) -> tuple[Stored, ...]:
        """The records of a session in order; empty if there is none."""
        table = tables.records
        wanted = select(table.c.leaf, table.c.body).where(table.c.session == name(session_id))
        return self._stored(wanted.order_by(table.c.at_us, table.c.log, table.c.n))

    def outside(self, *, workload: str | None = None, before: int | None = None, limit: int = 50) -> tuple[Stored, ...]:
        """The records of what belongs to no session, newest first by `at_us`: see `Store`."""
        table = tables.records
        wanted = select(table.c.leaf, table.c.body).where(table.c.session == "", table.c.kind.in_(_OUTSIDE))
        if workload is not None:
            wanted = wanted.where(table.c.workload == name(workload))
        if before is not None:
            wanted = wanted.where(table.c.at_us < before)
        newest_first = (table.c.at_us.desc(), table.c.log, table.c.n.desc())
        page = self._stored(wanted.order_by(*newest_first).limit(limit))
        if len(page) < limit or not page:
            return page
        last_us = page[-1].record.at_us
        ties = self._stored(wanted.where(table.c.at_us == last_us).order_by(*newest_first))
        return (*(stored for stored in page if stored.record.at_us != last_us), *ties)

    def used(self, since_us: int) -> tuple[Used, ...]:
        """What was used from the hour of `since_us` on, by workload and model."""
        table = tables.hours
        amounts = [func.sum(table.c[what]).label(what) for what in ("requests", "blocked", "tokens_in", "tokens_out")]
        by = (table.c.workload, table.c.model)
        wanted = select(*by, *amounts).where(table.c.hour >= since_us // HOUR_US).group_by(*by).order_by(*by)
        with self._database.read() as db:
            rows = db.execute(wanted).all()
        # PostgreSQL sums up whole numbers as decimals.
        return tuple([Used(workload, model, *map(int, sums)) for workload, model, *sums in rows])

    def refused(self) -> int:
        """How many requests came from callers that could not prove who they are."""
        with self._database.read() as db:
            return db.execute(select(tables.usage.c.requests).where(tables.usage.c.workload == "")).scalar() or 0

    def version(self) -> int:
        """A number that changes when anybody has written to the database."""
        return self._database.version()

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def _stored(self, wanted: Select[Any]) -> tuple[Stored, ...]:
        with self._database.read() as db:
            rows = db.execute(wanted).all()
        try:
            return tuple([Stored(log, n, leaf, record) for leaf, body in rows for log, n, record in (decode(body),)])
        except AuditError as error:
            hint = "the logs are the truth: empty the index (delete the database's table `records`)"
            raise StoreError(f"the index is damaged: {error.what}", where=self._database.where, hint=hint) from error


def _indexed(db: Connection, log: str) -> int:
    last = db.execute(select(func.max(tables.records.c.n)).where(tables.records.c.log == log)).scalar()
    return 0 if last is None else last + 1


def _row(stored: Stored) -> dict[str, object]:
    record = stored.record
    return {
        "log": stored.log,
        "n": stored.n,
        "session": name(record.session),
        "workload": name(record.workload),
        "at_us": record.at_us,
        "kind": record.kind.value,
        "blocked": count_blocked(record),
        "leaf": stored.leaf,
        "body": encode(record, stored.log, stored.n),
    }


def _filter_blocked(wanted: Select[Any], blocked: bool | None) -> Select[Any]:
    if blocked is None:
        return wanted
    return wanted.where(tables.HAS_BLOCKED if blocked else tables.HAS_NONE_BLOCKED)


def _plain(value: object) -> object:
    """What msgspec does not know: the read-only mapping that an asset has for facts."""
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise NotImplementedError(f"a {type(value).__name__} in a scan")
