"""Log files: they can be written to, and they are turned over in time."""

from __future__ import annotations

import os

from mill_common.health.report import Finding, Status
from mill_common.log_files import log_files
from mill_common.settings import Settings

_SLACK = 1.1  # times its limit: a line is written before anybody looks


def log_files_finding(settings: Settings) -> Finding:
    """Look at the folder and at each of its files."""
    folder = settings.log_dir
    if folder is None:
        return Finding(status=Status.HEALTHY, message="logs go to standard error alone")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(status=Status.CRITICAL, message="log files cannot be written", details={"folder": str(folder)})
    sizes: dict[str, int] = {}
    closed: list[str] = []
    files = log_files(settings)
    for file in files:
        path = folder / file.name
        if path.exists():
            sizes[file.name] = path.stat().st_size
            if not os.access(path, os.R_OK | os.W_OK):
                closed.append(file.name)
    large = [file.name for file in files if sizes.get(file.name, 0) > _SLACK * file.max_bytes]
    details = {"folder": str(folder), "bytes": sizes}
    if closed:
        return Finding(status=Status.CRITICAL, message=f"not writable: {', '.join(closed)}", details=details)
    if large:
        return Finding(status=Status.WARNING, message=f"not turned over: {', '.join(large)}", details=details)
    return Finding(status=Status.HEALTHY, message="log files can be read and written", details=details)
