"""The table of requests for approval: gateways ask, people decide, and a gateway uses up what was granted once."""

from collections.abc import Sequence
from dataclasses import asdict

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from interlock.model.approval import Approval, Reach, Shown
from interlock.store.tables import approvals

# The values in a request are somebody's: it is kept for so long after it has ended. What was decided is in the log.
KEPT_US = 7 * 24 * 3_600 * 1_000_000
MOST_ROWS = 5_000
# What a page shows.
NEWEST = 200
_shown = msgspec.json.Decoder(tuple[Shown, ...])
_LISTS = ("arguments", "policies")


def ask(db: Connection, asked: Sequence[Approval], now_us: int) -> tuple[str, ...]:
    """Write new requests; the ids of those written. What waits already, by its binding, makes no second one."""
    _forget(db, now_us)
    room = MOST_ROWS - int(db.execute(select(func.count()).select_from(approvals)).scalar_one())
    written: list[str] = []
    for one in asked:
        same = and_(approvals.c.binding == one.binding, approvals.c.granted.is_(None), approvals.c.expires_us > now_us)
        if len(written) < room and db.execute(select(approvals.c.id).where(same)).first() is None:
            db.execute(insert(approvals).values(_row(one)))
            written.append(one.id)
    return tuple(written)


def decide(db: Connection, decided: Approval) -> Approval | None:
    """Write a decision, and give what stands now; None if there is no such request.

    The first one counts: only what waits can be granted, and what was granted and not used can still be denied.
    """
    assert decided.granted is not None
    this, at_us = approvals.c.id == decided.id, decided.decided_us
    free = and_(approvals.c.granted.is_(None), approvals.c.expires_us > at_us)
    if not decided.granted:
        free = or_(free, and_(approvals.c.granted.is_(True), approvals.c.used_us == 0))
    values = {"granted": decided.granted, "reach": decided.reach.value, "expires_us": decided.expires_us}
    values |= {"decided_us": at_us, "decided_by": decided.decided_by, "why": decided.why}
    db.execute(update(approvals).where(this, free).values(values))
    return find(db, decided.id)


def use(db: Connection, id_: str, now_us: int) -> bool:
    """Whether it was there to use; what was granted once is used up by it, whoever else tries."""
    this = and_(approvals.c.id == id_, approvals.c.granted.is_(True), approvals.c.expires_us > now_us)
    for_task = and_(this, approvals.c.reach == Reach.TASK.value)
    if db.execute(select(approvals.c.id).where(for_task)).first() is not None:
        return True
    once = and_(this, approvals.c.reach == Reach.ONCE.value, approvals.c.used_us == 0)
    return db.execute(update(approvals).where(once).values(used_us=now_us)).rowcount == 1


def known(db: Connection, live_us: int | None) -> tuple[Approval, ...]:
    """The newest requests first; or every one that has not expired at `live_us`, and was not used up."""
    wanted = select(approvals).order_by(approvals.c.asked_us.desc(), approvals.c.id)
    if live_us is None:
        wanted = wanted.limit(NEWEST)
    else:
        wanted = wanted.where(approvals.c.expires_us > live_us, approvals.c.used_us == 0)
    rows = db.execute(wanted)
    return tuple([_approval(dict(row)) for row in rows.mappings()])


def find(db: Connection, id_: str) -> Approval | None:
    """One request."""
    row = db.execute(select(approvals).where(approvals.c.id == id_)).mappings().first()
    return _approval(dict(row)) if row is not None else None


def _forget(db: Connection, now_us: int) -> None:
    """Delete what ended long ago; and of what has ended the oldest, if the table is full."""
    ended = or_(approvals.c.granted.is_(False), approvals.c.used_us > 0, approvals.c.expires_us <= now_us)
    db.execute(delete(approvals).where(ended, approvals.c.asked_us <= now_us - KEPT_US))
    if int(db.execute(select(func.count()).select_from(approvals)).scalar_one()) >= MOST_ROWS:
        oldest = select(approvals.c.id).where(ended).order_by(approvals.c.asked_us).limit(MOST_ROWS // 10)
        db.execute(delete(approvals).where(approvals.c.id.in_(oldest)))


def _row(one: Approval) -> dict[str, object]:
    values = {name: value for name, value in asdict(one).items() if name not in _LISTS}
    documents = {name: msgspec.json.encode(getattr(one, name)).decode() for name in _LISTS}
    return values | documents | {"reach": one.reach.value}


def _approval(row: dict[str, object]) -> Approval:
    row["arguments"] = _shown.decode(str(row["arguments"]))
    row["policies"] = tuple(msgspec.json.decode(str(row["policies"]), type=tuple[str, ...]))
    row["reach"] = Reach(row["reach"])
    return Approval(**row)  # type: ignore[arg-type]
