"""An index for what changed lately, rotated keys, and usage"""

import sqlalchemy as sa
from alembic import op

from mill_common.clock import UtcDateTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index("ix_job_owner_updated", "job", ["owner_id", "updated_at"])
    with op.batch_alter_table("api_key") as key:
        key.add_column(sa.Column("previous_digest", sa.String(length=64), nullable=True))
        key.add_column(sa.Column("previous_until", UtcDateTime(), nullable=True))
    op.create_index("ix_api_key_previous_digest", "api_key", ["previous_digest"])
    op.create_table(
        "usage",
        sa.Column("owner_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("route", sa.String(length=128), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("requests", "errors", "bytes_in", "bytes_out")),
        sa.PrimaryKeyConstraint("owner_id", "day", "key_id", "route", "bucket", name="pk_usage"),
    )


def downgrade() -> None:
    op.drop_table("usage")
    op.drop_index("ix_api_key_previous_digest", "api_key")
    with op.batch_alter_table("api_key") as key:
        key.drop_column("previous_until")
        key.drop_column("previous_digest")
    op.drop_index("ix_job_owner_updated", "job")
