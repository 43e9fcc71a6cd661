"""Programs in place of ffmpeg and ffprobe that stop, hang, die or kill their worker where a test wants it.

A service is pointed at them by `MILL_FFMPEG` and `MILL_FFPROBE`, as an operator points it at a build of his own.
Without a rule they turn into the real program at once.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from mill_common.settings import Settings
from mill_transcoder.binaries import find_binaries

# What tells the commands of a step apart.
ARGUMENTS = {
    "probe": "-show_format*source",
    "audio": "libmp3lame",
    "encode": "libx264",
    "package": "video_track_timescale",
    "thumbnails": "poster.jpg",
    "publish": "-show_format*inputs",
}

PROGRAM = """#!/bin/sh
case "$1" in -version | --version) exec {real} "$@" ;; esac
# A worker's checkup, which encodes a frame of nothing.
case "$*" in *lavfi*) exec {real} "$@" ;; esac
if [ -f {folder}/rule ]; then
    read -r mode pattern <{folder}/rule
    case "$PWD $*" in
    *$pattern*)
        echo $$ $PPID >>{folder}/met
        case "$mode" in
        hold) while [ -f {folder}/rule ]; do sleep 0.05; done ;;
        hang) while :; do sleep 0.2; done ;;
        deaf) trap '' TERM; while :; do sleep 0.2; done ;;
        die) kill -9 $$ ;;
        fail) exit 137 ;;
        poison) kill -9 $PPID; sleep 1 ;;
        esac
        ;;
    esac
fi
exec {real} "$@"
"""


class Turnstile:
    """The two programs, and the one rule that they follow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        real = find_binaries(Settings(ffmpeg=None, ffprobe=None))
        self.ffmpeg = self._write("ffmpeg", real.ffmpeg)
        self.ffprobe = self._write("ffprobe", real.ffprobe)

    def rule(self, mode: str, pattern: str) -> None:
        """From now on every command that the shell's `*pattern*` matches does as `mode` says.

        hold: waits until `open`. hang: says nothing for ever. deaf: the same, and ignores SIGTERM. die: kills itself.
        fail: exits with 137. poison: kills the worker that started it.
        """
        draft = self._folder / "rule.draft"
        draft.write_text(f"{mode} {pattern}\n")
        draft.replace(self._folder / "rule")

    def open(self) -> None:
        """Forget the rule, and let those go on that it holds."""
        (self._folder / "rule").unlink(missing_ok=True)

    def met(self) -> list[tuple[int, int]]:
        """Process ids of the commands that a rule has met, each with its worker's."""
        try:
            lines = (self._folder / "met").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(int(child), int(worker)) for child, worker in map(str.split, lines)]

    def end(self) -> None:
        """Kill what still hangs, lest a failed test leave it behind."""
        self.open()
        for child, _ in self.met():
            with suppress(OSError):
                if Path(f"/proc/{child}/exe").readlink().name.endswith("sh"):
                    os.kill(child, signal.SIGKILL)

    def _write(self, name: str, real: str) -> Path:
        path = self._folder / name
        path.write_text(PROGRAM.format(real=real, folder=self._folder))
        path.chmod(0o755)
        return path
