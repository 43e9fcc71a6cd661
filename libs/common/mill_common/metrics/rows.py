"""What the rows say: how deep the queues are and who works."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from mill_common.database import Database
from mill_common.depths import COUNTED, queue_depths
from mill_common.health.workers import seen_workers

log = structlog.get_logger(__name__)

KEPT_S = 5.0  # several who ask at once share one look


class RowsCollector(Collector):
    """Gauges of the whole system. Every process that shows them shows the same: take `max`, never `sum`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: Sequence[Metric] = ()
        self._good_until = 0.0

    def describe(self) -> Iterable[Metric]:
        """Nothing, or registering would already ask the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The gauges, at most `KEPT_S` seconds old; without a database only that it is gone."""
        with self._lock:
            if time.monotonic() >= self._good_until:
                self._known = self._look()
                self._good_until = time.monotonic() + KEPT_S
            return self._known

    def _look(self) -> Sequence[Metric]:
        up = GaugeMetricFamily("mill_database_up", "Whether the database answered the latest question.")
        try:
            found = [self._queues(), self._oldest(), self._workers()]
        except SQLAlchemyError as error:
            log.warning("metrics_without_rows", error=type(error).__name__)
            found = []
        up.add_metric([], float(bool(found)))
        return [up, *found]

    def _queues(self) -> Metric:
        tasks = GaugeMetricFamily(
            "mill_queue_tasks", f"Tasks by queue and state; at {COUNTED} the count stops.", labels=["queue", "state"]
        )
        with self._database.read() as session:
            self._depths = queue_depths(session)
        for depth in self._depths:
            for state in ("waiting", "running", "failed"):
                tasks.add_metric([depth.queue, state], getattr(depth, state))
        return tasks

    def _oldest(self) -> Metric:
        oldest = GaugeMetricFamily(
            "mill_queue_oldest_task_age_seconds",
            "The longest wait of a due task that is its owner's next.",
            labels=["queue"],
        )
        for depth in self._depths:
            oldest.add_metric([depth.queue], depth.oldest_s)
        return oldest

    def _workers(self) -> Metric:
        workers = GaugeMetricFamily("mill_workers", "Workers by service and state.", labels=["service", "state"])
        counted = Counter(
            (worker.service, worker.state.value if worker.lives else "lost") for worker in seen_workers(self._database)
        )
        for (service, state), count in sorted(counted.items()):
            workers.add_metric([service, state], count)
        return workers
