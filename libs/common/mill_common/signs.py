"""What a process shows of itself, to whoever asks: that it lives, whether it can work, how it is, and its metrics."""

from __future__ import annotations

from dataclasses import dataclass

from mill_common.health.checkup import Checkup
from mill_common.health.readiness import Readiness
from mill_common.health.services import Tools, checkup
from mill_common.metrics import Exposition
from mill_common.resources import Resources


@dataclass(frozen=True)
class Signs:
    """Asked by the gateway's routes, and by a worker's own port."""

    readiness: Readiness
    checkup: Checkup
    exposition: Exposition


def signs_of(resources: Resources, *, tools: Tools | None = None, whole: bool = False) -> Signs:
    """A process's signs: with `tools` a worker's, with `whole` also those of the system that its rows tell of."""
    checks = checkup(resources, tools=tools, whole=whole)
    return Signs(Readiness(resources), checks, Exposition(resources, checks, rows=whole))
