"""Every kind of input goes all the way."""

from __future__ import annotations

import pytest
from transcoder.conftest import Clip, MakeJob
from transcoder.looking import check_everything, frame_hashes, key_frames, loudness, pixels, streams

from mill_common.errors import PermanentError, SourceRefused, SourceTooLarge, SourceUnreadable
from mill_common.spec import JobSpec, TranscriptSpec
from mill_transcoder.handlers import HANDLERS

BOTH = {"90p.mp4": (160, 90), "144p.mp4": (256, 144)}


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("plain", BOTH),
        ("no_audio", BOTH),
        ("portrait", {"90p.mp4": (90, 160), "144p.mp4": (144, 256)}),
        ("rotated", {"90p.mp4": (90, 160), "144p.mp4": (144, 256)}),
        ("anamorphic", BOTH),
        ("odd_sizes", {"90p.mp4": (160, 90), "144p.mp4": (256, 144)}),
        ("cover_art", BOTH),
        ("ten_bit", BOTH),
        ("four_four_four", BOTH),
        ("interlaced", BOTH),
        ("late_audio", BOTH),
        ("late_video", BOTH),
        ("tiny", {"48p.mp4": (64, 48)}),
        ("one_frame", BOTH),
        ("variable_rate", {"90p.mp4": (160, 90)}),
        ("no_duration", {"90p.mp4": (160, 90)}),
        ("old_avi", {"90p.mp4": (160, 90)}),
        ("flash", {"90p.mp4": (160, 90)}),
        ("transport", {"90p.mp4": (160, 90)}),
        ("full_range", BOTH),
    ],
)
def test_a_video_of_this_kind_becomes_every_output(
    name: str, sizes: dict[str, tuple[int, int]], clip: Clip, job_of: MakeJob
) -> None:
    job = job_of(clip(name))
    job.run(HANDLERS)
    assert job.results.keys() == job.tasks.keys()
    assert job.results["publish"].publish
    renditions = {name: output for name, output in job.outputs.items() if output.kind == "rendition"}
    assert {name: (o.facts["width"], o.facts["height"]) for name, o in renditions.items()} == sizes
    media = job.facts.media
    assert media is not None
    for rendition in renditions:
        shown = streams(job.path(rendition))
        assert shown["video"]["pix_fmt"] == "yuv420p"
        assert shown["video"].get("sample_aspect_ratio", "1:1") == "1:1"
        assert ("audio" in shown) == (media["audio"] is not None)
        assert float(shown["video"]["duration"]) == pytest.approx(media["duration_s"], abs=0.2)
        if media["audio"]:
            assert float(shown["audio"]["start_time"]) == pytest.approx(0, abs=0.03)
    check_everything(job)


def test_the_outputs_of_a_job_are_these(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("plain"), spec=JobSpec(transcript=TranscriptSpec()))
    job.run(HANDLERS)  # the transcript is another service's, so packaging still waits
    assert job.tasks.keys() - job.results.keys() == {"transcribe", "package", "thumbnails", "publish"}
    assert {name: output.intermediate for name, output in job.outputs.items()} == {
        "audio.m4a": True,
        "audio.mp3": False,
        "speech.wav": True,
        "chunks/000/90p.mp4": True,
        "chunks/000/144p.mp4": True,
    }
    speech = streams(job.path("speech.wav"))["audio"]
    assert (speech["sample_rate"], speech["channels"]) == ("16000", 1)


def test_recordings_joined_end_to_end_are_encoded_to_the_last(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("joined"), chunk_s=2.1)
    job.run(HANDLERS)
    assert job.results["package"].result["frames"] == pytest.approx(2 * 255, abs=5)
    assert job.results["audio"].result["duration_s"] == pytest.approx(2 * 10.2, abs=0.3)
    assert job.results["publish"].publish


def test_only_what_was_asked_for_is_made(clip: Clip, job_of: MakeJob) -> None:
    spec = JobSpec(renditions=(144,), hls=False, audio=None, thumbnails=None, transcript=None)
    job = job_of(clip("plain"), spec=spec)
    job.run(HANDLERS)
    assert [name for name, output in job.outputs.items() if not output.intermediate] == ["144p.mp4"]


@pytest.mark.parametrize("name", ["audio_only", "song_with_cover"])
def test_sound_alone_becomes_audio_and_no_picture(name: str, clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip(name), spec=JobSpec(transcript=TranscriptSpec()))
    job.run(HANDLERS)
    assert job.tasks.keys() == {"probe", "audio", "transcribe", "publish"}
    assert job.outputs.keys() == {"audio.mp3", "speech.wav"}
    assert float(streams(job.path("audio.mp3"))["audio"]["duration"]) == pytest.approx(3, abs=0.1)


def test_without_sound_there_is_nothing_to_transcribe(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("no_audio"), spec=JobSpec(transcript=TranscriptSpec()))
    job.run(HANDLERS)
    assert job.results["probe"].transcript == {"skipped": "no_audio"}
    assert not {"audio", "transcribe"} & job.tasks.keys()
    assert job.results["publish"].publish


def test_cover_art_is_not_the_picture(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("cover_art"))
    job.run(HANDLERS)
    red, green, blue = pixels(job.path("144p.mp4"), 1, 1)[0, 0]
    assert not (red > 200 and green < 60 and blue < 60)


