"""What administrators did, and what was refused. Times are UTC."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import JSON, by_value, time_column
from mill_common.ids import uuid7


class AuditOutcome(StrEnum):
    """What came of an action."""

    DONE = "done"
    REFUSED = "refused"  # whoever asked may not, or is nobody
    FAILED = "failed"  # whoever asked may, and it was not done


class AuditEntry(SQLModel, table=True):
    """One action. Rows are added and never changed: triggers of the database refuse it."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        sa.Index("ix_audit_entry_actor", "actor", "id"),
        sa.Index("ix_audit_entry_action", "action", "id"),
        sa.Index("ix_audit_entry_target", "target", "id"),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    at: datetime = time_column(now=True)
    actor: str = Field(max_length=128)  # "user:ada", "key:7Qm2xR9a", "nobody"
    action: str = Field(max_length=64)
    target: str | None = Field(default=None, max_length=255)
    outcome: AuditOutcome = Field(sa_type=by_value(AuditOutcome))
    status: int  # of the answer
    before: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    after: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    address: str = Field(default="", max_length=64)
    request_id: str | None = Field(default=None, max_length=64)
