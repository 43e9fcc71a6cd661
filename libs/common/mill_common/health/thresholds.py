"""When a figure is too much."""

from __future__ import annotations

from dataclasses import dataclass

from mill_common.health.report import Status
from mill_common.settings import Settings


@dataclass(frozen=True)
class Thresholds:
    """Percentages at which there is a warning, and at which nothing works much longer."""

    warning: float = 80.0
    critical: float = 95.0

    @classmethod
    def of(cls, settings: Settings) -> Thresholds:
        """Those that the settings name."""
        return cls(settings.health_warning_percent, settings.health_critical_percent)

    def judge(self, percent: float) -> Status:
        """How bad that much is."""
        if percent >= self.critical:
            return Status.CRITICAL
        return Status.WARNING if percent >= self.warning else Status.HEALTHY
