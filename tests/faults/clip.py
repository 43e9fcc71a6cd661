"""Sources that are quickly done, and one to listen to."""

from __future__ import annotations

import subprocess
from pathlib import Path

from transcriber.sounds import digits, write

from mill_common.settings import Settings
from mill_transcoder.binaries import find_binaries


def make_clip(folder: Path) -> Path:
    """Three small seconds with sound."""
    path = folder / "clip.mp4"
    argv = [find_binaries(Settings(ffmpeg=None)).ffmpeg, "-nostdin", "-v", "error"]
    argv += ["-f", "lavfi", "-t", "3", "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi", "-t", "3", "-i", "sine=f=440"]
    subprocess.run([*argv, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", str(path)], check=True)
    return path


def make_speech(folder: Path, seconds: float) -> Path:
    """So many seconds of digits and a bit, and no picture."""
    return write(folder / "speech.wav", digits(seconds)[0])
