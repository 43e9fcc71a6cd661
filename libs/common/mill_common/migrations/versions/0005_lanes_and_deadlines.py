"""Lanes of capped owners, and an index on deadlines"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

CLAIMABLE = sa.text("status IN ('queued', 'retrying')")
RUNNING = sa.text("status = 'running'")
HAS_LANE = sa.text("has_lane IS TRUE")
WITH_DEADLINE = sa.text("deadline_at IS NOT NULL AND completed_at IS NULL")


def upgrade() -> None:
    # ADD COLUMN with a constant default rewrites nothing, which a batch would on SQLite.
    op.add_column("task", sa.Column("lane", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("task", sa.Column("outages", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("owner", sa.Column("has_lane", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_task_claim", "task")
    _index("ix_task_claim", "task", ["queue", "lane", "rank", "share", "id"], CLAIMABLE)
    _index("ix_task_running", "task", ["queue", "owner_id"], RUNNING)
    _index("ix_owner_lane", "owner", ["id"], HAS_LANE)
    _index("ix_job_deadline", "job", ["deadline_at"], WITH_DEADLINE)
    op.execute("UPDATE owner SET has_lane = true WHERE running_cap IS NOT NULL")


def downgrade() -> None:
    op.drop_index("ix_job_deadline", "job")
    op.drop_index("ix_owner_lane", "owner")
    op.drop_index("ix_task_running", "task")
    op.drop_index("ix_task_claim", "task")
    _index("ix_task_claim", "task", ["queue", "rank", "share", "id"], CLAIMABLE)
    op.drop_column("owner", "has_lane")
    op.drop_column("task", "outages")
    op.drop_column("task", "lane")


def _index(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)
