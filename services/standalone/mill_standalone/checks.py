"""What `mill doctor` looks at on this machine, and how to mend each."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import redis
from faster_whisper.utils import download_model
from sqlalchemy.exc import SQLAlchemyError

from mill_client.doctor import Check
from mill_common.database import Database
from mill_common.errors import MillError
from mill_common.machine import existing
from mill_common.migrations import is_current
from mill_common.settings import Settings
from mill_common.storage import open_store
from mill_transcoder.binaries import find_binaries
from mill_transcriber.models import locate

LOW_DISK = 5 * 2**30  # bytes


def local_checks(settings: Settings) -> Iterator[Check]:
    """Look at everything that a server on this machine needs."""
    looks: list[Callable[[Settings], Check]] = [
        _ffmpeg,
        _packager,
        _model,
        _database,
        _broker,
        _storage,
        _disk,
    ]
    return (look(settings) for look in looks)


def _ffmpeg(settings: Settings) -> Check:
    try:
        binaries = find_binaries(settings)
        return _ok("ffmpeg", _first_line([binaries.ffmpeg, "-version"]))
    except (MillError, OSError) as error:
        return _failed(
            "ffmpeg", error, "run scripts/bootstrap, or set MILL_FFMPEG and MILL_FFPROBE to programs that run"
        )


def _packager(settings: Settings) -> Check:
    try:
        return _ok("packager", _first_line([find_binaries(settings).packager, "--version"]))
    except (MillError, OSError) as error:
        return _failed("packager", error, "run scripts/bootstrap, or set MILL_PACKAGER to Shaka Packager")


def _model(settings: Settings) -> Check:
    try:
        place = locate(settings.whisper_model)
        if Path(place).is_dir():
            return _ok("model", f"{settings.whisper_model} in {place}")
        return _ok("model", f"{settings.whisper_model} in {download_model(place, local_files_only=True)}")
    except (OSError, ValueError):
        mend = "let this machine reach the model hub once, or set MILL_WHISPER_MODEL to a folder with model.bin"
        return Check(name="model", status="warning", detail=f"{settings.whisper_model} is not here yet", mend=mend)
    except MillError as error:
        return _failed("model", error, "set MILL_WHISPER_MODEL to a faster-whisper name or to a folder with model.bin")


def _database(settings: Settings) -> Check:
    if settings.database_url.startswith("sqlite:") and not Path(settings.database_url.partition("///")[2]).exists():
        return _to_be_made("database", Path(settings.database_url.partition("///")[2]))
    database = Database(settings.database_url)
    try:
        database.check()
        if is_current(database):
            return _ok("database", _without_secrets(settings.database_url))
        return Check(
            name="database", status="warning", detail="its schema is not this version's", mend="run `mill migrate`"
        )
    except SQLAlchemyError as error:
        return _failed("database", error, "start it, or set MILL_DATABASE_URL to where it is")
    finally:
        database.close()


def _broker(settings: Settings) -> Check:
    if settings.broker_url.startswith("memory://"):
        return _ok("broker", "in this process")
    try:
        with redis.Redis.from_url(settings.broker_url, socket_timeout=5, socket_connect_timeout=5) as client:
            version = client.info("server")["redis_version"]
        return _ok("broker", f"Redis {version}")
    except (redis.RedisError, OSError, ValueError) as error:
        return _failed("broker", error, "start Redis, or set MILL_BROKER_URL to where it is")


def _storage(settings: Settings) -> Check:
    if settings.storage_url.startswith("file://") and not Path(settings.storage_url.partition("://")[2]).exists():
        return _to_be_made("storage", Path(settings.storage_url.partition("://")[2]))
    try:
        open_store(settings).check()
        return _ok("storage", _without_secrets(settings.storage_url))
    except (MillError, OSError, ValueError) as error:
        return _failed("storage", error, "make the folder writable, or set MILL_STORAGE_URL to where the objects go")


def _disk(settings: Settings) -> Check:
    folder = existing(settings.scratch)
    free = shutil.disk_usage(folder).free
    detail = f"{free / 2**30:.1f} GiB free at {folder}"
    if free >= LOW_DISK:
        return _ok("disk", detail)
    return Check(
        name="disk", status="warning", detail=detail, mend="free some space, or set MILL_SCRATCH_DIR elsewhere"
    )


def _to_be_made(name: str, path: Path) -> Check:
    # Looking must not make anything: a check leaves the machine as it was.
    folder = existing(path)
    if os.access(folder, os.W_OK):
        return _ok(name, f"{path} will be made by `mill up`")
    return Check(name=name, status="failed", detail=f"{folder} is not writable", mend="give --data a folder of yours")


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def _without_secrets(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def _ok(name: str, detail: str) -> Check:
    return Check(name=name, status="ok", detail=detail)


def _failed(name: str, error: Exception, mend: str) -> Check:
    said = error.message if isinstance(error, MillError) else type(error).__name__
    return Check(name=name, status="failed", detail=said, mend=mend)
