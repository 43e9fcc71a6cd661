"""The machine: processors, memory and disks."""

from __future__ import annotations

from pathlib import Path

from mill_common.health.report import Finding, Status, worst
from mill_common.health.thresholds import Thresholds
from mill_common.machine import CpuMeter, disk_percent, memory_percent


def machine_finding(meter: CpuMeter, folder: Path, thresholds: Thresholds) -> Finding:
    """How busy and full the machine is on which `folder` lies."""
    used = {"cpu": meter.percent(), "memory": memory_percent(), "disk": disk_percent(folder)}
    verdicts = {name: thresholds.judge(percent) for name, percent in used.items()}
    if verdicts["cpu"] is Status.CRITICAL:
        verdicts["cpu"] = Status.WARNING  # an encoder that takes every core does what it is there for
    said = [f"{name} is used by {used[name]:.0f} %" for name, verdict in verdicts.items() if verdict != Status.HEALTHY]
    return Finding(
        status=worst(list(verdicts.values())),
        message="; ".join(said) or "processors, memory and disk have room",
        details={f"{name}_usage_percent": percent for name, percent in used.items()},
    )
