"""The table of what is known of MCP servers' tools: what is offered is written by gateways, approval by people."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, and_, insert, select, update

from interlock.mcp.pins import Pin
from interlock.store.tables import pins

_SEEN = ("seen_digest", "seen_document", "seen_us")
_APPROVED = ("digest", "document", "approved_us", "approved_by")


def keep(db: Connection, kept: Sequence[Pin]) -> None:
    """Write what is offered now. A tool that is known keeps its approval, which may be newer than ours."""
    for pin in kept:
        values = asdict(pin)
        this = and_(pins.c.server == pin.server, pins.c.tool == pin.tool)
        known = db.execute(select(pins.c.tool).where(this)).first() is not None
        if known:
            db.execute(update(pins).where(this).values({name: values[name] for name in _SEEN}))
        else:
            db.execute(insert(pins).values(values))


def approve(db: Connection, approved: Sequence[Pin]) -> tuple[str, ...]:
    """Write the approvals; the names of tools that are offered otherwise by now."""
    missed = []
    for pin in approved:
        values = asdict(pin)
        this = and_(pins.c.server == pin.server, pins.c.tool == pin.tool, pins.c.seen_digest == pin.seen_digest)
        if db.execute(update(pins).where(this).values({name: values[name] for name in _APPROVED})).rowcount != 1:
            missed.append(pin.tool)
    return tuple(missed)


def known(db: Connection, server: str | None) -> tuple[Pin, ...]:
    """Every row, or those of one server, by server and name."""
    wanted = select(pins).order_by(pins.c.server, pins.c.tool)
    rows = db.execute(wanted if server is None else wanted.where(pins.c.server == server))
    return tuple([Pin(**row) for row in rows.mappings()])
