"""Which protocol and upstream a session speaks, and what is used in each hour. The index is emptied to fill again."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the new tables; whatever was summed up from the logs is summed up anew."""
    blocked = sa.text("blocked > 0")
    for table in ("records", "usage", "used"):
        op.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
    op.drop_table("sessions")
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("workload", sa.Text, primary_key=True),
        *[sa.Column(name, sa.Text, nullable=False) for name in ("model", "protocol", "upstream")],
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in ("first_us", "last_us", "requests")],
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in ("calls", "blocked", "signals")],
    )
    op.create_index("sessions_last", "sessions", ["last_us"])
    op.create_index("sessions_workload", "sessions", ["workload", "last_us"])
    op.create_index("sessions_blocked", "sessions", ["last_us"], sqlite_where=blocked, postgresql_where=blocked)
    op.create_table(
        "hours",
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("workload", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        *[
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("requests", "blocked", "tokens_in", "tokens_out")
        ],
    )
