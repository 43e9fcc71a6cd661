"""The loops that repair the queue, keep the schedules and tell operators."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import sentry_sdk
import structlog
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError, SQLAlchemyError

from mill_common.errors import MillError
from mill_common.metrics.instruments import LEASES_EXPIRED, SWEEPS, WAKE_UPS_RESENT
from mill_common.resources import Resources
from mill_common.runs import Result, add_to_hour
from mill_watchdog.alerts import Alerts
from mill_watchdog.contact import Contact
from mill_watchdog.scheduler import Scheduler
from mill_watchdog.schedules import REPAIRS
from mill_watchdog.webhooks import Deliverer

log = structlog.get_logger(__name__)


class Watchdog:
    """Every `sweep_s` seconds: take tasks from dead workers, send lost wake-ups again, do what is due.

    Any number may run at once. What one of them has mended, the others no longer find. Repairs, schedules, rules,
    notices and webhooks have threads of their own, because a sweep that takes an hour must not keep a dead worker's
    task waiting.
    """

    def __init__(self, resources: Resources) -> None:
        settings = resources.settings
        self._resources = resources
        self._sweep_s = settings.sweep_s
        self._stopping = threading.Event()
        self._contact = Contact(resources.database, lease_s=settings.lease_s, sweep_s=settings.sweep_s)
        self._scheduler = Scheduler(resources, self._stopping)
        self._deliverer = Deliverer(resources)
        self._alerts = Alerts(resources)
        loops = {
            "watchdog": self.repair,
            "schedules": self.keep_schedules,
            "alerts": self._alerts.tick,
            "notices": self._alerts.tell,
        }
        self._threads = [
            threading.Thread(target=self._forever, args=(work,), name=name, daemon=True) for name, work in loops.items()
        ]

    def start(self) -> None:
        """Begin to watch; the first sweep is at once."""
        for thread in self._threads:
            thread.start()
        self._deliverer.start()

    def stop(self) -> None:
        """Finish the step at hand, hand back the run at hand, and stop."""
        self._stopping.set()
        self._deliverer.stop()
        for thread in self._threads:
            thread.join()

    def repair(self) -> None:
        """Repair what there is to repair in the queue, once."""
        self._contact.check()
        reaped = self._resources.queue.reap_expired() if self._contact.may_judge else 0
        found = {
            "leases_expired": reaped,
            "deadlines_passed": self._resources.queue.fail_overdue(),
            "wake_ups_resent": self._resources.queue.resend(),
        }
        LEASES_EXPIRED.inc(reaped)
        WAKE_UPS_RESENT.inc(found["wake_ups_resent"])
        if any(found.values()):
            log.info("swept", **found)
            self._note(found)
        self._contact.kept()

    def keep_schedules(self) -> None:
        """Do what is due, once."""
        self._scheduler.tick(may_judge=self._contact.may_judge)

    def deliver(self) -> None:
        """Send the webhooks that are due, once."""
        self._deliverer.once()

    def look_after_alerts(self) -> None:
        """Evaluate the rules if that is due, and send the notices that are."""
        self._alerts.tick()
        self._alerts.tell()

    def run_now(self, name: str, parameters: Mapping[str, Any] | None = None) -> Result | None:
        """Do one schedule's work at once; see `Scheduler.run_now`."""
        return self._scheduler.run_now(name, parameters)

    def _note(self, found: dict[str, int]) -> None:
        note = partial(add_to_hour, name=REPAIRS, worker=self._scheduler.worker, found=found)
        try:
            self._resources.database.run(note)
        except IntegrityError:  # another watchdog made the hour's row this moment
            self._resources.database.run(note)

    def _forever(self, work: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            outcome = "failed"
            try:
                work()
                outcome = "completed"
            except (SQLAlchemyError, MillError) as error:
                if isinstance(error, OperationalError | InterfaceError):
                    self._contact.lost()
                log.warning("sweep_failed", error=type(error).__name__)
            except Exception as error:
                # A watchdog that still runs but no longer watches would be the worst of all.
                log.exception("sweep_crashed", exc_info=error)
                sentry_sdk.capture_exception(error)
            SWEEPS.labels(threading.current_thread().name, outcome).inc()
            self._stopping.wait(self._sweep_s)


def watchdog(resources: Resources) -> Watchdog:
    """A watchdog over these resources."""
    return Watchdog(resources)
