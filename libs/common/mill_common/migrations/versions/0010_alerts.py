"""Alerts, silences and notices; hosts' vitals; the trace of a job"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from mill_common.clock import UtcDateTime

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
LEVEL = ("info", "warning", "error", "critical")

revision = "0010"
down_revision = "0009"

_CLAIMABLE = sa.text("status IN ('queued', 'retrying')")
_FAILED = sa.text("status = 'failed'")
_OPEN = sa.text("status IN ('firing', 'pending')")
_WAITING = sa.text("status = 'waiting'")


def upgrade() -> None:
    _alerts()
    _notices()
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("trace", JSON, nullable=True))
    with op.batch_alter_table("worker") as worker:
        worker.add_column(sa.Column("vitals", JSON, nullable=True))
    _partial("ix_task_due", "task", ["queue", "run_after"], _CLAIMABLE)
    _partial("ix_task_failed", "task", ["queue", "finished_at"], _FAILED)
    op.create_index("ix_attempt_ended", "attempt", ["ended_at", "outcome"])


def downgrade() -> None:
    op.drop_index("ix_attempt_ended", "attempt")
    op.drop_index("ix_task_failed", "task")
    op.drop_index("ix_task_due", "task")
    with op.batch_alter_table("worker") as worker:
        worker.drop_column("vitals")
    with op.batch_alter_table("job") as job:
        job.drop_column("trace")
    for table in ("alert_turn", "alert_notice", "alert_group", "alert_silence", "alert"):
        op.drop_table(table)


def _alerts() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("level", _enum("alertlevel", *LEVEL), nullable=False),
        sa.Column("status", _enum("alertstatus", "pending", "firing", "resolved"), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("message", sa.String(length=2000), nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("owner_id", sa.String(length=64), nullable=True),
        sa.Column("stage", sa.String(length=64), nullable=True),
        sa.Column("inhibited_by", sa.String(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        *(sa.Column(name, UtcDateTime(), nullable=True) for name in ("fired_at", "ends_at", "resolved_at")),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=64), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    _partial("uq_alert_open", "alert", ["fingerprint"], _OPEN, unique=True)
    op.create_table(
        "alert_silence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("matchers", JSON, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        *(sa.Column(name, UtcDateTime(), nullable=False) for name in ("created_at", "starts_at", "expires_at")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_silence")),
    )
    op.create_table(
        "alert_turn",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alert_turn")),
    )


def _notices() -> None:
    op.create_table(
        "alert_group",
        sa.Column("route", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("told", JSON, nullable=False),
        sa.Column("flush_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("route", "key", name=op.f("pk_alert_group")),
    )
    op.create_table(
        "alert_notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("route", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("level", _enum("alertlevel", *LEVEL), nullable=False),
        sa.Column("resolved", sa.Boolean(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("alerts", JSON, nullable=False),
        sa.Column("status", _enum("noticestatus", "waiting", "sent", "failed"), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_notice")),
    )
    _partial("ix_alert_notice_due", "alert_notice", ["next_at"], _WAITING)


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=16)


def _partial(name: str, table: str, columns: list[str], where: sa.TextClause, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, postgresql_where=where, sqlite_where=where)
