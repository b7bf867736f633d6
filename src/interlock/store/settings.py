"""What can be set about what is kept, and for how long a crash may undo it."""

from dataclasses import dataclass

from interlock.model.settings import setting


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """`[store]`: the database."""

    url: str = setting("", "SQLAlchemy address of the database; empty is a SQLite file in the data folder.")


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """`[audit]`: the append-only log."""

    checkpoint_records: int = setting(1000, "Sign a checkpoint after this many records,", least=1)
    checkpoint_s: int = setting(10, "or after this many seconds with a new record, whichever comes first.")
    segment_bytes: int = setting(
        67_108_864, "Begin a new file of the log when the last one has this size.", least=65_536
    )
