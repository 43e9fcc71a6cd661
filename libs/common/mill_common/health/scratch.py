"""The scratch folder: a real file is written, read and removed, and there is room for the next attempt."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from mill_common.health.report import Finding, Status
from mill_common.machine import content_of

_SAMPLE = b"mediamill" * 1024


def scratch_finding(folder: Path, *, enough: int) -> Finding:
    """Use the folder; below `enough` free bytes a worker claims nothing."""
    try:
        _write_and_read(folder)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(status=Status.CRITICAL, message=f"scratch space cannot be used: {error.strerror}")
    content = content_of(folder)
    details = {
        "free_bytes": free,
        "size_bytes": content.size,
        "files": content.files,
        "files_older_than_24_hours": content.old_files,
    }
    if free < enough:
        message = f"scratch space is short: less than {enough / 2**30:.3g} GiB are free"
        return Finding(status=Status.CRITICAL, message=message, details=details)
    if content.old_files:
        message = f"{content.old_files} files are older than a day"
        return Finding(status=Status.WARNING, message=message, details=details)
    return Finding(status=Status.HEALTHY, message="a file was written, read and removed", details=details)


def _write_and_read(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".health-") as file:
        file.write(_SAMPLE)
        file.flush()
        if Path(file.name).read_bytes() != _SAMPLE:
            raise OSError(0, "a file does not hold what was written")
