"""Alerts, and the notices of them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.requests import Request

from mill_api.audit import record
from mill_api.auth import ADMIN, OPERATOR, VIEWER, caller
from mill_api.fields import LINE, Time
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.alerts import Finding, acknowledge, clear_resolved, raise_alert
from mill_common.alerts.ledger import AlertNotFound, AlertResolved
from mill_common.ids import uuid7
from mill_common.models import Alert, AlertLevel, AlertNotice, AlertStatus, NoticeStatus

TEST = "test"
TEST_LASTS_S = 300.0


class AlertQuery(BaseModel):
    """Which alerts."""

    model_config = ConfigDict(extra="forbid")

    level: AlertLevel | None = None
    status: AlertStatus | None = None
    type: Annotated[str, Field(min_length=1, max_length=64, pattern=LINE)] | None = None
    page: int = Field(default=1, ge=1, le=1_000_000)
    limit: int = Field(default=50, ge=1, le=500)


class AlertView(BaseModel):
    """A condition from when it began to hold until it no longer did."""

    id: UUID
    type: str
    level: AlertLevel
    status: AlertStatus
    title: str
    message: str
    timestamp: Time = Field(description="When it began.")
    labels: dict[str, str]
    metadata: dict[str, Any] = Field(description="The figures, and the thresholds they crossed.")
    job_id: UUID | None
    owner: str | None
    stage: str | None
    inhibited_by: str | None = Field(description="The type of the alert that explains this one; nobody is told of it.")
    fired_at: Time | None
    last_seen_at: Time
    resolved_at: Time | None
    acknowledged_at: Time | None
    acknowledged_by: str | None
    note: str | None


class AlertList(BaseModel):
    """One page of alerts, the newest first."""

    alerts: list[AlertView]
    total: int = Field(description="Of all pages.")
    page: int
    limit: int


class NoticeQuery(BaseModel):
    """Which notices."""

    model_config = ConfigDict(extra="forbid")

    status: NoticeStatus | None = None
    page: int = Field(default=1, ge=1, le=1_000_000)
    limit: int = Field(default=50, ge=1, le=500)


class NoticeView(BaseModel):
    """A message to one route."""

    id: UUID
    route: str
    level: AlertLevel
    title: str
    alerts: list[UUID]
    status: NoticeStatus
    attempts: int
    next_at: Time
    error: str | None
    created_at: Time
    sent_at: Time | None


class NoticeList(BaseModel):
    """One page of notices, the newest first."""

    notices: list[NoticeView]
    page: int
    limit: int


class TestQuery(BaseModel):
    """How bad the test is."""

    __test__ = False  # no test, whatever its name
    model_config = ConfigDict(extra="forbid")

    level: AlertLevel = AlertLevel.WARNING


class Acknowledgement(BaseModel):
    """Why nobody needs to be reminded."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=500, pattern=LINE)] | None = None


class Cleared(BaseModel):
    """What was forgotten."""

    deleted_count: int


@operation(tag="monitoring", query=AlertQuery, returns=AlertList, scope=VIEWER)
def list_alerts(request: Request, query: AlertQuery) -> AlertList:
    """List alerts, the newest first."""
    wanted = {"level": query.level, "status": query.status, "type": query.type}
    filters = [col(getattr(Alert, name)) == value for name, value in wanted.items() if value is not None]
    page = select(Alert).where(*filters).order_by(col(Alert.id).desc())
    with resources(request).database.read() as session:
        total = session.scalar(select(func.count()).select_from(Alert).where(*filters)) or 0
        rows = session.exec(page.offset((query.page - 1) * query.limit).limit(query.limit)).all()
    return AlertList(alerts=[_view(row) for row in rows], total=total, page=query.page, limit=query.limit)


@operation(tag="monitoring", returns=AlertView, raises=[AlertNotFound], scope=VIEWER)
def get_alert(request: Request, alert_id: UUID) -> AlertView:
    """Look at one alert."""
    with resources(request).database.read() as session:
        row = session.get(Alert, alert_id)
    if row is None:
        raise AlertNotFound
    return _view(row)


@operation(tag="monitoring", status=201, query=TestQuery, returns=AlertView, scope=OPERATOR)
def raise_test_alert(request: Request, query: TestQuery) -> AlertView:
    """Have a test alert fire, and be told of as any other. It is resolved after five minutes."""
    finding = Finding(
        level=query.level,
        title="Test alert",
        message=f"{caller(request).name} asked for this alert to see whether it arrives.",
        labels={"test": uuid7().hex},
    )

    def fire(session: Session) -> Alert:
        alert = raise_alert(session, TEST, finding, lasts_s=TEST_LASTS_S)
        record(session, request, target=f"alert:{alert.id}", after={"type": TEST, "level": alert.level})
        return alert

    return _view(resources(request).database.run(fire))


@operation(tag="monitoring", returns=Cleared, scope=ADMIN)
def clear_alerts(request: Request) -> Cleared:
    """Forget every resolved alert. Those that still fire stay."""

    def clear(session: Session) -> Cleared:
        gone = Cleared(deleted_count=clear_resolved(session))
        record(session, request, target="alerts", after=gone.model_dump())
        return gone

    return resources(request).database.run(clear)


@operation(
    tag="monitoring",
    body=Acknowledgement,
    body_required=False,
    returns=AlertView,
    raises=[AlertNotFound, AlertResolved],
    scope=OPERATOR,
)
def acknowledge_alert(request: Request, alert_id: UUID, body: Acknowledgement) -> AlertView:
    """Say that somebody sees to an alert: nobody is reminded of it, but they are told of its end."""
    by = caller(request).name[:64]

    def see_to(session: Session) -> Alert:
        known = session.get(Alert, alert_id)
        before = _attention(known) if known else None
        alert = acknowledge(session, alert_id, by=by, note=body.note)
        record(session, request, target=f"alert:{alert_id}", before=before, after=_attention(alert))
        return alert

    return _view(resources(request).database.run(see_to))


@operation(tag="monitoring", query=NoticeQuery, returns=NoticeList, scope=VIEWER)
def list_notices(request: Request, query: NoticeQuery) -> NoticeList:
    """List what was sent or is still to be sent, with why it was not taken."""
    notices = select(AlertNotice).order_by(col(AlertNotice.id).desc())
    if query.status is not None:
        notices = notices.where(col(AlertNotice.status) == query.status)
    with resources(request).database.read() as session:
        rows = session.exec(notices.offset((query.page - 1) * query.limit).limit(query.limit)).all()
    shown = [NoticeView.model_validate(row.model_dump()) for row in rows]
    return NoticeList(notices=shown, page=query.page, limit=query.limit)


def _attention(row: Alert) -> dict[str, Any]:
    return {"type": row.type, "acknowledged_by": row.acknowledged_by, "note": row.note}


def _view(row: Alert) -> AlertView:
    values = row.model_dump()
    renamed = {"timestamp": row.created_at, "metadata": row.details, "owner": row.owner_id, "last_seen_at": row.seen_at}
    return AlertView.model_validate(values | renamed)
