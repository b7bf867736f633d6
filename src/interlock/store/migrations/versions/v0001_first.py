"""The first schema: scans, keys, and the index over the audit logs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO state (id, version) VALUES (1, 0)")
    op.create_table(
        "scans",
        sa.Column("root", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("workload", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger),
        sa.Column("revoked_us", sa.BigInteger),
    )
    _index()


def _index() -> None:
    blocked = sa.text("blocked > 0")
    op.create_table(
        "records",
        sa.Column("log", sa.String(64), primary_key=True),
        sa.Column("n", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("workload", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("blocked", sa.Integer, nullable=False),
        sa.Column("leaf", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("records_at", "records", ["at_us"])
    op.create_index("records_session", "records", ["session", "at_us"])
    op.create_index("records_workload", "records", ["workload", "at_us"])
    op.create_index("records_blocked", "records", ["at_us"], sqlite_where=blocked, postgresql_where=blocked)
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("workload", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in ("first_us", "last_us", "requests")],
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in ("calls", "blocked", "signals")],
    )
    op.create_index("sessions_last", "sessions", ["last_us"])
    op.create_index("sessions_workload", "sessions", ["workload", "last_us"])
    op.create_index("sessions_blocked", "sessions", ["last_us"], sqlite_where=blocked, postgresql_where=blocked)
    op.create_table(
        "usage",
        sa.Column("workload", sa.Text, primary_key=True),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in ("first_us", "last_us", "requests", "blocked")],
    )
    op.create_table(
        "used",
        sa.Column("workload", sa.Text, primary_key=True),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
    )
