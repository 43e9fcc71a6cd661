"""Workers' rows and owners' weights"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from mill_common.clock import UtcDateTime

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "worker",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("service", sa.String(length=32), nullable=False),
        sa.Column("queue", sa.String(length=32), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("capability", JSON, nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("running", "paused", "draining", "stopped", name="workerstate", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=255), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=False),
        sa.Column("stopped_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )
    op.create_index(op.f("ix_worker_name"), "worker", ["name"], unique=False)
    op.add_column("owner", sa.Column("weight", sa.Float(), server_default="1.0", nullable=False))


def downgrade() -> None:
    op.drop_column("owner", "weight")
    op.drop_table("worker")
