"""Where a file's streams end, read from their packets rather than believed from the header."""

from __future__ import annotations

from collections.abc import Mapping
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
        index, start, length, *_ = [*line.strip().split(","), "", ""]
        try:
            end = float(start) + (float(length) if length not in {"", "N/A"} else 0.0)
            self.by_stream[int(index)] = max(end, self.by_stream.get(int(index), end))
        except ValueError:
            return False  # a packet without a time
        return True


def tail_ends(task: TaskContext, path: Path, until_s: float) -> Mapping[int, float]:
    """Where each stream's last packet ends, in seconds on the file's clock, looking only near `until_s`.

    `until_s` counts from the start of the file, as its declared duration does. Streams that have ended long before
    are missing.
    """
    return _ends(task, path, ["-read_intervals", f"{max(0.0, until_s - TAIL_S):.3f}%"])


def all_ends(task: TaskContext, path: Path) -> Mapping[int, float]:
    """The same from every packet: reads the whole file."""
    return _ends(task, path, [])


def _ends(task: TaskContext, path: Path, interval: list[str]) -> Mapping[int, float]:
    ends = _Ends()
    shown = ["-show_entries", "packet=stream_index,pts_time,duration_time", "-of", "csv=p=0"]
    run_ffprobe(task, path, [*interval, *shown], reads_source=True, on_line=ends)
    return ends.by_stream
