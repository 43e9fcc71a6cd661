"""How busy and how full this host is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mill_common.machine import CpuMeter, disk_percent, memory_percent

# One for all who ask: of several workers in one process, each would else hear of the moment since the other asked.
_METER = CpuMeter(least_s=5.0)


def vitals(folders: Sequence[Path]) -> dict[str, float]:
    """Used shares in percent: `cpu` of the last seconds, `memory`, and `disk`, the fullest under the folders."""
    return {
        "cpu": _METER.percent(),
        "memory": memory_percent(),
        "disk": max(disk_percent(folder) for folder in folders),
    }
