"""What is known of the tools of MCP servers."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "pins",
        sa.Column("server", sa.String(64), primary_key=True),
        sa.Column("tool", sa.String(128), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("approved_us", sa.BigInteger),
        sa.Column("approved_by", sa.Text, nullable=False),
        sa.Column("seen_digest", sa.String(64), nullable=False),
        sa.Column("seen_document", sa.Text, nullable=False),
        sa.Column("seen_us", sa.BigInteger, nullable=False),
    )
