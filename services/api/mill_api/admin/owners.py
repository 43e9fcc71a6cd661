"""Owners: what they use, and what they may."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import update
from sqlmodel import Session, col, select
from starlette.requests import Request

from mill_api.audit import record
from mill_api.auth import ADMIN, VIEWER
from mill_api.fields import Owner as OwnerName
from mill_api.fields import Time
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.models import Owner
from mill_common.queue import OwnerNotFound, set_owner_limits
from mill_common.quotas import usage_of

_LIMITS = ("jobs_quota", "storage_quota", "max_source_bytes", "max_source_duration_s")


class OwnerItem(BaseModel):
    """An owner's share and limits. null is the server's default, and for `running_cap` no cap."""

    owner: str
    weight: float
    running_cap: int | None
    jobs_quota: int | None
    storage_quota: int | None
    max_source_bytes: int | None
    max_source_duration_s: float | None
    created_at: Time


class OwnerView(OwnerItem):
    """An owner with what it uses now."""

    unended_jobs: int
    stored_bytes: int


class OwnerList(BaseModel):
    """Owners, by name."""

    owners: list[OwnerItem]


class OwnersQuery(BaseModel):
    """Which part."""

    model_config = ConfigDict(extra="forbid")

    after: OwnerName | None = Field(default=None, description="Those whose names come after this one.")
    limit: int = Field(default=100, ge=1, le=500)


class OwnerChange(BaseModel):
    """What is to be different. What is left out stays; null takes a limit away."""

    model_config = ConfigDict(extra="forbid")

    weight: float = Field(default=1.0, gt=0, le=1000, description="With 2, twice as many tasks in turn as with 1.")
    running_cap: int | None = Field(default=None, ge=1, le=1_000_000, description="Tasks of one queue at a time.")
    jobs_quota: int | None = Field(default=None, ge=0, le=2**31 - 1, description="Jobs that have not ended.")
    storage_quota: int | None = Field(default=None, ge=0, le=2**53, description="Bytes.")
    max_source_bytes: int | None = Field(default=None, ge=1, le=2**53)
    max_source_duration_s: float | None = Field(default=None, gt=0, le=1e9)


@operation(tag="admin", query=OwnersQuery, returns=OwnerList, scope=VIEWER)
def list_owners(request: Request, query: OwnersQuery) -> OwnerList:
    """List owners with their shares and limits."""
    listed = select(Owner).order_by(col(Owner.id)).limit(query.limit)
    if query.after is not None:
        listed = listed.where(col(Owner.id) > query.after)
    with resources(request).database.read() as session:
        return OwnerList(owners=[OwnerItem(**_told(row)) for row in session.exec(listed)])


@operation(tag="admin", returns=OwnerView, raises=[OwnerNotFound], scope=VIEWER)
def get_owner(request: Request, owner: str) -> OwnerView:
    """Look at an owner: its limits, and what it uses now."""
    with resources(request).database.read() as session:
        return _view(session, _found(session, owner))


@operation(tag="admin", body=OwnerChange, returns=OwnerView, raises=[OwnerNotFound], scope=ADMIN)
def change_owner(request: Request, owner: str, body: OwnerChange) -> OwnerView:
    """Change an owner's weight, cap and quotas. What runs goes on."""
    given = body.model_fields_set

    def work(session: Session) -> OwnerView:
        row = _found(session, owner)
        before = _told(row)
        weight = body.weight if "weight" in given else row.weight
        cap = body.running_cap if "running_cap" in given else row.running_cap
        if given & {"weight", "running_cap"}:
            set_owner_limits(session, owner, weight=weight, running_cap=cap)
        values: dict[str, Any] = {name: getattr(body, name) for name in _LIMITS if name in given}
        if values:
            session.execute(update(Owner).where(col(Owner.id) == owner).values(**values))
        session.refresh(row)
        record(session, request, target=f"owner:{owner}", before=before, after=_told(row))
        return _view(session, row)

    return resources(request).database.run(work)


def _found(session: Session, owner: str) -> Owner:
    row = None if "\0" in owner else session.get(Owner, owner)
    if row is None:
        raise OwnerNotFound
    return row


def _told(row: Owner) -> dict[str, Any]:
    names = ("weight", "running_cap", *_LIMITS, "created_at")
    return {"owner": row.id, **{name: getattr(row, name) for name in names}}


def _view(session: Session, row: Owner) -> OwnerView:
    used = usage_of(session, row.id)
    return OwnerView(**_told(row), unended_jobs=used.unended_jobs, stored_bytes=used.stored_bytes)
