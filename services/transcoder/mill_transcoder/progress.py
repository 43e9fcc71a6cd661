"""Reads what `ffmpeg -progress pipe:1` prints."""

from __future__ import annotations

from collections.abc import Callable


class FrameCount:
    """A report that keeps the number of frames."""

    def __init__(self) -> None:
        self.frames = 0

    def __call__(self, frames: int, out_us: int) -> None:
        self.frames = frames


class ProgressLines:
    """Takes lines of `key=value` and calls `report` with the frames and microseconds made so far.

    Calling it answers whether the line shows movement: ffmpeg repeats its lines while it hangs.
    """

    def __init__(self, report: Callable[[int, int], None]) -> None:
        self._report = report
        self._moving: dict[str, int] = {}
        self.frames = 0
        self.out_us = 0

    def __call__(self, line: str) -> bool:
        key, _, value = line.strip().partition("=")
        if key == "progress":
            self._report(self.frames, self.out_us)
            return False
        if key not in {"frame", "out_time_us", "total_size"} or not value.strip().isdigit():
            return False
        number = int(value)
        moved = self._moving.get(key) != number
        self._moving[key] = number
        self.frames = self._moving.get("frame", 0)
        self.out_us = self._moving.get("out_time_us", 0)
        return moved
