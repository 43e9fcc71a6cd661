"""The page that Prometheus reads."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from mill_common.health.checkup import Checkup
from mill_common.metrics.instruments import REGISTRY
from mill_common.metrics.process import HealthCollector, PoolCollector
from mill_common.metrics.rows import RowsCollector
from mill_common.resources import Resources

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Exposition:
    """This process's metrics, with those of `resources`; with `rows` also those that the rows tell of everybody."""

    def __init__(self, resources: Resources, checkup: Checkup, *, rows: bool) -> None:
        self._of_resources = CollectorRegistry()
        self._of_resources.register(PoolCollector(resources.database))
        self._of_resources.register(HealthCollector(checkup))
        if rows:
            self._of_resources.register(RowsCollector(resources.database))

    def page(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(REGISTRY) + generate_latest(self._of_resources)
