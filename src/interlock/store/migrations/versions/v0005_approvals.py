"""Requests for approval, and what people decided."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("binding", sa.String(64), nullable=False),
        sa.Column("workload", sa.Text, nullable=False),
        sa.Column("credential", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("is_task", sa.Boolean, nullable=False),
        sa.Column("beginning", sa.Text, nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("sink", sa.String(16), nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("left_out", sa.Integer, nullable=False),
        sa.Column("policies", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("asked_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("ends_us", sa.BigInteger, nullable=False),
        sa.Column("granted", sa.Boolean),
        sa.Column("reach", sa.String(8), nullable=False),
        sa.Column("decided_us", sa.BigInteger, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("used_us", sa.BigInteger, nullable=False),
    )
    op.create_index("approvals_binding", "approvals", ["binding"])
    op.create_index("approvals_asked", "approvals", ["asked_us"])
