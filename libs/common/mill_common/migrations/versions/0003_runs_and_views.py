"""Scheduled runs, and PostgreSQL's views of the queue"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from mill_common.clock import UtcDateTime

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0003"
down_revision = "0002"

# SQLite has the same rows from `mill_common.views_on_sqlite`.
VIEWS = {
    "dead_letter_jobs": """
        SELECT job.id AS id, task.id AS task_id, task.owner_id, job.filename, task.name AS task, task.queue, task.stage,
               task.progress, task.attempts, task.max_attempts, task.crashes, task.error_code,
               task.error_message AS last_error, job.created_at, task.finished_at AS failed_at
        FROM task JOIN job ON job.id = task.job_id
        WHERE task.status = 'failed'
        ORDER BY task.finished_at DESC, task.id
    """,
    "job_queue_stats": """
        SELECT queue, status, count(*) AS count, avg(attempts)::double precision AS avg_attempts,
               min(created_at) AS oldest_at,
               extract(epoch FROM statement_timestamp() - min(created_at))::double precision AS oldest_seconds
        FROM task
        GROUP BY queue, status
        ORDER BY queue, status
    """,
    "running_jobs_monitor": """
        SELECT job_id AS id, id AS task_id, name AS task, queue, worker, stage, progress, attempts,
               extract(epoch FROM statement_timestamp() - started_at)::double precision AS running_seconds,
               extract(epoch FROM statement_timestamp() - heartbeat_at)::double precision AS heartbeat_age_seconds,
               extract(epoch FROM statement_timestamp() - progress_at)::double precision AS progress_age_seconds
        FROM task
        WHERE status = 'running'
        ORDER BY started_at, id
    """,
    "job_timing_stats": """
        SELECT status, count(*) AS count, avg(seconds) AS avg_duration_seconds,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50_seconds,
               percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95_seconds
        FROM (
            SELECT status, extract(epoch FROM completed_at - started_at)::double precision AS seconds
            FROM job
            WHERE status IN ('completed', 'failed', 'cancelled') AND started_at IS NOT NULL AND completed_at IS NOT NULL
        ) AS ended
        GROUP BY status
        ORDER BY status
    """,
    "stage_distribution": """
        SELECT kind, stage, count(*) AS count, avg(progress)::double precision AS avg_progress,
               avg(seconds) AS avg_age_seconds
        FROM (
            SELECT kind, CASE WHEN status = 'running' THEN coalesce(stage, status) ELSE status END AS stage, progress,
                   extract(epoch FROM statement_timestamp() - coalesce(queued_at, created_at))::double precision
                       AS seconds
            FROM task
            WHERE status NOT IN ('completed', 'failed', 'cancelled')
        ) AS waiting
        GROUP BY kind, stage
        ORDER BY count(*) DESC, kind, stage
    """,
}


def upgrade() -> None:
    op.create_table(
        "schedule",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("cron", sa.String(length=64), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedule")),
    )
    op.create_table(
        "scheduled_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("schedule", sa.String(length=64), nullable=False),
        sa.Column("fire_at", UtcDateTime(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("running", "completed", "failed", name="runstatus", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=128), nullable=False),
        sa.Column("total_items", sa.Integer(), nullable=True),
        sa.Column("items_processed", sa.Integer(), nullable=False),
        sa.Column("items_succeeded", sa.Integer(), nullable=False),
        sa.Column("items_failed", sa.Integer(), nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(length=2000), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_run")),
        sa.UniqueConstraint("schedule", "fire_at", name=op.f("uq_scheduled_run_schedule_fire_at")),
    )
    op.create_index(op.f("ix_scheduled_run_started_at"), "scheduled_run", ["started_at"], unique=False)
    op.create_index(
        "ix_scheduled_run_lease",
        "scheduled_run",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("status = 'running'"),
        sqlite_where=sa.text("status = 'running'"),
    )
    if _on_postgres():
        for name, query in VIEWS.items():
            op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    if _on_postgres():
        for name in VIEWS:
            op.execute(f"DROP VIEW {name}")
    for table in ("scheduled_run", "schedule"):
        op.drop_table(table)


def _on_postgres() -> bool:
    return op.get_context().dialect.name == "postgresql"
