"""Clips of every kind, made once a session by ffmpeg itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from folder_job import FolderJob
from transcoder.clips import CLIPS

from mill_common.spec import JobSpec

Clip = Callable[[str], Path]
MakeJob = Callable[..., FolderJob]
Left = Callable[[], set[psutil.Process]]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A clip by name, made at its first use."""
    folder = tmp_path_factory.mktemp("clips")
    made: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in made:
            made[name] = CLIPS[name](folder, get)
        return made[name]

    return get


@pytest.fixture
def job_of(tmp_path: Path) -> MakeJob:
    """A job for a file, with a small ladder."""

    def make(file: Path, *, spec: JobSpec | None = None, **settings: Any) -> FolderJob:
        folder = tmp_path / f"job-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return FolderJob.of(folder, file, spec=spec, **{"ladder": "90,144", **settings})

    return make


@pytest.fixture
def left() -> Left:
    """The child processes that have come since the test began and are still there."""
    before = set(psutil.Process().children())  # servers of other tests
    return lambda: set(psutil.Process().children()) - before
