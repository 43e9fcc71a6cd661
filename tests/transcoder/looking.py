"""Looks at outputs as a player would."""

from __future__ import annotations

import json
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from folder_job import FolderJob
from transcoder.clips import FFMPEG

from mill_common.settings import Settings
from mill_transcoder.binaries import find_binaries

FFPROBE = find_binaries(Settings(ffmpeg=None, ffprobe=None)).ffprobe


def streams(path: Path) -> dict[str, dict[str, Any]]:
    """ffprobe's streams by type."""
    argv = [FFPROBE, "-v", "error", "-show_streams", "-of", "json", str(path)]
    shown = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    return {stream["codec_type"]: stream for stream in shown["streams"]}


def decode(path: Path) -> None:
    """Decode everything; any complaint is a failure."""
    argv = [FFMPEG, "-nostdin", "-v", "error", "-xerror", "-i", str(path), "-map", "0", "-f", "null", "-"]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")


def frame_hashes(path: Path) -> list[str]:
    """One hash for each decoded frame of the picture."""
    argv = [FFMPEG, "-nostdin", "-v", "error", "-i", str(path), "-map", "0:v", "-f", "framemd5", "-"]
    printed = subprocess.run(argv, capture_output=True, check=True, text=True).stdout
    return [line.split(",")[-1].strip() for line in printed.splitlines() if not line.startswith("#")]


def key_frames(path: Path) -> list[int]:
    """Which frames of the picture are key frames, from its packets."""
    shown = ["-select_streams", "v:0", "-show_entries", "packet=pts,flags", "-of", "csv=p=0"]
    printed = subprocess.run([FFPROBE, "-v", "error", *shown, str(path)], capture_output=True, check=True, text=True)
    packets = sorted((int(pts), flags) for pts, flags, *_ in (line.split(",") for line in printed.stdout.split()))
    return [at for at, (_, flags) in enumerate(packets) if flags.startswith("K")]


def pixels(path: Path, columns: int, rows: int, at_s: float = 0.0) -> npt.NDArray[np.uint8]:
    """A frame shrunk to `columns` × `rows`, as rows of columns of RGB."""
    shrink = f"format=rgb24,scale={columns}:{rows}:flags=area"
    argv = [FFMPEG, "-nostdin", "-v", "error", *(["-ss", str(at_s)] if at_s else []), "-i", str(path), "-vf", shrink]
    raw = subprocess.run([*argv, "-frames:v", "1", "-f", "rawvideo", "-"], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(rows, columns, 3)


def loudness(path: Path, begin_s: float, end_s: float) -> float:
    """The root mean square of a stretch of a mono WAV file, 0 to 1."""
    with wave.open(str(path)) as sound:
        rate = sound.getframerate()
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16) / 32768
    return float(np.sqrt(np.mean(samples[int(begin_s * rate) : int(end_s * rate)] ** 2)))


def check_everything(job: FolderJob) -> None:
    """Every picture and stream of a job decodes without a complaint."""
    for name, output in job.outputs.items():
        if output.kind in {"rendition", "audio"}:
            decode(job.path(name))
    if "hls/" in job.outputs:
        decode(job.path("hls/") / "master.m3u8")
