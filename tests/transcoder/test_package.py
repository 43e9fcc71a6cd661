from __future__ import annotations

from pathlib import Path

import pytest
from transcoder.conftest import Clip, MakeJob
from transcoder.looking import check_everything, streams

from mill_common.queue.types import TaskResult
from mill_common.spec import JobSpec, TranscriptSpec
from mill_common.worker.context import Handler, TaskContext
from mill_transcoder.handlers import HANDLERS
from mill_transcoder.hls import parse_master, parse_media

CUES = "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\none two three\n\n00:00:07.000 --> 00:00:09.000\nfour\n"


def says(captions: str, language: str | None) -> Handler:
    """The other service, as far as packaging sees it."""

    def transcribe(task: TaskContext) -> TaskResult:
        path = task.scratch / "transcript.vtt"
        path.write_text(captions)
        task.put(path, path.name, kind="transcript", content_type="text/vtt")
        return TaskResult(result={"language": language})

    return transcribe


@pytest.mark.parametrize(
    ("language", "written"), [("en", "en"), ("jw", "jv"), (None, None), ("und", None), ("yue", "yue")]
)
def test_captions_are_a_track_of_the_stream(
    language: str | None, written: str | None, clip: Clip, job_of: MakeJob
) -> None:
    job = job_of(clip("ntsc"), spec=JobSpec(transcript=TranscriptSpec(), thumbnails=None))
    job.run({**HANDLERS, "transcribe": says(CUES, language)})
    master = parse_master((job.path("hls/") / "master.m3u8").read_text())
    (captions,) = [entry for entry in master.media if entry["TYPE"] == "SUBTITLES"]
    assert captions.get("LANGUAGE") == written
    assert {variant["SUBTITLES"] for variant in master.variants} == {captions["GROUP-ID"]}
    playlist = parse_media((job.path("hls/") / captions["URI"]).read_text())
    texts = [(job.path("hls/") / segment.uri).read_text() for segment in playlist.segments]
    assert "one two three" in texts[0]
    assert "four" in texts[1]
    assert job.outputs["hls/"].facts["captions"] is True


def test_where_nobody_speaks_there_is_no_captions_track(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("plain"), spec=JobSpec(transcript=TranscriptSpec(), thumbnails=None))
    job.run({**HANDLERS, "transcribe": says("WEBVTT\n", None)})
    master = parse_master((job.path("hls/") / "master.m3u8").read_text())
    assert [entry["TYPE"] for entry in master.media] == ["AUDIO"]
    assert job.outputs["hls/"].facts["captions"] is False
    assert job.results["publish"].publish


def test_the_stream_lists_codecs_rates_and_key_frames(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("ntsc"), ladder="48,90")
    job.run(HANDLERS)
    folder = job.path("hls/")
    master = parse_master((folder / "master.m3u8").read_text())
    assert [variant["URI"] for variant in master.variants] == ["48p.m3u8", "90p.m3u8"]
    for variant in master.variants:
        assert variant["CODECS"].startswith("avc1.")
        assert "mp4a.40.2" in variant["CODECS"]
        assert float(variant["FRAME-RATE"]) == pytest.approx(29.97, abs=0.01)
        assert segments(folder / variant["URI"]) == pytest.approx([6.006, 4.204], abs=0.01)
    for entry in master.iframes:
        assert segments(folder / entry["URI"]) == pytest.approx([2.002] * 5 + [0.2], abs=0.01)
    assert job.outputs["hls/"].facts["renditions"] == {
        "48p": {"playlist": "48p.m3u8", "segments": 2},
        "90p": {"playlist": "90p.m3u8", "segments": 2},
    }
    check_everything(job)


def segments(playlist: Path) -> list[float]:
    return [segment.duration_s for segment in parse_media(playlist.read_text()).segments]


def test_a_rendition_says_what_it_is(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("plain"), spec=JobSpec(hls=False, thumbnails=None, transcript=None))
    job.run(HANDLERS)
    facts = job.outputs["144p.mp4"].facts
    assert (facts["width"], facts["height"], facts["fps"], facts["codec"]) == (256, 144, 25.0, "h264")
    assert facts["duration_s"] == 3.0
    assert facts["bitrate"] == round(job.outputs["144p.mp4"].size * 8 / 3)
    assert streams(job.path("144p.mp4"))["video"]["codec_tag_string"] == "avc1"


def test_nothing_of_the_sources_own_notes_is_passed_on(clip: Clip, tmp_path: Path, job_of: MakeJob) -> None:
    from transcoder.clips import ffmpeg

    source = tmp_path / "noted.mp4"
    ffmpeg("-i", str(clip("plain")), "-c", "copy", "-metadata", "title=At home", "-metadata", "comment=x", str(source))
    job = job_of(source)
    job.run(HANDLERS)
    for name in ("144p.mp4", "audio.mp3"):
        assert b"At home" not in job.path(name).read_bytes()
