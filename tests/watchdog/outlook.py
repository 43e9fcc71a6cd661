"""A watchdog's alerts in this process, and what is written of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.desk import Desk
from sqlalchemy import delete, insert, select, update
from sqlmodel import col

from mill_common.alerts import Rule, Surroundings, evaluate, record
from mill_common.clock import db_now
from mill_common.ids import uuid7
from mill_common.models import Alert, AlertNotice, AlertStatus, SystemSample
from mill_common.resources import Resources
from mill_common.workers import Worker, WorkerState
from mill_watchdog.grouping import write_notices
from mill_watchdog.routes import Route, routes_of
from mill_watchdog.rules import all_rules


class Outlook:
    """Evaluates rules when a test says so. Nothing is wrong around it unless the test says so."""

    def __init__(self, resources: Resources, rules: Sequence[Rule] | None = None) -> None:
        self.resources = resources
        self.database = resources.database
        self.settings = resources.settings
        self.rules = list(rules if rules is not None else all_rules(resources.settings))
        self.routes: list[Route] = routes_of(resources.settings)
        self.desk = Desk(resources.database, resources.queue.policy)
        self.around = Surroundings(host="here")
        self.failing_rules: set[str] = set()  # a rule that fails says as little as one that finds nothing

    def look(self) -> dict[str, int]:
        """Evaluate the rules once and write down what to tell."""
        found = evaluate(self.resources, self.rules, self.around)
        failed = {rule.type for rule, findings in found.items() if findings is None}
        assert failed == self.failing_rules
        changed = self.database.run(lambda session: record(session, found, self.settings))
        self.database.run(lambda session: write_notices(session, self.routes, self.settings))
        return changed

    def alerts(self, kind: str | None = None, status: AlertStatus | None = None) -> list[Alert]:
        """The rows, the oldest first."""
        with self.database.read() as session:
            rows = session.scalars(select(Alert).order_by(col(Alert.id))).all()
        return [row for row in rows if kind in (None, row.type) and status in (None, row.status)]

    def firing(self) -> list[str]:
        """The types that fire."""
        return sorted(row.type for row in self.alerts(status=AlertStatus.FIRING))

    def notices(self) -> list[AlertNotice]:
        """What was to be sent, the first one first."""
        with self.database.read() as session:
            return list(session.scalars(select(AlertNotice).order_by(col(AlertNotice.id))))

    def pass_time(self, table: type[Any], seconds: float, *columns: str) -> None:
        """Let a table's times lie further back."""
        with self.database.write() as session:
            for row in session.scalars(select(table)):
                key = table.__mapper__.primary_key_from_instance(row)
                older = {name: at for name in columns if (at := getattr(row, name)) is not None}
                from datetime import timedelta

                values = {name: at - timedelta(seconds=seconds) for name, at in older.items()}
                this = [column == value for column, value in zip(table.__mapper__.primary_key, key, strict=True)]
                if values:
                    session.execute(update(table).where(*this).values(**values))

    def worker(self, queue: str = "transcode", **values: Any) -> None:
        """A worker that was just heard of."""
        row = Worker(name="w", service="s", queue=queue, host="there", pid=1, version="1", slots=1)
        facts = row.model_dump(exclude={"started_at", "heartbeat_at", "stopped_at"}) | values
        with self.database.write() as session:
            session.execute(insert(Worker).values(**facts))

    def sample(self, *, ago_s: float = 0.0, **values: Any) -> None:
        """What a service on a host said of it."""
        shares = dict.fromkeys(("cpu_percent", "memory_percent", "disk_percent"), 1.0)
        facts = {"service": "api", "host": "there", "pid": 1, "active_tasks": 0, "scratch_bytes": 0, **shares, **values}
        with self.database.write() as session:
            session.execute(insert(SystemSample).values(id=uuid7(), taken_at=db_now(-ago_s), **facts))

    def silence_hosts(self) -> None:
        """Let no service have said anything of its host."""
        with self.database.write() as session:
            session.execute(delete(SystemSample))

    def no_workers(self) -> None:
        """Let every worker stop."""
        with self.database.write() as session:
            session.execute(update(Worker).values(stopped_at=db_now(), state=WorkerState.STOPPED))
