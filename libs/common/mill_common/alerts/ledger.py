"""What people and programs do with alerts, apart from the rules."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mill_common.alerts.finding import Finding, fingerprint
from mill_common.clock import db_now
from mill_common.errors import MillError
from mill_common.models import Alert, AlertGroup, AlertNotice, AlertSilence, AlertStatus, NoticeStatus

NOTICES_KEPT_S = 30 * 86400.0
SILENCES_KEPT_S = 7 * 86400.0


class AlertNotFound(MillError):
    """There is no such alert."""

    code = "alert_not_found"
    status = 404


class AlertResolved(MillError):
    """The alert is resolved already."""

    code = "alert_resolved"
    status = 409


def raise_alert(session: Session, kind: str, finding: Finding, *, lasts_s: float) -> Alert:
    """Have an alert fire that no rule finds, such as an event. It is resolved after `lasts_s` seconds.

    Raised again meanwhile, it is the same alert and lasts longer. A caller that another one beat to the first insertion
    gets an IntegrityError, and may just try again.
    """
    mark = fingerprint(kind, finding.labels)
    this = (col(Alert.fingerprint) == mark) & (col(Alert.status).in_((AlertStatus.FIRING, AlertStatus.PENDING)))
    row = session.scalars(select(Alert).where(this).with_for_update()).one_or_none()
    if row is None:
        row = Alert(
            fingerprint=mark, type=kind, status=AlertStatus.FIRING, labels=dict(finding.labels), **finding.columns()
        )
        session.add(row)
        session.flush()
        session.execute(update(Alert).where(col(Alert.id) == row.id).values(fired_at=db_now(), ends_at=db_now(lasts_s)))
    else:
        values = {**finding.columns(), "seen_at": db_now(), "ends_at": db_now(lasts_s)}
        session.execute(update(Alert).where(this).values(**values))
    session.refresh(row)
    return row


def acknowledge(session: Session, alert_id: UUID, *, by: str, note: str | None = None) -> Alert:
    """Say that somebody sees to it: nobody is reminded of it any more. Doing so again changes who and why.

    Raises:
        AlertNotFound: There is no such alert.
        AlertResolved: It is over.
    """
    row = session.get(Alert, alert_id, with_for_update=True)
    if row is None:
        raise AlertNotFound
    if row.status is AlertStatus.RESOLVED:
        raise AlertResolved
    values = {"acknowledged_at": db_now(), "acknowledged_by": by, "note": note}
    session.execute(update(Alert).where(col(Alert.id) == alert_id).values(**values))
    session.refresh(row)
    return row


def clear_resolved(session: Session) -> int:
    """Forget every resolved alert. Returns how many."""
    gone = delete(Alert).where(col(Alert.status) == AlertStatus.RESOLVED).returning(col(Alert.id))
    return len(session.execute(gone).all())


def prune(session: Session, *, keep: int) -> int:
    """Forget resolved alerts but the newest `keep`, and notices, silences and groups of long ago.

    Returns how many alerts went.
    """
    resolved = col(Alert.status) == AlertStatus.RESOLVED
    newest = select(col(Alert.id)).where(resolved).order_by(col(Alert.id).desc()).limit(keep)
    gone = session.execute(delete(Alert).where(resolved, col(Alert.id).not_in(newest)).returning(col(Alert.id))).all()
    old = col(AlertNotice.created_at) < db_now(-NOTICES_KEPT_S)
    session.execute(delete(AlertNotice).where(old))
    session.execute(delete(AlertSilence).where(col(AlertSilence.expires_at) < db_now(-SILENCES_KEPT_S)))
    # Groups of a route that is no longer configured: nobody looks at them.
    session.execute(delete(AlertGroup).where(col(AlertGroup.flush_at) < db_now(-NOTICES_KEPT_S)))
    return len(gone)


def failing_routes(session: Session, *, attempts: int, within_s: float) -> dict[str, int]:
    """How many notices of the last `within_s` seconds each route has not taken, by its name.

    Those that were tried so often, and those that were given up unless the route has taken another one since.
    """
    later = aliased(AlertNotice)
    taken = select(col(later.id)).where(
        col(later.route) == col(AlertNotice.route), col(later.sent_at) >= col(AlertNotice.created_at)
    )
    waits = (col(AlertNotice.status) == NoticeStatus.WAITING) & (col(AlertNotice.attempts) >= attempts)
    given_up = (col(AlertNotice.status) == NoticeStatus.FAILED) & ~taken.exists()
    lately = col(AlertNotice.created_at) > db_now(-within_s)
    found = select(col(AlertNotice.route), func.count()).where(lately, waits | given_up)
    return {route: count for route, count in session.execute(found.group_by(col(AlertNotice.route)))}  # noqa: C416
