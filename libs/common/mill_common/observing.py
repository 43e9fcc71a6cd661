"""What every service does besides its work, so that operators see how it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mill_common.chores import Chore, Chores
from mill_common.health.workers import Teller
from mill_common.resources import Resources
from mill_common.runtime_settings import LOOK_S, LogLevel
from mill_common.samples import Sampler
from mill_common.signs import Signs
from mill_common.signs_port import SignsPort

_EARLY = 0.75  # of a report's life: a new one is there before the old one is too old


@contextmanager
def observed(service: str, resources: Resources, signs: Signs, active: Callable[[], int]) -> Iterator[None]:
    """Show `signs` on the port that the settings name, look after them, take samples, and follow the log level.

    `active` says how many tasks the process runs.
    """
    settings = resources.settings
    sampler = Sampler(resources.database, settings, service, active)
    level = LogLevel(resources.database, settings.log_level)
    teller = Teller(resources.database)
    checkups_s = max(1.0, _EARLY * settings.health_cache_s)
    # A checkup takes as long as its slowest look, and nothing else waits for that.
    checkups = Chores([Chore("checkup", checkups_s, lambda: signs.checkup.report(fresh=True))])
    chores = Chores(
        [
            Chore("log_level", LOOK_S, level.follow),
            Chore("tell", LOOK_S, lambda: teller.tell(signs.checkup.last)),
            Chore("samples", settings.sample_s, sampler.sample),
        ]
    )
    port = SignsPort(signs, settings.signals_host, settings.signals_port) if settings.signals_port else None
    started: list[Chores | SignsPort] = [checkups, chores, *([port] if port else [])]
    for part in started:
        part.start()
    try:
        yield
    finally:
        for part in reversed(started):
            part.stop()
