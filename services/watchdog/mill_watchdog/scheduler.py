"""Fires what is due and takes over what a dead watchdog left."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError

from mill_common.metrics.instruments import RUN_SECONDS, RUNS
from mill_common.resources import Resources
from mill_common.runs import Result, Run, RunClaim, begin_now, do, due, fire, register, take_over
from mill_common.runs.ledger import now
from mill_common.worker import worker_name
from mill_watchdog.checkins import checked_in
from mill_watchdog.cron import Cron
from mill_watchdog.schedules import SWEEPS, Sweep

log = structlog.get_logger(__name__)


class Scheduler:
    """The schedules of one watchdog. Any number may share a database: a fire is one row, and one of them has it."""

    def __init__(self, resources: Resources, stopping: threading.Event, sweeps: Mapping[str, Sweep] = SWEEPS) -> None:
        self.worker = worker_name("watchdog")
        self._resources = resources
        self._database = resources.database
        self._settings = resources.settings
        self._stopping = stopping
        self._sweeps = sweeps
        self._registered = False

    def tick(self, *, may_judge: bool = True) -> None:
        """Do every run that is due, and with `may_judge` every run whose watchdog has died."""
        self._register()
        while may_judge and not self._stopping.is_set():
            claim = self._database.run(partial(take_over, worker=self.worker, lease_s=self._settings.lease_s))
            if claim is None:
                break
            log.info("run_taken_over", schedule=claim.schedule, epoch=claim.epoch)
            self._do(claim)
        with self._database.read() as session:
            names = due(session)
        for name in names:
            if name in self._sweeps and not self._stopping.is_set() and (claim := self._fire(name)):
                self._do(claim)

    def run_now(self, name: str, parameters: Mapping[str, Any] | None = None) -> Result | None:
        """Do one schedule's work at once; None if it failed, and its row says why."""
        begin = partial(begin_now, name=name, worker=self.worker, lease_s=self._settings.lease_s, parameters=parameters)
        return self._do(self._database.run(begin))

    def _register(self) -> None:
        # Once a process, so that two watchdogs of different settings do not overrule each other for ever.
        if self._registered:
            return
        for sweep in self._sweeps.values():
            try:
                self._database.run(partial(self._write, sweep=sweep))
            except IntegrityError:  # another watchdog registers it, too
                self._database.run(partial(self._write, sweep=sweep))
        self._registered = True

    def _write(self, session: Any, sweep: Sweep) -> None:
        cron = self._cron(sweep)
        following = cron.next_after(now(session))
        register(session, sweep.name, cron=cron.expression, timezone=cron.timezone, next_at=following)

    def _fire(self, name: str) -> RunClaim | None:
        cron = self._cron(self._sweeps[name])
        lease_s = self._settings.lease_s
        try:
            return self._database.run(
                partial(fire, name=name, worker=self.worker, lease_s=lease_s, next_after=cron.next_after)
            )
        except IntegrityError:
            # The time was set back by hand, and this very fire is done: on to the next one.
            return None

    def _do(self, claim: RunClaim) -> Result | None:
        def work(run: Run) -> Result:
            return self._sweeps[claim.schedule].work(self._resources, run)

        times = {"lease_s": self._settings.lease_s, "heartbeat_s": self._settings.heartbeat_s}
        beginning = checked_in(self._database, claim, self._cron(self._sweeps[claim.schedule]))
        with RUN_SECONDS.labels(claim.schedule).time(), beginning:
            result = do(self._database, claim, work, **times, stopping=self._stopping)
        RUNS.labels(claim.schedule, "failed" if result is None else "completed").inc()
        return result

    def _cron(self, sweep: Sweep) -> Cron:
        return Cron(sweep.cron, self._settings.schedule_timezone)
