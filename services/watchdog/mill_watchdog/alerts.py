"""Alerts as a watchdog does them: look, write down, tell."""

from __future__ import annotations

from functools import partial

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mill_common.alerts import evaluate, prune, record
from mill_common.clock import db_now
from mill_common.metrics.instruments import ALERTS
from mill_common.models import AlertTurn
from mill_common.resources import Resources
from mill_common.runs import Result, Run
from mill_watchdog.grouping import write_notices
from mill_watchdog.lifeline import send_heartbeat
from mill_watchdog.notices import Courier
from mill_watchdog.routes import routes_of
from mill_watchdog.rules import all_rules
from mill_watchdog.surroundings import Lookout

log = structlog.get_logger(__name__)

EVALUATE = "evaluate"
HEARTBEAT = "heartbeat"
LATELY_S = 60.0  # rules that were evaluated within so long are watched


class Alerts:
    """Evaluates the rules and sends the notices.

    Any number of watchdogs may do so: a turn is taken by one of them, a condition is open once, a notice is written
    once and sent by whoever claims it.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._database = resources.database
        self._settings = resources.settings
        self._routes = routes_of(resources.settings)
        self._rules = all_rules(resources.settings)
        self._lookout = Lookout(resources)
        self._courier = Courier(resources.database, self._routes, resources.settings)

    def tick(self) -> None:
        """Evaluate the rules if it is this watchdog's turn, and then say that alerts are watched."""
        if self._takes_turn(EVALUATE, self._settings.alert_every_s):
            self.watch()
            self._database.run(_end_turn)
        # If the rules hang or fail, here or in another watchdog, the outside hears nothing.
        every_s = self._settings.alert_heartbeat_s
        if self._settings.alert_heartbeat_url and self._is_watched() and self._takes_turn(HEARTBEAT, every_s):
            send_heartbeat(self._settings)

    def watch(self) -> None:
        """Evaluate the rules once, and write down what to tell whom."""
        found = evaluate(self._resources, self._rules, self._lookout.look())
        changed = self._database.run(lambda session: record(session, found, self._settings))
        if any(changed.values()):
            log.info("alerts_changed", **changed)
        for change, count in changed.items():
            ALERTS.labels(change).inc(count)
        self._database.run(lambda session: write_notices(session, self._routes, self._settings))

    def tell(self) -> None:
        """Send the notices that are due."""
        self._courier.deliver()

    def _is_watched(self) -> bool:
        lately = db_now(-max(LATELY_S, 4 * self._settings.alert_every_s))
        done = select(col(AlertTurn.name)).where(col(AlertTurn.name) == EVALUATE, col(AlertTurn.done_at) > lately)
        with self._database.read() as session:
            return session.scalar(done) is not None

    def _takes_turn(self, name: str, every_s: float) -> bool:
        try:
            return self._database.run(partial(_take_turn, name=name, every_s=every_s))
        except IntegrityError:  # another watchdog takes the very first turn
            return False


def prune_alerts(resources: Resources, run: Run) -> Result:
    """Forget resolved alerts but the newest `alert_keep`, old notices and expired silences."""
    gone = resources.database.run(lambda session: prune(session, keep=resources.settings.alert_keep))
    run.count(succeeded=gone)
    return {"deleted_count": gone}


def _end_turn(session: Session) -> None:
    session.execute(update(AlertTurn).where(col(AlertTurn.name) == EVALUATE).values(done_at=db_now()))


def _take_turn(session: Session, name: str, every_s: float) -> bool:
    due = update(AlertTurn).where(col(AlertTurn.name) == name, col(AlertTurn.next_at) <= db_now())
    taken = due.values(next_at=db_now(every_s)).returning(col(AlertTurn.name))
    if session.scalar(taken) is not None:
        return True
    if session.get(AlertTurn, name) is not None:
        return False
    session.add(AlertTurn(name=name))
    session.flush()
    session.execute(update(AlertTurn).where(col(AlertTurn.name) == name).values(next_at=db_now(every_s)))
    return True
