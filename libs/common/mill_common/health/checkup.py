"""Looks at everything at once, waits for none of it too long, and remembers what it saw."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from mill_common.errors import MillError
from mill_common.health.report import Check, Finding, Report, Result, Status, overall

log = structlog.get_logger(__name__)


class Checkup:
    """Checks of one process. A report is at most `keep_s` seconds old; each look may take `limit_s` seconds."""

    def __init__(self, checks: Sequence[Check], *, limit_s: float = 10.0, keep_s: float = 60.0) -> None:
        self._checks = checks
        self._limit_s = limit_s
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._report: Report | None = None
        self._good_until = 0.0
        self._under_way: dict[str, _Looking] = {}

    @property
    def last(self) -> Report | None:
        """The latest report, however old; None if nobody has looked yet."""
        return self._report

    def report(self, *, fresh: bool = False) -> Report:
        """What was found lately, or now. Whoever asks while others look waits for the same answer."""
        known = self._report
        if known is not None and not fresh and time.monotonic() < self._good_until:
            return known
        asked = time.monotonic()
        with self._lock:
            if self._report is None or asked >= self._good_until or fresh:
                self._report = self._look()
                self._good_until = time.monotonic() + self._keep_s
            return self._report

    def _look(self) -> Report:
        began = time.monotonic()
        looking = [self._begin(check) for check in self._checks]
        results = [look.result(began + self._limit_s) for look in looking]
        essential = frozenset(check.component for check in self._checks if check.essential)
        for result in results:
            if result.status is Status.CRITICAL:
                log.warning("check_failed", component=result.component, reason=result.message)
        return Report(
            overall_status=overall({result.component: result.status for result in results}, essential),
            timestamp=datetime.now(UTC),
            total_check_time_ms=_ms(time.monotonic() - began),
            checks=results,
        )

    def _begin(self, check: Check) -> _Looking:
        # One that hangs is not asked again until it has answered, or its threads would pile up.
        before = self._under_way.get(check.component)
        if before is None or not before.is_alive():
            before = self._under_way[check.component] = _Looking(check)
            before.start()
        return before


class _Looking(threading.Thread):
    def __init__(self, check: Check) -> None:
        super().__init__(name=f"check-{check.component}", daemon=True)
        self._check = check
        self._found: Finding | None = None
        self._began = time.monotonic()
        self._took_s = 0.0

    def run(self) -> None:
        self._found = _find(self._check)
        self._took_s = time.monotonic() - self._began

    def result(self, until: float) -> Result:
        """What it found; that it found nothing in time, if so."""
        self.join(max(0.0, until - time.monotonic()))
        found, took_s = self._found, self._took_s
        if found is None:
            took_s = time.monotonic() - self._began
            found = Finding(status=Status.CRITICAL, message=f"no answer within {took_s:.0f} s")
        return Result(component=self._check.component, **vars(found), response_time_ms=_ms(took_s))


def _find(check: Check) -> Finding:
    try:
        return check.look()
    except Exception as error:  # noqa: BLE001 - whatever breaks while looking is what was looked for
        # Other errors' own words may quote an address with its password.
        said = error.message if isinstance(error, MillError) else type(error).__name__
        return Finding(status=Status.CRITICAL, message=said)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
