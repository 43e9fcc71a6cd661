"""Several sources become one."""

from __future__ import annotations

import hashlib
import json
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from folder_job import FolderJob, FolderTask
from transcoder.clips import AAC, FAST, ffmpeg, garbled, tone
from transcoder.conftest import Clip, Left, MakeJob
from transcoder.looking import FFPROBE, check_everything, decode, frame_hashes, loudness, pixels, streams

from mill_common.errors import PermanentError, SourceTooLarge, SourceUnreadable, TaskCancelled
from mill_common.merging import first_tasks
from mill_common.models import JobSource
from mill_common.queue.types import NewTask
from mill_common.spec import JobSpec, TranscriptSpec
from mill_transcoder.handlers import HANDLERS
from mill_transcoder.probe import SourceChanged, SourceTooLong

JOB = UUID(int=1)
ALL_KINDS = [
    *("plain", "no_audio", "portrait", "rotated", "anamorphic", "odd_sizes", "variable_rate", "no_duration"),
    *("late_audio", "late_video", "late_audio_ts", "ten_bit", "four_four_four", "white_hdr", "interlaced"),
    *("full_range", "cover_art", "audio_only", "ntsc"),
]


def tasks_of(*files: Path, sha256: str | None = None) -> list[NewTask]:
    """What a job of these files begins with."""
    sources = [
        JobSource(job_id=JOB, position=at, filename=file.name, object_key=str(file), sha256=sha256)
        for at, file in enumerate(files)
    ]
    return first_tasks(sources)


def run(job: FolderJob, *files: Path) -> list[dict[str, Any]]:
    """Merge the files and go on to the end; the segments."""
    job.run(HANDLERS, first=tasks_of(*files))
    assert job.facts.media is not None
    segments: list[dict[str, Any]] = job.facts.media["segments"]
    return segments


def colour(folder: Path, name: str, seconds: float, *, size: str, rate: str, hertz: int | None) -> Path:
    """A clip of one colour, with a tone or without sound."""
    file = folder / f"{name}.mp4"
    picture = ["-f", "lavfi", "-t", str(seconds), "-i", f"color={name}:s={size}:r={rate}"]
    sound = ["-f", "lavfi", "-t", str(seconds), "-i", f"sine=f={hertz}:r=44100"] if hertz else []
    ffmpeg(*picture, *sound, *FAST, *(AAC if hertz else []), str(file))
    return file


def times(path: Path) -> list[float]:
    """When each frame of the picture is shown."""
    argv = [FFPROBE, "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time", "-of", "json"]
    packets = json.loads(subprocess.run([*argv, str(path)], capture_output=True, check=True).stdout)["packets"]
    return sorted(float(packet["pts_time"]) for packet in packets)


def test_sources_of_every_kind_become_one_video(clip: Clip, job_of: MakeJob) -> None:
    files = [clip(name) for name in ALL_KINDS]
    job = job_of(files[0])
    segments = run(job, *files)
    assert [segment["filename"] for segment in segments] == [file.name for file in files]
    for segment, following in pairwise(segments):
        assert segment["start_s"] + segment["duration_s"] == pytest.approx(following["start_s"], abs=1e-5)
    media = job.facts.media
    assert media is not None
    assert media["duration_s"] == pytest.approx(segments[-1]["start_s"] + segments[-1]["duration_s"], abs=0.02)
    assert job.results["publish"].publish
    frames = job.results["package"].result["frames"]
    assert frames / 30 == pytest.approx(media["duration_s"], abs=0.05)
    shown = streams(job.path("144p.mp4"))
    assert float(shown["audio"]["duration"]) == pytest.approx(media["duration_s"], abs=0.1)
    check_everything(job)


@pytest.mark.parametrize(
    "name", ["variable_rate", "late_video", "interlaced", "no_duration", "late_audio_ts", "slow_rate"]
)
def test_a_source_lasts_as_long_among_others_as_alone(name: str, clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip(name))
    job.run_task(NewTask(name="probe", kind="probe"), HANDLERS["probe"])
    assert job.facts.media is not None
    alone_s = job.facts.media["duration_s"]
    segments = run(job_of(clip(name)), clip("plain"), clip(name))
    assert segments[1]["duration_s"] == pytest.approx(alone_s, abs=0.05)


def test_a_segment_begins_with_the_frame_that_its_time_names(tmp_path: Path, job_of: MakeJob) -> None:
    red = colour(tmp_path, "red", 1.5, size="160x90", rate="12.5", hertz=None)
    lime = colour(tmp_path, "lime", 2.35, size="320x180", rate="30000/1001", hertz=None)
    blue = colour(tmp_path, "blue", 1, size="320x240", rate="25", hertz=None)
    job = job_of(red)
    segments = run(job, red, lime, blue, red)
    rate = 30000 / 1001
    for segment, channel in zip(segments, (0, 1, 2, 0), strict=True):
        first, last = segment["start_s"] + 0.5 / rate, segment["start_s"] + segment["duration_s"] - 0.5 / rate
        for at_s in (first, last - 1 / rate):
            middle = pixels(job.path("90p.mp4"), 1, 1, at_s)[0, 0]
            assert middle.argmax() == channel, (segment, at_s)
    assert [segment["start_s"] * rate for segment in segments] == pytest.approx([0, 45, 115, 145], abs=1.01)


