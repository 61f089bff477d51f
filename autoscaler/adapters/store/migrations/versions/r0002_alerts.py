"""Alerts, and what waits to be told to their destinations."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("id", _BIG, primary_key=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger()),
        sa.Column("body", sa.Text(), nullable=False),
        sa.UniqueConstraint("key", "starts_at", name="alert_key_starts"),
    )
    op.create_index("alert_resolved", "alert", ["resolved_at"])
    op.create_table(
        "notice",
        sa.Column("id", _BIG, primary_key=True),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sqlite_autoincrement=True,  # a number is never given twice: order stays order after the queue was empty
    )
    op.create_index("notice_destination", "notice", ["destination", "id"])


def downgrade() -> None:
    op.drop_table("notice")
    op.drop_table("alert")
