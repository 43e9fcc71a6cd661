"""Evaluating every alert rule with 1,000,000 jobs and 6,000,000 tasks in PostgreSQL, and 60,000 webhooks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from crowd import crowd, crowd_told
from servers import Postgres

from bench.result import Result
from mill_common.alerts import Rule, Surroundings, evaluate, record
from mill_common.migrations import migrate
from mill_common.resources import Resources, open_resources
from mill_common.settings import Settings
from mill_watchdog.rules import all_rules

JOBS = 1_000_000
TASKS = 6
ROUNDS = 11


def run(folder: Path) -> list[Result]:
    """The median of some rounds, the rows of the alerts written, too."""
    with (
        Postgres() as server,
        server.database() as url,
        closing(open_resources(Settings(data_dir=folder, database_url=url))) as resources,
    ):
        migrate(resources.database)
        crowd(resources.database, jobs=JOBS, tasks=TASKS)
        crowd_told(resources.database)
        rules = all_rules(resources.settings)
        seconds = median(_round(resources, rules) for _ in range(ROUNDS))
    return [Result("alert_rules", seconds, "s", 1.0, f"{JOBS:,} jobs of {TASKS} tasks")]


def _round(resources: Resources, rules: Sequence[Rule]) -> float:
    began = time.perf_counter()
    found = evaluate(resources, rules, Surroundings(host="bench"))
    resources.database.run(lambda session: record(session, found, resources.settings))
    assert None not in found.values(), "a rule failed"
    return time.perf_counter() - began
