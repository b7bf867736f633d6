"""The table of labels that somebody has set on the console."""

import json

from sqlalchemy import Connection, and_, delete, insert, select

from interlock.mcp.labels import SetLabels
from interlock.provenance.settings import ToolOverride
from interlock.store.tables import labels


def put(db: Connection, one: SetLabels) -> None:
    """Write it, in place of any before."""
    clear(db, one.server, one.tool)
    recipients = one.labels.recipients
    db.execute(
        insert(labels).values(
            server=one.server,
            tool=one.tool,
            output=one.labels.output,
            sink=one.labels.sink,
            recipients=None if recipients is None else json.dumps(recipients),
            set_by=one.set_by,
            set_us=one.set_us,
        )
    )


def clear(db: Connection, server: str, tool: str) -> bool:
    """Whether there was one; now there is none."""
    return db.execute(delete(labels).where(and_(labels.c.server == server, labels.c.tool == tool))).rowcount > 0


def known(db: Connection) -> tuple[SetLabels, ...]:
    """Every row, by server and tool."""
    found = []
    for row in db.execute(select(labels).order_by(labels.c.server, labels.c.tool)):
        recipients = None if row.recipients is None else tuple(json.loads(row.recipients))
        override = ToolOverride(output=row.output, sink=row.sink, recipients=recipients)
        found.append(SetLabels(row.server, row.tool, override, row.set_by, row.set_us))
    return tuple(found)
