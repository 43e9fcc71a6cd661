"""Starts ffmpeg, ffprobe and the packager, with the guards that every source is read under."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ffmpeg

from mill_common.errors import ChildFailed
from mill_common.settings import Settings
from mill_common.worker.context import TaskContext
from mill_transcoder.binaries import find_binaries
from mill_transcoder.process import Ended, run_child
from mill_transcoder.progress import ProgressLines
from mill_transcoder.verdict import failed_on_our_files, failed_on_source

# Containers whose demuxers open nothing but the file they are given. Playlists, image sequences, subtitle scripts
# and devices are left out: they name other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,ogg,asf,wav,w64,mp3,flac,aac,ac3,eac3,aiff,caf,amr"


def guards(settings: Settings) -> dict[str, str]:
    """Input options that keep a hostile source from reaching other files, the network or all memory."""
    return {
        "protocol_whitelist": "file,pipe",
        "format_whitelist": FORMATS,
        "max_pixels": str(settings.max_source_pixels),
        "max_streams": str(settings.max_source_streams),
    }


def open_source(task: TaskContext, path: Path, **options: str | None) -> Any:
    """The source as an ffmpeg-python input."""
    return ffmpeg.input(f"file:{path.absolute()}", **guards(task.settings), **options)


def run_ffmpeg(
    task: TaskContext, outputs: Sequence[Any], *, report: Callable[[int, int], None], reads_source: bool
) -> Ended:
    """Run ffmpeg-python `outputs` in one process in the task's scratch folder.

    `report` is called with the frames and microseconds made so far.

    Raises:
        PermanentError: The source is at fault.
        TransientError: The machine is, or a stall.
    """
    node = ffmpeg.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    # verbose: at the end ffmpeg then says how many packets it read and how many frames it could decode.
    node = node.global_args("-nostdin", "-hide_banner", "-nostats", "-v", "verbose", "-progress", "pipe:1")
    argv = ffmpeg.compile(node, cmd=find_binaries(task.settings).ffmpeg, overwrite_output=True)
    ended = run_child(task, argv, cwd=task.scratch, on_line=ProgressLines(report))
    if ended.code != 0:
        raise failed_on_source(ended, "ffmpeg") if reads_source else failed_on_our_files(ended, "ffmpeg")
    return ended


def run_ffprobe(
    task: TaskContext,
    path: Path,
    options: Sequence[str],
    *,
    reads_source: bool,
    on_line: Callable[[str], bool] | None = None,
) -> str:
    """What ffprobe prints about a file; raises as `run_ffmpeg` does."""
    limits = guards(task.settings) if reads_source else {"protocol_whitelist": "file,pipe"}
    guarded = [part for name, value in limits.items() for part in (f"-{name}", value)]
    argv = [find_binaries(task.settings).ffprobe, "-v", "error", *guarded, *options, "-i", f"file:{path.absolute()}"]
    ended = run_child(task, argv, cwd=task.scratch, on_line=on_line)
    if ended.code != 0:
        raise failed_on_source(ended, "ffprobe") if reads_source else failed_on_our_files(ended, "ffprobe")
    return ended.stdout


def describe(task: TaskContext, path: Path, *, reads_source: bool) -> Mapping[str, Any]:
    """ffprobe's `format` and `streams` of a file."""
    printed = run_ffprobe(task, path, ["-show_format", "-show_streams", "-of", "json"], reads_source=reads_source)
    try:
        described: Mapping[str, Any] = json.loads(printed)
    except ValueError as error:
        raise ChildFailed("ffprobe printed no valid JSON") from error
    return described


def run_packager(task: TaskContext, arguments: Sequence[str]) -> Ended:
    """Run Shaka Packager on our own files; raises as `run_ffmpeg` does."""
    ended = run_child(task, [find_binaries(task.settings).packager, *arguments], cwd=task.scratch)
    if ended.code != 0:
        raise failed_on_our_files(ended, "packager")
    return ended
