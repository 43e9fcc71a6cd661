"""Attempts added up by minute, hour and day, and how much there is of what has ended"""

import sqlalchemy as sa
from alembic import op

from mill_common.clock import UtcDateTime
from mill_common.columns import JSON

revision = "0014"
down_revision = "0013"

_OUTCOMES = ("completed", "retrying", "postponed", "failed", "cancelled", "handed_back", "lease_expired")


def upgrade() -> None:
    op.create_table(
        "attempt_figures",
        sa.Column("minutes", sa.SmallInteger(), nullable=False),
        sa.Column("begins_at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.Enum(*_OUTCOMES, name="outcome", native_enum=False, length=16), nullable=False),
        sa.Column("error_code", sa.String(length=64), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("took_s", sa.Float(), nullable=False),
        sa.Column("cpu_s", sa.Float(), nullable=False),
        sa.Column("peak_memory", sa.BigInteger(), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), nullable=False),
        sa.Column("durations", JSON, nullable=False),
        sa.PrimaryKeyConstraint(
            "minutes", "begins_at", "kind", "outcome", "error_code", name=op.f("pk_attempt_figures")
        ),
    )
    op.create_table(
        "stock",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("tasks", sa.BigInteger(), nullable=False),
        sa.Column("jobs", sa.BigInteger(), nullable=False),
        sa.Column("video_s", sa.Float(), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.Column("upload_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock")),
    )
    op.create_table(
        "figures_mark",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_figures_mark")),
    )


def downgrade() -> None:
    for table in ("figures_mark", "stock", "attempt_figures"):
        op.drop_table(table)
