"""Evaluating every alert rule with 1,000,000 jobs and 6,000,000 tasks in PostgreSQL."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from statistics import median

from crowd import crowd
from servers import Postgres

from bench.result import Result
from mill_common.alerts import Surroundings, evaluate, record
from mill_common.migrations import migrate
from mill_common.resources import Resources, open_resources
from mill_common.settings import Settings
from mill_watchdog.rules import all_rules

JOBS = 1_000_000
TASKS = 6
ROUNDS = 5


def run(folder: Path) -> list[Result]:
    """The median of some rounds, the rows of the alerts written, too."""
    with (
        Postgres() as server,
        server.database() as url,
        closing(open_resources(Settings(data_dir=folder, database_url=url))) as resources,
    ):
        migrate(resources.database)
        crowd(resources.database, jobs=JOBS, tasks=TASKS)
        seconds = median(_round(resources) for _ in range(ROUNDS))
    return [Result("alert_rules", seconds, "s", 1.0, f"{JOBS:,} jobs of {TASKS} tasks")]


def _round(resources: Resources) -> float:
    began = time.perf_counter()
    found = evaluate(resources, all_rules(resources.settings), Surroundings(host="bench"))
    resources.database.run(lambda session: record(session, found, resources.settings))
    assert None not in found.values(), "a rule failed"
    return time.perf_counter() - began
