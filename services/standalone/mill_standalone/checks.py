"""What `mill doctor` looks at on this machine: what the services themselves look at, and how to mend each."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from faster_whisper.utils import download_model

from mill_client.doctor import Check
from mill_common.database import Database
from mill_common.health import report
from mill_common.health.broker import broker_finding
from mill_common.health.checkup import Checkup
from mill_common.health.database import database_finding
from mill_common.health.log_files import log_files_finding
from mill_common.health.report import Finding, Result, Status
from mill_common.health.scratch import scratch_finding
from mill_common.health.storage import storage_finding
from mill_common.health.thresholds import Thresholds
from mill_common.machine import existing
from mill_common.settings import Settings
from mill_common.storage import open_store
from mill_transcoder.tools import ffmpeg_finding, packager_finding
from mill_transcriber.models import locate
from mill_transcriber.tools import model_finding


@dataclass(frozen=True)
class _Look:
    name: str  # as in /health/detailed
    look: Callable[[Settings], Finding]
    mend: str
    place: Callable[[Settings], Path | None] = lambda _: None  # what a server makes when it first starts


def local_checks(settings: Settings) -> list[Check]:
    """Look at everything that a server on this machine needs, at once; never raises."""
    looks = {look.name: look for look in _LOOKS}
    checks = [report.Check(name, partial(_finding, look, settings)) for name, look in looks.items()]
    found = Checkup(checks, limit_s=settings.health_limit_s).report(fresh=True)
    return [_told(result, looks[result.component].mend) for result in found.checks]


def _finding(look: _Look, settings: Settings) -> Finding:
    place = look.place(settings)
    # Looking must not make anything: a check leaves the machine as it was.
    return look.look(settings) if place is None or place.exists() else _to_be_made(place)


def _to_be_made(place: Path) -> Finding:
    folder = existing(place)
    if os.access(folder, os.W_OK):
        return Finding(status=Status.HEALTHY, message=f"{place} will be made by `mill up`")
    return Finding(status=Status.CRITICAL, message=f"{folder} is not writable")


def _told(result: Result, mend: str) -> Check:
    statuses = {Status.HEALTHY: "ok", Status.CRITICAL: "failed"}
    said = [result.message, *(str(result.details[name]) for name in ("version", "at") if name in result.details)]
    return Check.model_validate(
        {
            "name": result.component,
            "status": statuses.get(result.status, "warning"),
            "detail": ": ".join(said),
            "mend": mend,
        }
    )


def _model(settings: Settings) -> Finding:
    finding, place = model_finding(settings), locate(settings.whisper_model)
    if Path(place).is_dir():
        return finding
    try:
        return replace(finding, message=f"the model's files are in {download_model(place, local_files_only=True)}")
    except (OSError, ValueError):
        return replace(finding, status=Status.WARNING)


def _database(settings: Settings) -> Finding:
    with closing(Database(settings.database_url, pool_size=1)) as database:
        return _at(settings.database_url, database_finding(database, Thresholds.of(settings)))


def _storage(settings: Settings) -> Finding:
    return _at(settings.storage_url, storage_finding(open_store(settings)))


def _at(url: str, finding: Finding) -> Finding:
    scheme, _, rest = url.partition("://")
    without_secrets = f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
    return replace(finding, details={**finding.details, "at": without_secrets})


def _file_of(url: str, scheme: str) -> Path | None:
    return Path(url.removeprefix(scheme)) if url.startswith(scheme) else None


_LOOKS = (
    _Look("ffmpeg", ffmpeg_finding, "run scripts/bootstrap, or set MILL_FFMPEG and MILL_FFPROBE to programs that run"),
    _Look("packager", packager_finding, "run scripts/bootstrap, or set MILL_PACKAGER to Shaka Packager"),
    _Look(
        "model",
        _model,
        "set MILL_WHISPER_MODEL to a folder with model.bin, or to a faster-whisper name that this machine can download",
    ),
    _Look(
        "database",
        _database,
        "start it, or set MILL_DATABASE_URL to where it is; `mill migrate` mends its schema",
        lambda settings: _file_of(settings.database_url, "sqlite:///"),
    ),
    _Look(
        "redis",
        lambda settings: broker_finding(settings.broker_url, Thresholds.of(settings)),
        "start Redis and give it room, or set MILL_BROKER_URL to where it is",
    ),
    _Look(
        "storage",
        _storage,
        "make the folder writable, or set MILL_STORAGE_URL to where the objects go",
        lambda settings: _file_of(settings.storage_url, "file://"),
    ),
    _Look(
        "scratch",
        lambda settings: scratch_finding(settings.scratch, enough=settings.scratch_free_bytes),
        "free some space, or set MILL_SCRATCH_DIR to a folder of yours with more",
        lambda settings: settings.scratch,
    ),
    _Look(
        "log_files",
        log_files_finding,
        "give the folder that MILL_LOG_DIR names to whoever runs the services",
        lambda settings: settings.log_dir,
    ),
)
