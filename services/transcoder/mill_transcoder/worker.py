"""The transcoder's worker: from `probe` to `publish`."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mill_common.queue import TRANSCODE
from mill_common.resources import Resources
from mill_common.settings import Settings
from mill_common.worker import Runner, Shift
from mill_transcoder.binaries import broken_programs, find_binaries
from mill_transcoder.handlers import HANDLERS


def transcoder(resources: Resources, shift: Shift | None = None) -> Runner:
    """A transcoder that works with these resources."""
    return Runner(
        service="transcoder",
        queue_name=TRANSCODE,
        handlers=HANDLERS,
        queue=resources.queue,
        store=resources.store,
        settings=resources.settings,
        slots=resources.settings.transcoder_threads,
        capability=lambda: capability(resources.settings),
        shift=shift,
    )


def capability(settings: Settings) -> Mapping[str, Any]:
    """What this worker encodes with, or which of it does not run."""
    if broken := broken_programs(settings):
        return {"device": "cpu", "broken": broken}
    programs = find_binaries(settings)
    return {
        "device": "cpu",
        "ffmpeg": _version(programs.ffmpeg, "-version"),
        "packager": _version(programs.packager, "--version"),
    }


def _version(program: str, argument: str) -> str:
    """The word after "version" in what a program says of itself."""
    done = subprocess.run(
        [program, argument], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
    )
    words = done.stdout.split()
    return words[words.index("version") + 1] if "version" in words[:-1] else Path(program).name
