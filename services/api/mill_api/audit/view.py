"""The audit log as administrators read it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import col, select
from starlette.requests import Request

from mill_api.callers import ADMIN
from mill_api.fields import LINE, Time, TimeInQuery
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.models import AuditEntry, AuditOutcome

Text = Annotated[str, Field(min_length=1, max_length=255, pattern=LINE)]


class AuditQuery(BaseModel):
    """Which entries."""

    model_config = ConfigDict(extra="forbid")

    actor: Text | None = Field(default=None, description="Such as `user:ada` or `key:7Qm2xR9a`.")
    action: Text | None = Field(default=None, description="The name of an operation, such as `create_user`.")
    target: Text | None = None
    outcome: AuditOutcome | None = None
    address: Text | None = None
    from_date: TimeInQuery | None = Field(default=None, description="Of then or later.")
    to_date: TimeInQuery | None = Field(default=None, description="Of then or earlier.")
    limit: int = Field(default=100, ge=1, le=500)
    before_id: UUID | None = Field(default=None, description="Entries older than this one: `next_before_id`.")


class AuditView(BaseModel):
    """Who did what to what, and what came of it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: Time
    actor: str
    action: str
    target: str | None
    outcome: AuditOutcome
    status: int = Field(description="Of the answer.")
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str
    request_id: str | None


class AuditList(BaseModel):
    """Entries, the latest first."""

    entries: list[AuditView]
    next_before_id: UUID | None


@operation(tag="admin", query=AuditQuery, returns=AuditList, scope=ADMIN)
def list_audit(request: Request, query: AuditQuery) -> AuditList:
    """Read the audit log: every action of administrators and operators, and every refusal."""
    wanted = [
        col(getattr(AuditEntry, name)) == value
        for name in ("actor", "action", "target", "outcome", "address")
        if (value := getattr(query, name)) is not None
    ]
    wanted += [col(AuditEntry.at) >= query.from_date] if query.from_date else []
    wanted += [col(AuditEntry.at) <= query.to_date] if query.to_date else []
    wanted += [col(AuditEntry.id) < query.before_id] if query.before_id else []
    listed = select(AuditEntry).where(*wanted).order_by(col(AuditEntry.id).desc()).limit(query.limit + 1)
    with resources(request).database.read() as session:
        rows = session.exec(listed).all()
    shown = rows[: query.limit]
    return AuditList(
        entries=[AuditView.model_validate(row) for row in shown],
        next_before_id=shown[-1].id if len(rows) > query.limit else None,
    )
