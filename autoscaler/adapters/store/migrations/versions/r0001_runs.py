"""Workloads, runs of unchanged decisions, and the payload of each run."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "workload",
        sa.Column("id", _BIG, primary_key=True),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.UniqueConstraint("namespace", "name", name="workload_namespace_name"),
    )
    op.create_table(
        "run",
        sa.Column("id", _BIG, primary_key=True),
        sa.Column(
            "workload_id", _BIG, sa.ForeignKey("workload.id", name="run_workload", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("ticks", sa.Integer(), nullable=False),
        sa.Column("granted", sa.Integer(), nullable=False),
        sa.Column("current", sa.Integer(), nullable=False),
        sa.Column("wanted_low", sa.Integer(), nullable=False),
        sa.Column("wanted_high", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("ranges", sa.LargeBinary(), nullable=False),
    )
    op.create_index("run_workload_first", "run", ["workload_id", "first_at"])
    op.create_index("run_last", "run", ["last_at"])
    op.create_table(
        "payload",
        sa.Column("run_id", _BIG, sa.ForeignKey("run.id", name="payload_run", ondelete="CASCADE"), primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("payload")
    op.drop_table("run")
    op.drop_table("workload")
