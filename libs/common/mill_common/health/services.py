"""Which checks each service makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from mill_common.health.broker import broker_finding
from mill_common.health.checkup import Checkup
from mill_common.health.database import database_finding
from mill_common.health.log_files import log_files_finding
from mill_common.health.machine import machine_finding
from mill_common.health.queues import pipeline_finding, queues_finding
from mill_common.health.report import Check, Finding
from mill_common.health.schedules import schedules_finding
from mill_common.health.scratch import scratch_finding
from mill_common.health.storage import storage_finding
from mill_common.health.thresholds import Thresholds
from mill_common.health.workers import KINDS, TOLD, told_finding, workers_finding
from mill_common.machine import CpuMeter
from mill_common.resources import Resources
from mill_common.settings import Settings

Tools = Mapping[str, Callable[[Settings], Finding]]
"""What a worker runs or loads, by component, and how to find out whether it does."""


def checkup(resources: Resources, *, tools: Tools | None = None, whole: bool = False) -> Checkup:
    """A process's checks: a worker's `tools` on its own machine, and with `whole` the system's as its rows tell."""
    settings = resources.settings
    checks = [*_dependencies(resources), *_machine(settings)]
    if tools is not None:
        checks += [Check(name, partial(look, settings), essential=not whole) for name, look in tools.items()]
        checks.append(_scratch(settings, essential=not whole))
    if whole:
        own = {check.component for check in checks}
        checks += [check for check in _system(resources) if check.component not in own]
    return Checkup(checks, limit_s=settings.health_limit_s, keep_s=settings.health_cache_s)


def _dependencies(resources: Resources) -> list[Check]:
    thresholds = Thresholds.of(resources.settings)
    return [
        Check("database", partial(database_finding, resources.database, thresholds), essential=True),
        # Not essential: without wake-ups everybody goes on by looking.
        Check("redis", partial(broker_finding, resources.settings.broker_url, thresholds)),
        Check("storage", partial(storage_finding, resources.store), essential=True),
    ]


def _machine(settings: Settings) -> list[Check]:
    meter, thresholds = CpuMeter(), Thresholds.of(settings)
    return [
        Check("system_resources", partial(machine_finding, meter, settings.scratch, thresholds)),
        Check("log_files", partial(log_files_finding, settings)),
    ]


def _scratch(settings: Settings, *, essential: bool) -> Check:
    look = partial(scratch_finding, settings.scratch, enough=settings.scratch_free_bytes)
    return Check("scratch", look, essential=essential)


def _system(resources: Resources) -> list[Check]:
    database, settings = resources.database, resources.settings
    return [
        *(Check(kind, partial(workers_finding, database, kind)) for kind in KINDS),
        *(Check(component, partial(told_finding, database, component)) for component in TOLD),
        Check("queues", partial(queues_finding, database, settings)),
        Check("pipeline", partial(pipeline_finding, database, settings)),
        Check("schedules", partial(schedules_finding, database)),
    ]