def test_a_rotated_picture_is_upright(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("rotated"))
    job.run(HANDLERS)
    # The stored picture is red above blue; the header turns it by 90°, so the halves stand side by side.
    left, right = pixels(job.path("144p.mp4"), 2, 1)[0]
    seen = pixels(clip("rotated"), 2, 1)[0]
    assert abs(int(left[0]) - int(right[0])) > 150
    assert [int(left[0]) > 128, int(right[0]) > 128] == [seen[0][0] > 128, seen[1][0] > 128]


@pytest.mark.parametrize("name", ["late_audio", "late_audio_ts"])
def test_late_sound_begins_with_silence(name: str, clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip(name), spec=JobSpec(transcript=TranscriptSpec()))
    job.run(HANDLERS)
    speech = job.path("speech.wav")
    assert loudness(speech, 0.1, 1.4) == 0
    assert loudness(speech, 1.6, 3.9) > 0.05


@pytest.mark.parametrize("name", ["late_video", "late_video_ts"])
def test_sound_before_the_picture_is_cut(name: str, clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip(name), spec=JobSpec(transcript=TranscriptSpec()))
    job.run(HANDLERS)
    assert job.results["audio"].result["duration_s"] == pytest.approx(3, abs=0.1)
    assert loudness(job.path("speech.wav"), 0.1, 2.9) > 0.05
    assert job.results["encode-000"].result["frames"] == pytest.approx(75, abs=1)


def test_an_interlaced_picture_keeps_its_rate_and_loses_its_combs(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("interlaced"))
    job.run(HANDLERS)
    assert job.facts.media is not None
    assert job.facts.media["video"]["interlaced"]
    shown = streams(job.path("144p.mp4"))["video"]
    assert (shown["r_frame_rate"], shown.get("field_order")) == ("25/1", "progressive")


def test_high_dynamic_range_becomes_tagged_standard_range(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("white_hdr"))
    job.run(HANDLERS)
    shown = streams(job.path("144p.mp4"))["video"]
    tags = [shown[key] for key in ("color_transfer", "color_primaries", "color_space", "color_range", "pix_fmt")]
    assert tags == ["bt709", "bt709", "bt709", "tv", "yuv420p"]
    # White is white again; read as if it were standard it would be a middle grey.
    assert pixels(job.path("144p.mp4"), 1, 1).min() > 200
    check_everything(job)


def test_no_rendition_is_faster_than_sixty_frames_a_second(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("fast"))
    job.run(HANDLERS)
    assert streams(job.path("90p.mp4"))["video"]["r_frame_rate"] == "60/1"


def test_key_frames_lie_on_one_grid_in_every_rendition(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("ntsc"), ladder="48,90")
    job.run(HANDLERS)
    assert key_frames(job.path("48p.mp4")) == key_frames(job.path("90p.mp4")) == [0, 60, 120, 180, 240, 300]


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("truncated_mp4", SourceUnreadable, "incomplete or damaged"),
        ("truncated_mkv", SourceUnreadable, "incomplete or damaged"),
        ("without_index", SourceUnreadable, "index is missing"),
        ("garbled_whole", SourceUnreadable, "cannot be decoded"),
        ("garbled_mp4", SourceUnreadable, "decoded"),
        ("empty", SourceUnreadable, "empty"),
        ("words", SourceUnreadable, "cannot be decoded"),
        ("subtitles", PermanentError, "."),
    ],
)
def test_a_broken_source_fails_for_good_and_says_why(
    name: str, error: type[PermanentError], reason: str, clip: Clip, job_of: MakeJob
) -> None:
    job = job_of(clip(name))
    with pytest.raises(error, match=reason) as raised:
        job.run(HANDLERS)
    assert str(job.folder.parent) not in raised.value.message
    assert raised.value.message.endswith(".")


def test_a_scratch_in_the_middle_costs_no_frame(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("scratched"), chunk_s=2.1)
    job.run(HANDLERS)
    assert job.results["package"].result["frames"] == 255
    check_everything(job)


def test_a_source_may_be_too_long(clip: Clip, job_of: MakeJob) -> None:
    with pytest.raises(SourceTooLarge, match="at most 2 s"):
        job_of(clip("plain"), max_source_duration_s=2).run(HANDLERS)


def test_a_source_may_have_too_many_pixels(clip: Clip, job_of: MakeJob) -> None:
    with pytest.raises(SourceTooLarge, match="pixels"):
        job_of(clip("plain"), max_source_pixels=320 * 180 - 1).run(HANDLERS)


def test_a_source_may_have_too_many_streams(clip: Clip, job_of: MakeJob) -> None:
    with pytest.raises(SourceTooLarge, match="streams"):
        job_of(clip("plain"), max_source_streams=1).run(HANDLERS)


def test_progress_never_goes_back_and_every_step_names_its_stage(clip: Clip, job_of: MakeJob) -> None:
    """P1: every task reports the stage it is in."""
    job = job_of(clip("plain"))
    job.run(HANDLERS)
    for task in job.runs.values():
        assert task.stages
        assert task.fractions == sorted(task.fractions)
    assert job.runs["encode-000"].fractions[-1] == 1.0
    assert job.runs["encode-000"].cpu_s > 0


def test_frames_are_not_lost(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("plain"))
    job.run(HANDLERS)
    assert len(frame_hashes(job.path("90p.mp4"))) == 75


def test_a_kind_of_file_that_is_not_accepted_is_refused(clip: Clip, job_of: MakeJob) -> None:
    with pytest.raises(SourceRefused):
        job_of(clip("subtitles")).run(HANDLERS)
