"""An index for what changed lately"""

from alembic import op

revision = "0008"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("ix_job_owner_updated", "job", ["owner_id", "updated_at"])


def downgrade() -> None:
    op.drop_index("ix_job_owner_updated", "job")
