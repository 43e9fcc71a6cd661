"""The transcoder's worker: from `probe` to `publish`."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from mill_common.queue import TRANSCODE
from mill_common.settings import Settings
from mill_common.worker.wiring import worker_of
from mill_transcoder.binaries import find_binaries
from mill_transcoder.handlers import HANDLERS


def capability(settings: Settings) -> Mapping[str, str]:
    """What this worker encodes with."""
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


transcoder = worker_of("transcoder", TRANSCODE, HANDLERS, capability)
