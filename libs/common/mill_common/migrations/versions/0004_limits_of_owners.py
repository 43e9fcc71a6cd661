"""Limits of owners, collections and deadlines of jobs"""

import sqlalchemy as sa
from alembic import op

from mill_common.clock import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("owner") as owner:
        owner.add_column(sa.Column("running_cap", sa.Integer(), nullable=True))
        owner.add_column(sa.Column("jobs_quota", sa.Integer(), nullable=True))
        owner.add_column(sa.Column("storage_quota", sa.BigInteger(), nullable=True))
        owner.add_column(sa.Column("max_source_bytes", sa.BigInteger(), nullable=True))
        owner.add_column(sa.Column("max_source_duration_s", sa.Float(), nullable=True))
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("collection", sa.String(length=64), nullable=True))
        job.add_column(sa.Column("deadline_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("job") as job:
        job.drop_column("deadline_at")
        job.drop_column("collection")
    with op.batch_alter_table("owner") as owner:
        for name in ("max_source_duration_s", "max_source_bytes", "storage_quota", "jobs_quota", "running_cap"):
            owner.drop_column(name)
