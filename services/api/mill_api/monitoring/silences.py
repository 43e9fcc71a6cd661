"""Silences: alerts that match are not told of until a silence expires."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import update
from sqlmodel import Session, col, select
from starlette.requests import Request

from mill_api.audit import record
from mill_api.auth import OPERATOR, VIEWER, caller
from mill_api.fields import LINE, Time
from mill_api.openapi import operation
from mill_api.problems import Fault, RequestInvalid
from mill_api.resources import resources
from mill_common.clock import db_now
from mill_common.errors import MillError
from mill_common.models import AlertSilence

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Pattern = Annotated[str, Field(min_length=1, max_length=255, pattern=LINE)]
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=LINE)]


class SilenceNotFound(MillError):
    """There is no such silence."""

    code = "silence_not_found"
    status = 404


class SilenceRequest(BaseModel):
    """A silence to be made."""

    model_config = ConfigDict(extra="forbid")

    matchers: dict[Name, Pattern] = Field(
        min_length=1,
        max_length=16,
        description="`type`, `level` or a label, each with a pattern (`*`, `?`, `[…]`). All must fit.",
    )
    reason: Reason
    expires_at: Time
    starts_at: Time | None = Field(default=None, description="Now, if absent.")


class SilenceChange(BaseModel):
    """What of a silence is to change."""

    model_config = ConfigDict(extra="forbid")

    expires_at: Time | None = None
    reason: Reason | None = None


class SilenceView(BaseModel):
    """A silence."""

    id: UUID
    matchers: dict[str, str]
    reason: str
    created_by: str
    created_at: Time
    starts_at: Time
    expires_at: Time
    active: bool


class SilenceList(BaseModel):
    """Silences, the newest first; expired ones are kept for a week."""

    silences: list[SilenceView]


@operation(tag="monitoring", returns=SilenceList, scope=VIEWER)
def list_silences(request: Request) -> SilenceList:
    """List silences."""
    with resources(request).database.read() as session:
        rows = session.exec(select(AlertSilence).order_by(col(AlertSilence.id).desc()).limit(1000)).all()
        now = _now(session)
    return SilenceList(silences=[_view(row, now) for row in rows])


@operation(tag="monitoring", status=201, body=SilenceRequest, returns=SilenceView, scope=OPERATOR)
def create_silence(request: Request, body: SilenceRequest) -> SilenceView:
    """Silence the alerts that match. They are still listed, and told of if they last longer than the silence."""
    with resources(request).database.write() as session:
        now = _now(session)
        starts_at = body.starts_at or now
        _check(body.expires_at, max(now, starts_at))
        row = AlertSilence(
            matchers=dict(body.matchers),
            reason=body.reason,
            created_by=caller(request).name[:64],
            starts_at=starts_at,
            expires_at=body.expires_at,
        )
        session.add(row)
        session.flush()
        session.refresh(row)
        record(session, request, target=f"silence:{row.id}", after=_told(row))
        return _view(row, now)


@operation(tag="monitoring", returns=SilenceView, raises=[SilenceNotFound], scope=VIEWER)
def get_silence(request: Request, silence_id: UUID) -> SilenceView:
    """Look at one silence."""
    with resources(request).database.read() as session:
        return _view(_silence(session, silence_id), _now(session))


@operation(tag="monitoring", body=SilenceChange, returns=SilenceView, raises=[SilenceNotFound], scope=OPERATOR)
def change_silence(request: Request, silence_id: UUID, body: SilenceChange) -> SilenceView:
    """Have a silence expire at another time, or give another reason."""
    with resources(request).database.write() as session:
        row = _silence(session, silence_id)
        now, before = _now(session), _told(row)
        if body.expires_at is not None:
            _check(body.expires_at, now)
            row.expires_at = body.expires_at
        row.reason = body.reason or row.reason
        record(session, request, target=f"silence:{silence_id}", before=before, after=_told(row))
        return _view(row, now)


@operation(tag="monitoring", status=204, raises=[SilenceNotFound], scope=OPERATOR)
def expire_silence(request: Request, silence_id: UUID) -> None:
    """End a silence now. It stays in the list for a week."""
    with resources(request).database.write() as session:
        row = _silence(session, silence_id)
        before = _told(row)
        ends = update(AlertSilence).where(col(AlertSilence.id) == silence_id, col(AlertSilence.expires_at) > db_now())
        session.execute(ends.values(expires_at=db_now()))
        session.refresh(row)
        record(session, request, target=f"silence:{silence_id}", before=before, after=_told(row))


def _silence(session: Session, silence_id: UUID) -> AlertSilence:
    row = session.get(AlertSilence, silence_id)
    if row is None:
        raise SilenceNotFound
    return row


def _check(expires_at: datetime, after: datetime) -> None:
    if expires_at <= after:
        fault = Fault(loc=["body", "expires_at"], message="lies before the silence begins")
        raise RequestInvalid("expires_at lies before the silence begins.", [fault])


def _now(session: Session) -> datetime:
    now: datetime = session.execute(select(db_now())).scalar_one()
    return now.astimezone(UTC)


def _told(row: AlertSilence) -> dict[str, Any]:
    return row.model_dump(include={"matchers", "reason", "starts_at", "expires_at"})


def _view(row: AlertSilence, now: datetime) -> SilenceView:
    return SilenceView(**row.model_dump(), active=row.starts_at <= now < row.expires_at)
