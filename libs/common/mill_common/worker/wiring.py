"""How a service's worker is made from what a process has open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from mill_common.resources import Resources
from mill_common.settings import Settings
from mill_common.worker.context import Handler
from mill_common.worker.runner import Runner
from mill_common.worker.shift import Shift


class MakeRunner(Protocol):
    """Makes a service's worker."""

    def __call__(self, resources: Resources, shift: Shift | None = None) -> Runner: ...


def worker_of(
    service: str,
    queue_name: str,
    handlers: Mapping[str, Handler],
    capability: Callable[[Settings], Mapping[str, Any]],
) -> MakeRunner:
    """A service's worker, with as many slots as the setting `<service>_threads` says."""

    def make(resources: Resources, shift: Shift | None = None) -> Runner:
        settings = resources.settings
        return Runner(
            service=service,
            queue_name=queue_name,
            handlers=handlers,
            queue=resources.queue,
            store=resources.store,
            settings=settings,
            slots=getattr(settings, f"{service}_threads"),
            capability=lambda: capability(settings),
            shift=shift,
        )

    return make
