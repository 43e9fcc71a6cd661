"""Cuts the renditions into a CMAF stream with HLS playlists."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from mill_common.errors import ChildFailed, OutputInvalid
from mill_common.worker.context import TaskContext
from mill_transcoder.commands import run_packager
from mill_transcoder.hls import MASTER, Stream, check_stream
from mill_transcoder.ladder import Rung
from mill_transcoder.media import VideoStream
from mill_transcoder.plan import EncodePlan

HLS = "hls/"
SOUND = "sound.mp4"  # the renditions' own, as it is called in the scratch folder
CAPTIONS = "transcript.vtt"
SEGMENT_S = 6
# The packager begins a segment with the first key frame at or after each multiple of the length it is given. A hair
# less than whole groups keeps rounding from pushing a cut to the next key frame.
HAIR_S = Fraction(1, 2000)
# Whisper's codes that are no ISO 639 codes, which the packager insists on.
LANGUAGES = {"jw": "jv"}


def package_stream(task: TaskContext, plan: EncodePlan, video: VideoStream, frames: int) -> tuple[Path, dict[str, Any]]:
    """Make the stream from the files in the task's scratch folder; its folder there, and its facts.

    Raises:
        ChildFailed: The stream is not whole.
    """
    group_s = Fraction(plan.gop) / video.fps
    segment_s = max(1, round(SEGMENT_S / group_s)) * group_s - HAIR_S
    streams = [_video(rung) for rung in plan.rungs]
    audio_s = float(task.result_of("audio")["duration_s"]) if (task.scratch / SOUND).exists() else None
    if audio_s is not None:
        streams.append(_descriptor(SOUND, "audio", "audio", "m4s", hls_group_id="audio", hls_name="audio"))
    streams += _captions(task)
    lengths = ["--segment_duration", f"{float(segment_s):.4f}", "--fragment_duration", f"{float(group_s - HAIR_S):.4f}"]
    run_packager(task, [*streams, *lengths, "--hls_playlist_type", "VOD", "--hls_master_playlist_output", HLS + MASTER])
    folder = task.scratch / HLS
    try:
        return folder, _checked(folder, plan, float(frames / video.fps), audio_s)
    except OutputInvalid as error:
        raise ChildFailed(f"packaging went wrong: {error.message}") from error


def local_stream(folder: Path) -> Stream:
    """A stream in a local folder."""
    files = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return Stream(read=lambda name: (folder / name).read_text(), files=files)


def expected_rungs(plan: EncodePlan) -> dict[str, tuple[int, int]]:
    """The variants that the master playlist must list."""
    return {f"{rung.name}.m3u8": (rung.width, rung.height) for rung in plan.rungs}


def _checked(folder: Path, plan: EncodePlan, video_s: float, audio_s: float | None) -> dict[str, Any]:
    stream = local_stream(folder)
    check_stream(stream, rungs=expected_rungs(plan), video_s=video_s, audio_s=audio_s)
    renditions = {
        rung.name: {
            "playlist": f"{rung.name}.m3u8",
            "segments": len(stream.playlist(f"{rung.name}.m3u8").segments),
        }
        for rung in plan.rungs
    }
    return {"playlist": MASTER, "renditions": renditions, "captions": "captions.m3u8" in stream.files}


def _video(rung: Rung) -> str:
    return _descriptor(rung.file, "video", rung.name, "m4s", iframe_playlist_name=f"{rung.name}-iframes.m3u8")


def _captions(task: TaskContext) -> list[str]:
    """The captions track, if anything was said."""
    if task.output(CAPTIONS) is None:
        return []
    path = task.fetch(CAPTIONS)
    # The packager fails on captions without a cue.
    if "-->" not in path.read_text(encoding="utf-8"):
        return []
    (task.scratch / CAPTIONS).symlink_to(path.absolute())
    language = task.result_of("transcribe").get("language")
    known = {"language": LANGUAGES.get(language, language)} if language and language != "und" else {}
    return [_descriptor(CAPTIONS, "text", "captions", "vtt", hls_group_id="text", hls_name="captions", **known)]


def _descriptor(file: str, kind: str, name: str, extension: str, **more: str) -> str:
    fields = {
        "in": file,
        "stream": kind,
        "segment_template": f"{HLS}{name}/$Number$.{extension}",
        "playlist_name": f"{name}.m3u8",
        **({} if kind == "text" else {"init_segment": f"{HLS}{name}/init.mp4"}),
        **more,
    }
    return ",".join(f"{key}={value}" for key, value in fields.items())
