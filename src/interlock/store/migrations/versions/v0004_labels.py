"""Labels of MCP servers' tools that somebody has set on the console."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "labels",
        sa.Column("server", sa.String(64), primary_key=True),
        sa.Column("tool", sa.String(128), primary_key=True),
        sa.Column("output", sa.String(16), nullable=False),
        sa.Column("sink", sa.String(16), nullable=False),
        sa.Column("recipients", sa.Text),
        sa.Column("set_by", sa.Text, nullable=False),
        sa.Column("set_us", sa.BigInteger, nullable=False),
    )
