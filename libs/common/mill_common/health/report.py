"""What a checkup finds. Times are milliseconds where a name says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How well something is, the best first."""

    HEALTHY = "healthy"
    WARNING = "warning"  # works, and is near a limit
    DEGRADED = "degraded"  # works with less than it should have
    CRITICAL = "critical"  # does not work


ORDER = list(Status)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one look found. `message` and `details` hold no secrets."""

    status: Status
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)  # JSON


Look = Callable[[], Finding]


@dataclass(frozen=True)
class Check:
    """Something to look at. What is `essential` takes the whole service down with it."""

    component: str
    look: Look
    essential: bool = False


@dataclass(frozen=True, kw_only=True)
class Result:
    """A look and how long it took."""

    component: str
    status: Status
    message: str
    details: Mapping[str, Any]
    response_time_ms: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that was looked at, at one time."""

    overall_status: Status
    timestamp: datetime  # UTC
    total_check_time_ms: float
    checks: Sequence[Result]

    @property
    def summary(self) -> dict[str, int]:
        """How many checks there are, and how many in each status."""
        counted = Counter(check.status.value for check in self.checks)
        return {"total_checks": len(self.checks), **{status.value: counted[status.value] for status in ORDER}}

    def to_json(self) -> dict[str, Any]:
        """As the interface shows it."""
        plain = {**asdict(self), "timestamp": self.timestamp.isoformat(), "summary": self.summary}
        return {**plain, "checks": [asdict(check) for check in self.checks]}


def worst(statuses: Sequence[Status]) -> Status:
    """The worst of them; healthy if there are none."""
    return max(statuses, key=ORDER.index, default=Status.HEALTHY)


def overall(found: Mapping[str, Status], essential: frozenset[str]) -> Status:
    """How the service is as a whole: without something essential it does not work, without anything else it limps."""
    counted = [
        Status.DEGRADED if status is Status.CRITICAL and name not in essential else status
        for name, status in found.items()
    ]
    return worst(counted)
