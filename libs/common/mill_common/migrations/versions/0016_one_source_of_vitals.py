"""How busy hosts are is said by samples alone"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0016"
down_revision = "0013"


def upgrade() -> None:
    with op.batch_alter_table("worker") as worker:
        worker.drop_column("vitals")


def downgrade() -> None:
    with op.batch_alter_table("worker") as worker:
        worker.add_column(sa.Column("vitals", JSON, nullable=True))
