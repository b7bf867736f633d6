"""The sums of the index in the database: the tally of a batch added to what is there, by the only writer.

Rows are read, added to and put back, since databases do not agree on a statement that does it at once.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, tuple_

from interlock.store.tables import hours, sessions, usage, used
from interlock.store.tally import Sum, Tally, Use

NAMES_MAX = 200
"""How many models, and how many tools, are kept for one workload: the names come from callers."""
OTHERS = "*"
"""Stands in `hours` for the models of a workload beyond `NAMES_MAX`."""
HOURS = 48
"""So many of the newest hours are kept apart; whoever asks for a day has it whole."""


def add(db: Connection, batch: Tally) -> None:
    """Add the tally of at most some hundred records, inside a transaction that writes."""
    _merge(db, sessions, ("id", "workload"), batch.sessions)
    _merge(db, usage, ("workload",), {(workload,): total for workload, total in batch.workloads.items()})
    for workload, total in batch.workloads.items():
        _name(db, workload, total.used)
    if batch.hours:
        _merge(db, hours, ("hour", "workload", "model"), _bounded(db, batch.hours))
        db.execute(delete(hours).where(hours.c.hour <= max(hour for hour, _, _ in batch.hours) - HOURS))


def _merge(db: Connection, table: Table, key: tuple[str, ...], batch: Mapping[Any, Sum] | Mapping[Any, Use]) -> None:
    """`batch` has a sum for each value of `key`, which is a tuple of as many columns."""
    if not batch:
        return
    kind: Any = type(next(iter(batch.values())))
    these = tuple_(*[table.c[column] for column in key]).in_(list(batch))
    sums = [column.name for column in table.c if column.name not in key]
    totals: dict[Any, Any] = dict(batch)
    for row in db.execute(select(table).where(these)).mappings():
        place = tuple([row[column] for column in key])
        total = kind(**{column: row[column] for column in sums})
        total.extend(batch[place])
        totals[place] = total
    db.execute(delete(table).where(these))
    rows = [
        dict(zip(key, place, strict=True)) | {column: getattr(total, column) for column in sums}
        for place, total in totals.items()
    ]
    db.execute(insert(table), rows)


def _bounded(db: Connection, batch: Mapping[tuple[int, str, str], Use]) -> dict[tuple[int, str, str], Use]:
    """The same with the models of each workload and hour that there is no room for summed up as `OTHERS`."""
    bounded: dict[tuple[int, str, str], Use] = {}
    had: dict[tuple[int, str], set[str]] = {}
    for (hour, workload, model), use in batch.items():
        if (names := had.get((hour, workload))) is None:
            these = select(hours.c.model).where(hours.c.hour == hour, hours.c.workload == workload)
            names = had[hour, workload] = set(db.execute(these).scalars())
        known = model if model in names or len(names) < NAMES_MAX else OTHERS
        names.add(known)
        bounded.setdefault((hour, workload, known), Use()).extend(use)
    return bounded


def _name(db: Connection, workload: str, names: set[tuple[str, str]]) -> None:
    """Keep the names that are new, while there is room."""
    if not names:
        return
    had = {(row.kind, row.name) for row in db.execute(select(used).where(used.c.workload == workload))}
    for kind, name in sorted(names - had):
        if sum(k == kind for k, _ in had) < NAMES_MAX:
            had.add((kind, name))
            db.execute(insert(used).values(workload=workload, kind=kind, name=name))
