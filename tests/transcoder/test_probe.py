from __future__ import annotations

from typing import Any

import pytest
from transcoder.conftest import Clip, MakeJob
from transcoder.looking import streams

from mill_common.errors import SourceUnreadable
from mill_transcoder.described import read_media
from mill_transcoder.media import MediaInfo
from mill_transcoder.probe import falls_short, inspect

PICTURE: dict[str, Any] = {
    "index": 0,
    "codec_type": "video",
    "codec_name": "h264",
    "width": 1920,
    "height": 1080,
    "r_frame_rate": "25/1",
    "avg_frame_rate": "25/1",
}
SOUND: dict[str, Any] = {
    "index": 1,
    "codec_type": "audio",
    "codec_name": "aac",
    "sample_rate": "48000",
    "channels": 2,
}


def facts(clip: Clip, job_of: MakeJob, name: str) -> MediaInfo:
    return inspect(job_of(clip(name)).task("probe"), clip(name))


def read(*streams: dict[str, Any]) -> MediaInfo:
    return read_media({"format": {"format_name": "mov,mp4", "duration": "10"}, "streams": list(streams)})


@pytest.mark.parametrize(
    ("name", "duration_s"),
    [("plain", 3), ("no_duration", 10.2), ("late_audio", 4), ("late_video", 3), ("audio_only", 3), ("transport", 10.2)],
)
def test_the_duration_is_measured(name: str, duration_s: float, clip: Clip, job_of: MakeJob) -> None:
    assert facts(clip, job_of, name).duration_s == pytest.approx(duration_s, abs=0.1)


def test_frames_are_counted_at_the_rate_of_the_renditions(clip: Clip, job_of: MakeJob) -> None:
    for name, frames in (("plain", 75), ("ntsc", 306), ("slow_rate", 128), ("fast", 120), ("one_frame", 1)):
        video = facts(clip, job_of, name).video
        assert video is not None
        assert video.frames == frames


def test_late_streams_are_known_to_be_late(clip: Clip, job_of: MakeJob) -> None:
    late = facts(clip, job_of, "late_audio")
    assert late.video is not None
    assert late.audio is not None
    assert late.audio.start_s - late.video.start_s == pytest.approx(1.5, abs=0.05)


def test_the_facts_of_an_anamorphic_picture(clip: Clip, job_of: MakeJob) -> None:
    video = facts(clip, job_of, "anamorphic").video
    assert video is not None
    assert (video.width, video.height, video.sample_aspect) == (240, 180, "4:3")
    assert (video.display_width, video.display_height) == (320, 180)


def test_the_facts_of_a_rotated_picture(clip: Clip, job_of: MakeJob) -> None:
    video = facts(clip, job_of, "rotated").video
    assert video is not None
    assert (video.width, video.display_width) == (320, 180)
    assert video.rotation in {90, 270}


@pytest.mark.parametrize(
    ("name", "pixel_format", "hdr"),
    [("ten_bit", "yuv420p10le", False), ("four_four_four", "yuv444p", False), ("white_hdr", "yuv420p10le", True)],
)
def test_the_facts_of_deep_pictures(name: str, pixel_format: str, hdr: bool, clip: Clip, job_of: MakeJob) -> None:
    video = facts(clip, job_of, name).video
    assert video is not None
    assert (video.pixel_format, video.hdr) == (pixel_format, hdr)


def test_a_track_without_a_packet_is_none(clip: Clip, job_of: MakeJob) -> None:
    assert streams(clip("silent_track")).keys() == {"video", "audio"}
    assert facts(clip, job_of, "silent_track").audio is None


def test_the_default_sound_track_is_used() -> None:
    other = {**SOUND, "index": 2, "channels": 6, "disposition": {"default": 1}}
    media = read(PICTURE, SOUND, other)
    assert media.audio is not None
    assert (media.audio.index, media.audio_streams) == (2, 2)


def test_streams_that_cannot_be_decoded_do_not_count() -> None:
    unknown = {key: value for key, value in SOUND.items() if key != "codec_name"}
    assert read(PICTURE, unknown).audio is None
    with pytest.raises(SourceUnreadable):
        read(unknown, {"index": 3, "codec_type": "data"})


def test_anything_may_be_missing() -> None:
    bare = {key: PICTURE[key] for key in ("index", "codec_type", "codec_name", "width", "height")}
    media = read_media({"format": {}, "streams": [bare]})
    assert media.video is not None
    assert (media.video.rate, media.duration_s, media.start_s) == ("25", 0.0, 0.0)
    assert media.to_json()["codec"] == "h264"


def test_an_absurd_aspect_is_ignored() -> None:
    for aspect in ("1:1000", "1000:1", "0:1", "N/A"):
        video = read({**PICTURE, "sample_aspect_ratio": aspect}).video
        assert video is not None
        assert (video.display_width, video.display_height) == (1920, 1080)


@pytest.mark.parametrize(
    ("measured_s", "declared_s", "short"),
    [(10, 10, False), (9.1, 10, False), (8.9, 10, True), (98.1, 100, False), (97.9, 100, True), (0, 0, False)],
)
def test_what_falls_short(measured_s: float, declared_s: float, short: bool) -> None:
    assert falls_short(measured_s, declared_s) is short
