"""Which notices are due: alerts of one group come together, and nobody is told the same twice too soon."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from mill_common.alerts import facts_of, matches
from mill_common.clock import db_now
from mill_common.models import Alert, AlertGroup, AlertLevel, AlertNotice, AlertSilence, AlertStatus
from mill_common.runs.ledger import now as db_time
from mill_common.settings import Settings
from mill_watchdog.routes import Route
from mill_watchdog.wording import body_of, title_of

Key = tuple[str, str]  # route and group


def write_notices(session: Session, routes: Sequence[Route], settings: Settings) -> int:
    """Write down the notices that are due. Returns how many.

    Two watchdogs that do this at once write each notice once: the later one waits for the groups' rows.
    """
    named = {route.name: route for route in routes}
    telling = _Telling(session, named, active_silences(session), settings, db_time(session))
    groups = {(row.route, row.key): row for row in _rows(session, named)}
    firing = telling.firing()
    for route, key in firing.keys() - groups.keys():
        _begin(session, route, key, settings)
    due = [(group, firing.get(key, [])) for key, group in groups.items() if group.flush_at <= telling.now]
    notices = [notice for group, alerts in due if (notice := telling.flush(group, alerts))]
    session.add_all(notices)
    return len(notices)


def active_silences(session: Session) -> list[dict[str, str]]:
    """The matchers of the silences that hold now."""
    holds = (col(AlertSilence.starts_at) <= db_now(), col(AlertSilence.expires_at) > db_now())
    return list(session.scalars(select(col(AlertSilence.matchers)).where(*holds)))


def _rows(session: Session, named: Mapping[str, Route]) -> Sequence[AlertGroup]:
    rows = (
        select(AlertGroup).where(col(AlertGroup.route).in_(named)).order_by(col(AlertGroup.route), col(AlertGroup.key))
    )
    return session.scalars(rows.with_for_update().execution_options(populate_existing=True)).all()


def _begin(session: Session, route: str, key: str, settings: Settings) -> None:
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    new = insert(AlertGroup).values(route=route, key=key, told=[], flush_at=db_now(settings.alert_group_wait_s))
    session.execute(new.on_conflict_do_nothing())


@dataclass(frozen=True)
class _Telling:
    """One look at what to tell."""

    session: Session
    routes: Mapping[str, Route]
    silences: Sequence[Mapping[str, str]]
    settings: Settings
    now: datetime

    def firing(self) -> dict[Key, list[Alert]]:
        """What fires and is neither explained by something else nor silenced, by route and group."""
        labels = [label.strip() for label in self.settings.alert_group_by.split(",") if label.strip()]
        told_of = select(Alert).where(col(Alert.status) == AlertStatus.FIRING, col(Alert.inhibited_by).is_(None))
        groups: dict[Key, list[Alert]] = defaultdict(list)
        for alert in self.session.scalars(told_of.order_by(col(Alert.id))):
            if self._is_silenced(alert):
                continue
            facts = facts_of(alert)
            key = ",".join(f"{label}={facts.get(label, '')}" for label in labels)[:255]
            for route in self.routes.values():
                if route.takes(alert):
                    groups[route.name, key].append(alert)
        return groups

    def flush(self, group: AlertGroup, firing: Sequence[Alert]) -> AlertNotice | None:
        """The notice that a group needs now, if it needs one; its row remembers what was told."""
        told = _read(group.told)
        open_ids = {str(alert.id) for alert in firing}
        unseen = [alert for alert in firing if alert.acknowledged_at is None]
        resolved, still = _since(self.session, told.keys() - open_ids)
        over = [alert for alert in resolved if self.routes[group.route].resolved and not self._is_silenced(alert)]
        group.flush_at = self.now + timedelta(seconds=self.settings.alert_group_interval_s)
        if any(_is_news(alert, told) for alert in unseen) or over or (unseen and self._is_due_again(group)):
            worst = {
                str(alert.id): max(alert.level, told.get(str(alert.id), alert.level), key=_rank) for alert in firing
            }
            group.told = _written({**{name: told[name] for name in still}, **worst})
            group.sent_at = self.now
            return _notice(group, firing, over)
        group.told = _written({name: level for name, level in told.items() if name in open_ids | still})
        if not (firing or group.told):
            self.session.delete(group)
        return None

    def _is_due_again(self, group: AlertGroup) -> bool:
        return group.sent_at is None or self.now - group.sent_at >= timedelta(seconds=self.settings.alert_repeat_s)

    def _is_silenced(self, alert: Alert) -> bool:
        facts = facts_of(alert)
        return any(matches(matchers, facts) for matchers in self.silences)


def _read(told: Sequence[str]) -> dict[str, AlertLevel]:
    """The worst level that was told of each alert, by its id."""
    each = (entry.partition(" ") for entry in told)
    return {name: AlertLevel(level or AlertLevel.CRITICAL) for name, _, level in each}


def _written(told: Mapping[str, AlertLevel]) -> list[str]:
    return sorted(f"{name} {level}" for name, level in told.items())


def _is_news(alert: Alert, told: Mapping[str, AlertLevel]) -> bool:
    """Whether an alert was not told of yet, or is worse than it ever was when it was."""
    before = told.get(str(alert.id))
    return before is None or alert.level.rank > before.rank


def _rank(level: AlertLevel) -> int:
    return level.rank


def _since(session: Session, gone: set[str]) -> tuple[list[Alert], set[str]]:
    """Of alerts that are not told of any more: those that were resolved, and the ids of those that are only muted."""
    rows = session.scalars(select(Alert).where(col(Alert.id).in_([UUID(each) for each in gone]))).all() if gone else []
    resolved = [row for row in rows if row.status is AlertStatus.RESOLVED]
    return resolved, {str(row.id) for row in rows if row.status is not AlertStatus.RESOLVED}


def _notice(group: AlertGroup, firing: Sequence[Alert], resolved: Sequence[Alert]) -> AlertNotice:
    worst = max((alert.level for alert in firing or resolved), key=_rank)
    return AlertNotice(
        route=group.route,
        key=group.key,
        level=worst,
        resolved=not firing,
        title=title_of(firing, resolved),
        body=body_of(firing, resolved),
        alerts=[str(alert.id) for alert in (*firing, *resolved)],
    )
