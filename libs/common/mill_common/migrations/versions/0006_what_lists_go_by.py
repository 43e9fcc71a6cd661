"""Indexes that lists of jobs go by, labels, and how fast steps were"""

import sqlalchemy as sa
from alembic import op

from mill_common.clock import UtcDateTime

revision = "0006"
down_revision = "0005"

_COLLECTED = sa.text("collection IS NOT NULL")
_ENDED = sa.text("completed_at IS NOT NULL")

# What clients wrote on the jobs that are there: text as it is, anything else as JSON, as `mill_api` writes it.
_LABELS_ON_POSTGRES = """
    INSERT INTO job_label (job_id, name, owner_id, value)
    SELECT job.id, entry.key, job.owner_id, coalesce(entry.value, 'null')
    FROM job, jsonb_each_text(job.user_metadata) AS entry
    WHERE length(coalesce(entry.value, 'null')) <= 255
"""
_LABELS_ON_SQLITE = """
    INSERT INTO job_label (job_id, name, owner_id, value)
    SELECT id, name, owner_id, value
    FROM (
        SELECT job.id, entry.key AS name, job.owner_id,
               CASE WHEN entry.type IN ('true', 'false', 'null') THEN entry.type ELSE CAST(entry.value AS TEXT) END
                   AS value
        FROM job, json_each(job.user_metadata) AS entry
    )
    WHERE length(value) <= 255
"""
_DURATION_ON_POSTGRES = "UPDATE job SET duration_s = (media ->> 'duration_s')::double precision WHERE media IS NOT NULL"
_DURATION_ON_SQLITE = "UPDATE job SET duration_s = json_extract(media, '$.duration_s') WHERE media IS NOT NULL"


def upgrade() -> None:
    op.create_table(
        "job_label",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("owner_id", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_label_job_id_job"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "name", name=op.f("pk_job_label")),
    )
    op.execute(_LABELS_ON_POSTGRES if _on_postgres() else _LABELS_ON_SQLITE)
    op.create_index("ix_job_label_owner", "job_label", ["owner_id", "name", "value", "job_id"])
    op.create_table(
        "step_speed",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("picture", sa.SmallInteger(), nullable=False),
        sa.Column("length", sa.SmallInteger(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("seconds_per_second", sa.Float(), nullable=False),
        sa.Column("measured_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "picture", "length", name=op.f("pk_step_speed")),
    )
    op.add_column("job", sa.Column("duration_s", sa.Float(), nullable=True))
    op.execute(_DURATION_ON_POSTGRES if _on_postgres() else _DURATION_ON_SQLITE)
    op.drop_index("ix_job_owner_created", "job")
    op.create_index(
        "ix_job_owner_created",
        "job",
        ["owner_id", "created_at", "id"],
        postgresql_include=["status", "started_at", "completed_at", "duration_s"],
    )
    op.drop_index("ix_job_owner_status_created", "job")
    for name in ("status", "priority"):
        op.create_index(f"ix_job_owner_{name}_created", "job", ["owner_id", name, "created_at", "id"])
    op.create_index("ix_job_owner_filename", "job", ["owner_id", "filename", "created_at", "id"])
    op.create_index(
        "ix_job_owner_collection_created",
        "job",
        ["owner_id", "collection", "created_at", "id"],
        postgresql_where=_COLLECTED,
        sqlite_where=_COLLECTED,
    )
    op.create_index("ix_job_completed", "job", ["completed_at", "id"], postgresql_where=_ENDED, sqlite_where=_ENDED)
    if _on_postgres():
        # As `mill_api` sorts: what has not ended counts as ending late.
        op.execute("""
            CREATE INDEX ix_job_owner_completed
            ON job (owner_id, coalesce(completed_at, '9999-01-01T00:00:00+00:00'::timestamptz), created_at, id)
        """)


def downgrade() -> None:
    if _on_postgres():
        op.drop_index("ix_job_owner_completed", "job")
    op.drop_index("ix_job_completed", "job")
    for name in ("collection_created", "filename", "priority_created", "status_created"):
        op.drop_index(f"ix_job_owner_{name}", "job")
    op.create_index("ix_job_owner_status_created", "job", ["owner_id", "status", "created_at"])
    op.drop_index("ix_job_owner_created", "job")
    op.create_index("ix_job_owner_created", "job", ["owner_id", "created_at", "id"])
    with op.batch_alter_table("job") as job:
        job.drop_column("duration_s")
    for table in ("step_speed", "job_label"):
        op.drop_table(table)


def _on_postgres() -> bool:
    return op.get_context().dialect.name == "postgresql"
