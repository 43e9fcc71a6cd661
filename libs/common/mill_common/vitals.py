"""How busy and how full this host is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import psutil


def vitals(folders: Sequence[Path]) -> dict[str, float]:
    """Used shares in percent: `cpu` since the last question, `memory`, and `disk`, the fullest under the folders."""
    found = {"cpu": psutil.cpu_percent(), "memory": psutil.virtual_memory().percent}
    used = [share for folder in folders if (share := _used(folder)) is not None]
    return found | ({"disk": max(used)} if used else {})


def _used(folder: Path) -> float | None:
    existing = next((path for path in (folder, *folder.parents) if path.exists()), None)
    if existing is None:
        return None
    usage = shutil.disk_usage(existing)
    # As `df` counts: what is kept for root is neither used nor free.
    reachable = usage.used + usage.free
    return round(100.0 * usage.used / reachable, 1) if reachable else None
