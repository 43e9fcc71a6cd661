"""What the rules ask PostgreSQL, and how it finds the answers among many jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from crowd import crowd, crowd_told
from sqlalchemy import event

from mill_common.alerts import Surroundings, evaluate
from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.resources import Resources, open_resources
from mill_common.settings import Settings
from mill_watchdog.rules import all_rules

BIG = {"job", "task", "attempt", "webhook_endpoint", "webhook_delivery", "usage"}


@pytest.fixture
def crowded(postgres_url: str, tmp_path: Path) -> Iterator[Resources]:
    with closing(open_resources(Settings(data_dir=tmp_path, database_url=postgres_url))) as resources:
        migrate(resources.database)
        crowd(resources.database, jobs=10_000, tasks=3)
        crowd_told(resources.database)
        yield resources


def test_no_rule_reads_all_jobs_tasks_or_attempts(crowded: Resources) -> None:
    """P3: rules stay quick however many jobs there are, because each has an index to go by."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(crowded.database.engine, "before_cursor_execute", note)
    found = evaluate(crowded, all_rules(crowded.settings), Surroundings(host="here"))
    event.remove(crowded.database.engine, "before_cursor_execute", note)
    assert None not in found.values()
    assert "webhook_endpoint" in {rule.type for rule, findings in found.items() if findings}
    of_rows = [each for each in asked if any(table in each[0] for table in BIG)]
    assert len(of_rows) >= 11
    for statement, parameters in of_rows:
        assert not _read_whole(crowded.database, statement, parameters), statement


def test_the_check_itself_notices_a_table_that_is_read_whole(crowded: Resources) -> None:
    assert _read_whole(crowded.database, "SELECT max(attempts) FROM task", {}) == {"task"}


def _read_whole(database: Database, statement: str, parameters: Any) -> set[str]:
    with database.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    return set(_sequential(plan if isinstance(plan, list) else json.loads(plan))) & BIG


def _sequential(plan: Any) -> Iterator[str]:
    if isinstance(plan, list):
        for part in plan:
            yield from _sequential(part)
    elif isinstance(plan, dict):
        if plan.get("Node Type") == "Seq Scan":
            yield plan["Relation Name"]
        for part in plan.values():
            yield from _sequential(part)
