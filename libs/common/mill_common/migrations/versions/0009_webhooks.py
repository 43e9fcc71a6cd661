"""Webhooks: endpoints, deliveries and their attempts"""

import sqlalchemy as sa
from alembic import op

from mill_common.clock import UtcDateTime
from mill_common.columns import JSON

revision = "0009"
down_revision = "0008"

PENDING = sa.text("status = 'pending'")
SENDING = sa.text("status = 'sending'")


def upgrade() -> None:
    _endpoints()
    _deliveries()
    op.create_table(
        "webhook_attempt",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("request_head", sa.Text(), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("response_head", sa.Text(), nullable=False),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", "epoch", name=op.f("pk_webhook_attempt")),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["webhook_delivery.id"],
            name=op.f("fk_webhook_attempt_delivery_id_webhook_delivery"),
            ondelete="CASCADE",
        ),
    )


def _endpoints() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("events", JSON, nullable=False),
        sa.Column("payload", _enum("payloadsize", "small", "full"), nullable=False),
        sa.Column("secret", sa.String(length=128), nullable=False),
        sa.Column("previous_secret", sa.String(length=128), nullable=True),
        sa.Column("previous_until", UtcDateTime(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.Column("disabled_reason", _enum("disabledreason", "asked", "gone", "failing"), nullable=True),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
        sa.ForeignKeyConstraint(["owner_id"], ["owner.id"], name=op.f("fk_webhook_endpoint_owner_id_owner")),
    )
    op.create_index("ix_webhook_endpoint_owner_job", "webhook_endpoint", ["owner_id", "job_id"], unique=False)


def _deliveries() -> None:
    statuses = ("pending", "sending", "delivered", "failed", "superseded")
    jobs = ("started", "progress", "completed", "failed", "cancelled")
    events = (*(f"job.{name}" for name in jobs), "output.ready", "webhook.test", "webhook.disabled")
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("event", _enum("webhookevent", *events), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("status", _enum("deliverystatus", *statuses), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=128), nullable=True),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.id"],
            name=op.f("fk_webhook_delivery_endpoint_id_webhook_endpoint"),
            ondelete="CASCADE",
        ),
    )
    _index("due", "endpoint_id", "next_at", "id", where=PENDING)
    _index("lease", "lease_until", where=SENDING)
    _index("endpoint_created", "endpoint_id", "created_at", "id")
    _index("job_created", "job_id", "created_at", "id")
    _index("ended", "ended_at")


def downgrade() -> None:
    for table in ("webhook_attempt", "webhook_delivery", "webhook_endpoint"):
        op.drop_table(table)


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=16)


def _index(name: str, *columns: str, where: sa.TextClause | None = None) -> None:
    index, table = f"ix_webhook_delivery_{name}", "webhook_delivery"
    op.create_index(index, table, list(columns), unique=False, postgresql_where=where, sqlite_where=where)
