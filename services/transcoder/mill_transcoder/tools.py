"""Whether the programs that a transcoder runs do what they are there for."""

from __future__ import annotations

import subprocess

from mill_common.errors import ChildFailed
from mill_common.health.report import Finding, Status
from mill_common.health.services import Tools
from mill_common.settings import Settings
from mill_transcoder.binaries import find_binaries

_TIMEOUT_S = 10.0
# One frame of nothing: the libraries load, and the encoder is among them.
_ONE_FRAME = ["-nostdin", "-f", "lavfi", "-i", "color=s=64x64:d=0.04", "-c:v", "libx264", "-f", "null", "-"]


def ffmpeg_finding(settings: Settings) -> Finding:
    """Encode a frame. Raises `ChildFailed`."""
    return _works(find_binaries(settings).ffmpeg, _ONE_FRAME, "ffmpeg encoded a frame")


def packager_finding(settings: Settings) -> Finding:
    """Have the packager name itself. Raises `ChildFailed`."""
    return _works(find_binaries(settings).packager, ["--version"], "the packager runs")


TOOLS: Tools = {"ffmpeg": ffmpeg_finding, "packager": packager_finding}


def _works(program: str, arguments: list[str], message: str) -> Finding:
    try:
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ChildFailed(f"{program} does not run: {type(error).__name__}") from error
    said = (done.stdout + done.stderr).strip().splitlines()
    if done.returncode or not said:
        raise ChildFailed(f"{program} ended with {done.returncode}: {said[-1] if said else 'it said nothing'}")
    return Finding(status=Status.HEALTHY, message=message, details={"program": program, "version": said[0][:100]})
