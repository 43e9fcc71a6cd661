"""Resumable uploads, what tells two requests for the same job, and what a job's files weigh"""

import sqlalchemy as sa
from alembic import op

from mill_common.clock import UtcDateTime

revision = "0007"
down_revision = "0006"

WEIGH = "UPDATE job SET stored_bytes = (SELECT coalesce(sum(size), 0) FROM output WHERE output.job_id = job.id)"


def upgrade() -> None:
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("spec_hash", sa.String(length=64), nullable=True))
        job.add_column(sa.Column("source_mark", sa.String(length=64), nullable=True))
        job.add_column(sa.Column("stored_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(WEIGH)
    op.create_index("ix_job_owner_content", "job", ["owner_id", "source_sha256"])
    op.create_index("ix_job_owner_mark", "job", ["owner_id", "source_mark"])
    op.create_index("ix_job_owner_stored", "job", ["owner_id", "stored_bytes"])
    op.create_index("ix_upload_owner_size", "upload", ["owner_id", "size"])
    op.drop_index("ix_upload_owner_id", "upload")
    op.create_table(
        "resumable_upload",
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("tail_key", sa.String(length=512), nullable=True),
        sa.Column("tail_size", sa.BigInteger(), nullable=False),
        sa.Column("next_part", sa.Integer(), nullable=False),
        sa.Column("metadata_line", sa.Text(), nullable=True),
        sa.Column("holder", sa.String(length=32), nullable=True),
        sa.Column("held_until", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["upload.id"], name=op.f("fk_resumable_upload_upload_id_upload"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("upload_id", name=op.f("pk_resumable_upload")),
    )
    op.create_table(
        "received_part",
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("etag", sa.String(length=128), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["upload.id"], name=op.f("fk_received_part_upload_id_upload"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("upload_id", "number", name=op.f("pk_received_part")),
    )


def downgrade() -> None:
    op.drop_table("received_part")
    op.drop_table("resumable_upload")
    op.create_index("ix_upload_owner_id", "upload", ["owner_id"])
    op.drop_index("ix_upload_owner_size", "upload")
    for name in ("ix_job_owner_stored", "ix_job_owner_mark", "ix_job_owner_content"):
        op.drop_index(name, "job")
    with op.batch_alter_table("job") as job:
        for column in ("stored_bytes", "source_mark", "spec_hash"):
            job.drop_column(column)
