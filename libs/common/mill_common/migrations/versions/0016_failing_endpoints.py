"""Endpoints that fail, and those that were disabled, by an index"""

import sqlalchemy as sa
from alembic import op

from mill_common.clock import UtcDateTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("webhook_endpoint", sa.Column("failed_at", UtcDateTime(), nullable=True))
    op.execute("UPDATE webhook_endpoint SET failed_at = failing_since WHERE failing_since IS NOT NULL")
    disabled = sa.text("disabled_at IS NOT NULL")
    op.create_index(
        "ix_webhook_endpoint_failing",
        "webhook_endpoint",
        ["failing_since"],
        postgresql_where=sa.text("enabled AND failing_since IS NOT NULL"),
        sqlite_where=sa.text("enabled = 1 AND failing_since IS NOT NULL"),
    )
    op.create_index(
        "ix_webhook_endpoint_disabled",
        "webhook_endpoint",
        ["disabled_at"],
        postgresql_where=disabled,
        sqlite_where=disabled,
    )


def downgrade() -> None:
    for name in ("disabled", "failing"):
        op.drop_index(f"ix_webhook_endpoint_{name}", "webhook_endpoint")
    op.drop_column("webhook_endpoint", "failed_at")
