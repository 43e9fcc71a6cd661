"""Hosts that are too busy or too full, as the services on them say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mill_common.alerts import Finding, Rule, View
from mill_common.models import AlertLevel
from mill_common.settings import Settings


class _Share(Rule):
    """A share of a host in percent, named as the type, that is above a threshold; each host by itself."""

    title: ClassVar[str]
    setting: ClassVar[str]  # names the share from which on it is told

    def find(self, view: View) -> Iterator[Finding]:
        """One for each host."""
        warning, critical = float(getattr(view.settings, self.setting)), view.settings.alert_critical_percent
        for host, shares in sorted(view.hosts.items()):
            percent = float(getattr(shares, self.type))
            if percent > warning:
                yield Finding(
                    level=AlertLevel.CRITICAL if percent > critical else AlertLevel.WARNING,
                    title=self.title,
                    message=f"{self.title} on {host}: {percent:.1f} %, more than {warning:g} %.",
                    labels={"host": host},
                    details={"percent": percent, "threshold_percent": warning},
                )


class _Busy(_Share):
    def for_s(self, settings: Settings) -> float:
        """An encode is allowed to take everything for a while."""
        return settings.alert_host_for_s


class Cpu(_Busy):
    """The processors have been busy for a while."""

    type = "cpu"
    title = "High CPU usage"
    setting = "alert_cpu_percent"


class Memory(_Busy):
    """Memory has been short for a while."""

    type = "memory"
    title = "High memory usage"
    setting = "alert_memory_percent"


class Disk(_Share):
    """A disk that scratch or data lie on is nearly full."""

    type = "disk"
    title = "High disk usage"
    setting = "alert_disk_percent"