def test_sound_and_silence_change_where_the_segments_do(tmp_path: Path, job_of: MakeJob) -> None:
    """What is transcribed is this sound, so captions are as right as it is."""
    loud = colour(tmp_path, "red", 1.5, size="160x90", rate="25", hertz=440)
    mute = colour(tmp_path, "blue", 2.35, size="160x90", rate="30000/1001", hertz=None)
    job = job_of(loud, spec=JobSpec(transcript=TranscriptSpec()))
    segments = run(job, loud, mute, loud, mute, loud)
    speech = job.path("speech.wav")
    for segment in segments:
        begin, end = segment["start_s"], segment["start_s"] + segment["duration_s"]
        # A lossy codec rings on for some milliseconds, and the source's own sound may be a little short of its picture.
        assert (loudness(speech, begin + 0.04, end - 0.06) > 0.02) == segment["has_audio"], segment
        if segment["has_audio"]:
            assert loudness(speech, begin + 0.005, begin + 0.04) > 0.02
        else:
            assert loudness(speech, begin + 0.04, end - 0.04) == 0


def test_pictures_are_fitted_in_and_upright(clip: Clip, tmp_path: Path, job_of: MakeJob) -> None:
    white = colour(tmp_path, "white", 1, size="320x180", rate="25", hertz=None)
    tall = colour(tmp_path, "yellow", 1, size="90x180", rate="25", hertz=None)
    job = job_of(white)
    segments = run(job, white, tall, clip("rotated"), clip("white_hdr"))
    at = [segment["start_s"] + 0.5 for segment in segments]
    merged = job.path("source")
    assert pixels(merged, 4, 1, at[0]).min() > 240
    bar, left, right, other_bar = pixels(merged, 4, 1, at[1])[0]
    assert bar.max() < 20
    assert other_bar.max() < 20
    assert left[0] > 100
    assert abs(int(left[0]) - int(right[0])) < 20
    # The header turns it by 90°, so what is stored as red above blue stands side by side.
    bar, left, right, other_bar = pixels(merged, 4, 1, at[2])[0]
    assert bar.max() < 60
    assert {int(left.argmax()), int(right.argmax())} == {0, 2}
    assert pixels(merged, 1, 1, at[3]).min() > 200, "white of high dynamic range is white"


def test_colours_are_the_same_whatever_they_were_tagged_with(tmp_path: Path, job_of: MakeJob) -> None:
    tagged: dict[str, Path] = {}
    for matrix in ("smpte170m", "bt709"):
        tagged[matrix] = tmp_path / f"{matrix}.mp4"
        source = ["-f", "lavfi", "-t", "1", "-i", "color=0xc04020:s=320x180:r=25"]
        made = f"scale=out_color_matrix={matrix}:out_range=tv,format=yuv420p"
        ffmpeg(*source, "-vf", made, *FAST, "-colorspace", matrix, "-color_range", "tv", str(tagged[matrix]))
    tagged["none"] = tmp_path / "untagged.mp4"
    unsaid = ["-c", "copy", "-bsf:v", "h264_metadata=matrix_coefficients=2"]
    ffmpeg("-i", str(tagged["smpte170m"]), *unsaid, str(tagged["none"]))
    job = job_of(tagged["bt709"])
    segments = run(job, *tagged.values())
    shown = [pixels(job.path("source"), 1, 1, segment["start_s"] + 0.5)[0, 0] for segment in segments]
    for seen in shown:
        assert seen.tolist() == pytest.approx([0xC0, 0x40, 0x20], abs=6)


def test_no_frame_is_lost_and_all_are_evenly_spaced(clip: Clip, job_of: MakeJob) -> None:
    files = [clip("reordered"), clip("plain"), clip("reordered")]
    job = job_of(files[0], ladder="90", chunk_s=2.1)
    segments = run(job, *files)
    shown = times(job.path("source"))
    assert len(shown) == 255 + 75 + 255
    assert shown == pytest.approx([frame / 25 for frame in range(585)], abs=1e-4)
    assert [segment["start_s"] for segment in segments] == [0.0, 10.2, 13.2]
    decode(job.path("source"))
    hashes = frame_hashes(job.path("90p.mp4"))
    assert len(hashes) == 585


