"""From what the rules find to what the rows say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from mill_common.alerts.finding import Finding, fingerprint
from mill_common.alerts.matching import facts_of
from mill_common.alerts.rules import Inhibition, Rule, Surroundings, View
from mill_common.ids import uuid7
from mill_common.models import Alert, AlertStatus
from mill_common.models.alerts import OPEN
from mill_common.resources import Resources
from mill_common.runs.ledger import now as db_time
from mill_common.settings import Settings

log = structlog.get_logger(__name__)

FORGOTTEN = timedelta(hours=1)  # an alert whose rule nobody has any more ends after so long
Found = Mapping[Rule, Sequence[Finding] | None]  # None: the rule could not be evaluated
_OPEN = (AlertStatus.FIRING, AlertStatus.PENDING)


def evaluate(
    resources: Resources, rules: Iterable[Rule], surroundings: Surroundings
) -> dict[Rule, list[Finding] | None]:
    """Ask every rule. One that fails does not keep the others from being asked."""
    with resources.database.read() as session:
        view = View(session=session, resources=resources, now=db_time(session), surroundings=surroundings)
        return {rule: _ask(rule, view) for rule in rules}


def record(session: Session, found: Found, settings: Settings) -> dict[str, int]:
    """Bring the rows in line with what was found. Returns how many alerts began to fire and how many were resolved.

    Two watchdogs that do this at the same time write each alert once: the later one waits for the rows.
    """
    now = db_time(session)
    rows = {row.fingerprint: row for row in _open_rows(session)}
    before = {row.id: row.status for row in rows.values()}
    seen: set[str] = set()
    for rule, findings in found.items():
        known = {fingerprint(rule.type, finding.labels): finding for finding in findings or ()}
        seen |= known.keys()
        for mark, finding in known.items():
            row = rows.get(mark) or _insert(session, rule.type, mark, finding, now)
            if row is not None:
                rows[mark] = row
                _hold(row, finding, now, rule.for_s(settings))
    asked = {rule.type for rule, findings in found.items() if findings is not None}
    unknown = {rule.type for rule, findings in found.items() if findings is None}
    for row in rows.values():
        if _is_over(row, seen, asked, unknown, now):
            _end(session, row, now)
    _inhibit([row for row in rows.values() if row.status is AlertStatus.FIRING], found)
    return {
        "fired": sum(
            row.status is AlertStatus.FIRING and before.get(row.id) is not row.status for row in rows.values()
        ),
        "resolved": sum(row.status is AlertStatus.RESOLVED for row in rows.values()),
    }


def _ask(rule: Rule, view: View) -> list[Finding] | None:
    try:
        return list(rule.find(view))
    except Exception as error:
        log.warning("rule_failed", rule=rule.type, error=type(error).__name__, exc_info=error)
        view.session.rollback()  # a statement that fails spoils the rest of its transaction
        return None


def _open_rows(session: Session) -> Sequence[Alert]:
    rows = select(Alert).where(col(Alert.status).in_(_OPEN)).order_by(col(Alert.id)).with_for_update()
    return session.scalars(rows.execution_options(populate_existing=True)).all()


def _insert(session: Session, kind: str, mark: str, finding: Finding, now: datetime) -> Alert | None:
    """A new row, pending; None if another watchdog has written it meanwhile."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    values: dict[str, Any] = {
        **finding.columns(),
        "id": uuid7(),
        "fingerprint": mark,
        "type": kind,
        "status": AlertStatus.PENDING,
        "labels": dict(finding.labels),
        "created_at": now,
        "seen_at": now,
    }
    new = insert(Alert).values(**values)
    new = new.on_conflict_do_nothing(index_elements=["fingerprint"], index_where=text(OPEN))
    return session.scalars(new.returning(Alert)).one_or_none()


def _hold(row: Alert, finding: Finding, now: datetime, for_s: float) -> None:
    for name, value in finding.columns().items():
        setattr(row, name, value)
    row.seen_at = now
    if row.status is AlertStatus.PENDING and (now - row.created_at).total_seconds() >= for_s:
        row.status, row.fired_at = AlertStatus.FIRING, now


def _is_over(row: Alert, seen: set[str], asked: set[str], unknown: set[str], now: datetime) -> bool:
    if row.ends_at is not None:
        return row.ends_at <= now
    if row.fingerprint in seen or row.type in unknown:
        return False
    return row.type in asked or now - row.seen_at > FORGOTTEN


def _end(session: Session, row: Alert, now: datetime) -> None:
    if row.status is AlertStatus.PENDING:
        session.delete(row)  # it never fired: nobody needs to know
    else:
        row.status, row.resolved_at, row.inhibited_by = AlertStatus.RESOLVED, now, None


def _inhibit(firing: Sequence[Alert], found: Found) -> None:
    sources: list[tuple[Alert, Inhibition]] = [
        (row, inhibition) for rule in found for inhibition in rule.inhibits for row in firing if row.type == rule.type
    ]
    for row in firing:
        by = next((source.type for source, inhibition in sources if _explains(source, inhibition, row)), None)
        if row.inhibited_by != by:
            row.inhibited_by = by


def _explains(source: Alert, inhibition: Inhibition, row: Alert) -> bool:
    if row.type not in inhibition.types or row.type == source.type:
        return False
    cause, symptom = facts_of(source), facts_of(row)
    return all(cause.get(name) == symptom.get(name) for name in inhibition.equal)
