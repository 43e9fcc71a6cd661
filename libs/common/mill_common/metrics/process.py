"""What this process knows of itself when it is asked: its connections, and what its last checkup found."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mill_common.database import Database
from mill_common.health.checkup import Checkup
from mill_common.health.database import pool_figures
from mill_common.health.report import ORDER


class PoolCollector(Collector):
    """Connections to the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[Metric]:
        """In use, idle, and how many there may be."""
        figures = pool_figures(self._database)
        pool = GaugeMetricFamily("mill_database_pool_connections", "Connections of this process.", labels=["state"])
        pool.add_metric(["in_use"], figures["in_use"])
        pool.add_metric(["idle"], figures["idle"])
        yield pool
        limit = GaugeMetricFamily("mill_database_pool_limit", "How many connections this process may open.")
        limit.add_metric([], figures["limit"])
        yield limit


class HealthCollector(Collector):
    """The last checkup. It makes none: that would take seconds while something is broken."""

    def __init__(self, checkup: Checkup) -> None:
        self._checkup = checkup

    def collect(self) -> Iterable[Metric]:
        """A number for each check, and one for the whole."""
        statuses = ", ".join(f"{number} {status.value}" for number, status in enumerate(ORDER))
        checks = GaugeMetricFamily("mill_health_status", f"By check: {statuses}.", labels=["component"])
        if report := self._checkup.last:
            for check in report.checks:
                checks.add_metric([check.component], ORDER.index(check.status))
            checks.add_metric(["overall"], ORDER.index(report.overall_status))
        yield checks