def test_sound_alone_is_merged_as_sound(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("audio_only"))
    segments = run(job, clip("audio_only"), clip("song_with_cover"))
    assert job.tasks.keys() == {"merge", "probe", "audio", "publish"}
    assert [segment["has_video"] for segment in segments] == [False, False]
    assert segments[1]["start_s"] == pytest.approx(3, abs=0.06)
    assert float(streams(job.path("audio.mp3"))["audio"]["duration"]) == pytest.approx(6, abs=0.15)


def test_the_merged_source_goes_when_the_job_is_published(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("plain"))
    run(job, clip("plain"), clip("tiny"))
    assert job.outputs["source"].intermediate
    assert job.results["merge"].source is not None
    assert job.results["merge"].source.sha256 == job.outputs["source"].sha256
    assert job.facts.media is not None
    assert job.facts.media["video_count"] == 2


@pytest.mark.parametrize(
    "name", ["truncated_mp4", "truncated_mkv", "garbled_mp4", "garbled_whole", "empty", "words", "subtitles"]
)
def test_a_broken_source_is_named_and_fails_the_merge_for_good(name: str, clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("plain"))
    bad = clip(name)
    with pytest.raises(PermanentError) as raised:
        run(job, clip("plain"), bad, clip("tiny"))
    assert raised.value.message.startswith(f"sources[1] ({bad.name}): ")
    assert str(job.folder.parent) not in raised.value.message
    assert job.runs["merge"].made == {}


def test_a_source_that_is_not_what_it_was_said_to_be_is_named(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("plain"))
    said = hashlib.sha256(clip("plain").read_bytes()).hexdigest()
    with pytest.raises(SourceChanged, match=r"^sources\[1\] \(tiny.mp4\): "):
        job.run(HANDLERS, first=tasks_of(clip("plain"), clip("tiny"), sha256=said))


def test_the_limits_of_one_source_hold_for_all_together(clip: Clip, job_of: MakeJob) -> None:
    plain = clip("plain")
    with pytest.raises(SourceTooLong, match="lasts 6 s; at most 5 s"):
        run(job := job_of(plain, max_source_duration_s=5), plain, plain)
    assert "merge" not in job.results, "it is found out before the work is done"
    with pytest.raises(SourceTooLarge, match="together"):
        run(job_of(plain, max_source_bytes=plain.stat().st_size * 3 // 2), plain, plain)
    with pytest.raises(SourceTooLarge, match=r"sources\[1\].*pixels"):
        run(job_of(plain, max_source_pixels=320 * 180 - 1), clip("tiny"), plain)


def test_progress_of_a_merge_never_goes_back(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("plain"))
    run(job, clip("plain"), clip("ntsc"), clip("no_audio"))
    task = job.runs["merge"]
    assert task.fractions == sorted(task.fractions)
    assert len(set(task.fractions)) > 6
    assert task.stages == ["merging", "storing"]
    assert task.cpu_s > 0


class CancelledWhileItEncodes(FolderTask):
    """Told to stop once a part is being made."""

    def progress(self, fraction: float, stage: str | None = None) -> None:
        super().progress(fraction, stage)
        if fraction > 0.1:
            self.put_down(TaskCancelled())


def test_a_cancelled_merge_leaves_nothing_behind(clip: Clip, job_of: MakeJob, left: Left) -> None:
    job = job_of(clip("plain"))
    merge = next(task for task in tasks_of(clip("ntsc"), clip("plain")) if task.name == "merge")
    scratch = job.folder / "scratch" / "merge"
    scratch.mkdir(parents=True)
    task = CancelledWhileItEncodes(job, "merge", merge.params, scratch)
    with pytest.raises(TaskCancelled):
        HANDLERS["merge"](task)
    assert task.made == {}
    assert left() == set()


def test_a_part_of_which_too_little_can_be_seen_is_damaged(clip: Clip, tmp_path: Path, job_of: MakeJob) -> None:
    mute = tmp_path / "mute.mp4"
    ffmpeg("-i", str(clip("reordered")), "-c", "copy", "-movflags", "+faststart", str(mute))
    damaged = garbled("mute", "damaged.mp4", 0.6, 1.0)(tmp_path, lambda _: mute)
    with pytest.raises(SourceUnreadable, match=r"^sources\[0\] .*(pictures|of the picture) could be decoded"):
        run(job_of(damaged), damaged, clip("plain"))


def test_a_part_of_which_too_little_can_be_heard_is_damaged(clip: Clip, tmp_path: Path, job_of: MakeJob) -> None:
    sound = tmp_path / "sound.m4a"
    ffmpeg(*tone(10), "-c:a", "aac", "-movflags", "+faststart", str(sound))
    damaged = garbled("sound", "damaged.m4a", 0.5, 1.0)(tmp_path, lambda _: sound)
    with pytest.raises(SourceUnreadable, match=r"^sources\[1\] .*of the sound could be decoded"):
        run(job_of(sound), clip("plain"), damaged)
