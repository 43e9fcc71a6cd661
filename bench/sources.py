"""Videos and speech to measure with, made on the spot."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mill_common.settings import Settings
from mill_standalone.demo import SAMPLE
from mill_transcoder.binaries import find_binaries


def moving_picture(path: Path, *, seconds: int, seed: int = 0) -> Path:
    """A 720p25 H.264 video with sound, noisy enough to cost what a camera's does."""
    picture = f"testsrc2=s=1280x720:r=25:d={seconds},noise=alls=12:allf=t:all_seed={seed + 1}"
    sound = f"sine=frequency={220 + 20 * seed}:sample_rate=48000:duration={seconds}"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    codecs = ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "4M", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    _ffmpeg([*inputs, *codecs, "-shortest", str(path)])
    return path


def spoken_digits(path: Path, *, minutes: int) -> Path:
    """The sample's speech over and over, as 16 kHz mono WAV."""
    length = ["-t", str(60 * minutes)]
    _ffmpeg(["-stream_loop", "-1", "-i", str(SAMPLE), *length, "-vn", "-ac", "1", "-ar", "16000", str(path)])
    return path


def _ffmpeg(arguments: list[str]) -> None:
    command = [find_binaries(Settings()).ffmpeg, "-nostdin", "-v", "error", "-y", *arguments]
    subprocess.run(command, check=True)
