"""Samples of machines, settings of a running system, workers' health, and indexes to count by"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from mill_common.clock import UtcDateTime

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "system_sample",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("taken_at", UtcDateTime(), nullable=False),
        sa.Column("service", sa.String(length=32), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("cpu_percent", sa.Float(), nullable=False),
        sa.Column("memory_percent", sa.Float(), nullable=False),
        sa.Column("disk_percent", sa.Float(), nullable=False),
        sa.Column("active_tasks", sa.Integer(), nullable=False),
        sa.Column("scratch_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system_sample")),
    )
    op.create_index(op.f("ix_system_sample_taken_at"), "system_sample", ["taken_at"], unique=False)
    op.create_table(
        "runtime_setting",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_runtime_setting")),
    )
    op.add_column("worker", sa.Column("health", JSON, nullable=True))
    op.create_index("ix_attempt_started", "attempt", ["started_at"], unique=False, postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("ix_attempt_started", table_name="attempt")
    op.drop_column("worker", "health")
    op.drop_table("runtime_setting")
    op.drop_table("system_sample")
