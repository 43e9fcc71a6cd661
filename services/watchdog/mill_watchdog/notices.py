"""Notices are sent, and sent again if they were not taken: each by one watchdog at a time."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import apprise
import structlog
from sqlalchemy import select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.models import AlertLevel, AlertNotice, NoticeStatus
from mill_common.settings import Settings
from mill_watchdog.routes import Route

log = structlog.get_logger(__name__)

# Its words may hold an address; they go into the notice's row, scrubbed, and nowhere else.
logging.getLogger("apprise").propagate = False
LEASE_S = 120.0  # how long one attempt may take before another watchdog makes the next
CAP_S = 900.0
_KINDS = {
    AlertLevel.INFO: apprise.NotifyType.INFO,
    AlertLevel.WARNING: apprise.NotifyType.WARNING,
    AlertLevel.ERROR: apprise.NotifyType.FAILURE,
    AlertLevel.CRITICAL: apprise.NotifyType.FAILURE,
}


class Courier:
    """Sends what is due to the routes that this watchdog knows."""

    def __init__(self, database: Database, routes: Sequence[Route], settings: Settings) -> None:
        self._database = database
        self._routes: Mapping[str, Route] = {route.name: route for route in routes}
        self._settings = settings

    def deliver(self) -> int:
        """Send every notice that is due, once each. Returns how many were taken."""
        taken = 0
        while self._routes and (notice := self._database.run(partial(_claim, routes=sorted(self._routes)))):
            error = _send(self._routes[notice.route], notice)
            taken += error is None
            self._database.run(partial(self._settle, notice=notice, error=error))
            log.info("notice", route=notice.route, attempt=notice.attempts, error=error)
        return taken

    def _settle(self, session: Session, notice: AlertNotice, error: str | None) -> None:
        values: dict[str, Any] = {"error": error}
        if error is None:
            values |= {"status": NoticeStatus.SENT, "sent_at": db_now()}
        elif notice.attempts >= self._settings.alert_attempts:
            values["status"] = NoticeStatus.FAILED
        else:
            ceiling = min(CAP_S, self._settings.alert_retry_s * 2.0 ** (notice.attempts - 1))
            values["next_at"] = db_now(ceiling * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries
        ours = (col(AlertNotice.id) == notice.id) & (col(AlertNotice.attempts) == notice.attempts)
        session.execute(update(AlertNotice).where(ours).values(**values))


def _claim(session: Session, routes: Sequence[str]) -> AlertNotice | None:
    waiting = col(AlertNotice.status) == NoticeStatus.WAITING
    due = (
        select(col(AlertNotice.id))
        .where(waiting, col(AlertNotice.next_at) <= db_now(), col(AlertNotice.route).in_(routes))
        .order_by(col(AlertNotice.next_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    taken = update(AlertNotice).where(col(AlertNotice.id) == due.scalar_subquery())
    counted = taken.values(attempts=AlertNotice.attempts + 1, next_at=db_now(LEASE_S))
    return session.scalars(counted.returning(AlertNotice)).one_or_none()


def _send(route: Route, notice: AlertNotice) -> str | None:
    """Why the notice was not taken; None if it was."""
    receiver = apprise.Apprise()
    receiver.add(route.url.get_secret_value())
    kind = apprise.NotifyType.SUCCESS if notice.resolved else _KINDS[notice.level]
    try:
        with apprise.LogCapture(level=apprise.logging.WARNING, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]
            if receiver.notify(title=notice.title, body=notice.body, notify_type=kind):
                return None
            reason = said.getvalue()
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and its words may hold the address
        reason = type(error).__name__
    return route.scrub(" ".join(reason.split()))[:500] or "It was not taken."
