"""How busy hosts are is said by samples alone; requests by the minute"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    with op.batch_alter_table("worker") as worker:
        worker.drop_column("vitals")
    op.create_table(
        "traffic",
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("route", sa.String(length=128), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "route", name=op.f("pk_traffic")),
    )


def downgrade() -> None:
    op.drop_table("traffic")
    with op.batch_alter_table("worker") as worker:
        worker.add_column(sa.Column("vitals", JSON, nullable=True))
