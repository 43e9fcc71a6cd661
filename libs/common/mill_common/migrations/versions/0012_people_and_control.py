"""People, their sessions, the audit log, and what operators pause"""

import sqlalchemy as sa
from alembic import op

from mill_common.clock import UtcDateTime
from mill_common.columns import JSON

revision = "0012"
down_revision = "0011"

_COLLECTED = sa.text("collection IS NOT NULL")
_CHANGES = ("UPDATE", "DELETE")


def upgrade() -> None:
    _people()
    _audit()
    op.create_table(
        "paused_queue",
        sa.Column("queue", sa.String(length=32), nullable=False),
        sa.Column("paused_by", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.String(length=255), nullable=True),
        sa.Column("paused_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("queue", name=op.f("pk_paused_queue")),
    )
    op.add_column("worker", sa.Column("wish", _enum("workerwish", "pause", "drain"), nullable=True))
    op.add_column("schedule", sa.Column("paused_at", UtcDateTime(), nullable=True))
    op.create_index("ix_task_status_kind", "task", ["status", "kind"])
    op.create_index(
        "ix_job_collection",
        "job",
        ["collection", "id"],
        postgresql_where=_COLLECTED,
        sqlite_where=_COLLECTED,
    )


def _people() -> None:
    op.create_table(
        "user_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("owner_id", sa.String(length=64), nullable=False),
        sa.Column("role", _enum("role", "viewer", "operator", "admin"), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_login_at", UtcDateTime(), nullable=True),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("name", name=op.f("uq_user_account_name")),
        sa.ForeignKeyConstraint(["owner_id"], ["owner.id"], name=op.f("fk_user_account_owner_id_owner")),
    )
    op.create_table(
        "user_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("refresh_digest", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("refreshed_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_session")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_user_session_user_id_user_account"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_user_session_user_id"), "user_session", ["user_id"])


def _audit() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=True),
        sa.Column("outcome", _enum("auditoutcome", "done", "refused", "failed"), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("before", JSON, nullable=True),
        sa.Column("after", JSON, nullable=True),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    for name in ("actor", "action", "target"):
        op.create_index(f"ix_audit_entry_{name}", "audit_entry", [name, "id"])
    if not _on_postgres():
        for change in _CHANGES:
            op.execute(f"""
                CREATE TRIGGER audit_entry_no_{change.lower()} BEFORE {change} ON audit_entry
                BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END
            """)
        return
    op.execute("""
        CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$
    """)
    op.execute("""
        CREATE TRIGGER audit_entry_only_added BEFORE UPDATE OR DELETE ON audit_entry
        FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()
    """)


def downgrade() -> None:
    op.drop_index("ix_job_collection", "job")
    op.drop_index("ix_task_status_kind", "task")
    op.drop_column("schedule", "paused_at")
    op.drop_column("worker", "wish")
    for table in ("paused_queue", "audit_entry", "user_session", "user_account"):
        op.drop_table(table)
    if _on_postgres():
        op.execute("DROP FUNCTION refuse_audit_change()")


def _on_postgres() -> bool:
    return op.get_context().dialect.name == "postgresql"


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=16)
