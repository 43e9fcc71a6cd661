"""Where a file's streams end, read from their packets rather than believed from the header."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from pathlib import Path

from mill_common.worker.context import TaskContext
from mill_transcoder.commands import run_ffprobe

# Seeking lands on the key frame before; ten seconds hold the end of every stream that reaches the end.
TAIL_S = 10.0


class _Ends:
    """The latest end among the packets of each stream."""

    def __init__(self) -> None:
        self.by_stream: dict[int, float] = {}

    def __call__(self, line: str) -> bool:
        index, shown, decoded, length, *_ = [*line.strip().split(","), "", "", ""]
        if not index.isdigit():
            return False
        # AVI knows only when a packet is decoded.
        begin = _time(shown, _time(decoded, -inf))
        end = begin + _time(length, 0.0)
        self.by_stream[int(index)] = max(end, self.by_stream.get(int(index), end))
        return True


def _time(text: str, unknown: float) -> float:
    try:
        return float(text)
    except ValueError:
        return unknown


def tail_ends(task: TaskContext, path: Path, until_s: float) -> Mapping[int, float]:
    """Where each stream's last packet ends, in seconds on the file's clock, looking only near `until_s`.

    Minus infinity stands for a stream whose packets bear no times; streams that have ended long before are missing.
    `until_s` counts from the start of the file, as its declared duration does.
    """
    return _ends(task, path, ["-read_intervals", f"{max(0.0, until_s - TAIL_S):.3f}%"])


def all_ends(task: TaskContext, path: Path) -> Mapping[int, float]:
    """The same from every packet: reads the whole file."""
    return _ends(task, path, [])


def _ends(task: TaskContext, path: Path, interval: list[str]) -> Mapping[int, float]:
    ends = _Ends()
    shown = ["-show_entries", "packet=stream_index,pts_time,dts_time,duration_time", "-of", "csv=p=0"]
    run_ffprobe(task, path, [*interval, *shown], reads_source=True, on_line=ends)
    return ends.by_stream
