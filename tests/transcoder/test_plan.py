from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mill_common.queue.types import TRANSCODE, TRANSCRIBE
from mill_common.settings import Settings
from mill_common.spec import JobSpec, TranscriptSpec
from mill_transcoder.media import AudioStream, MediaInfo, VideoStream
from mill_transcoder.plan import EncodePlan, cut, plan_encode, plan_tasks

VIDEO = VideoStream(
    index=0,
    codec="h264",
    width=1280,
    height=720,
    display_width=1280,
    display_height=720,
    rotation=0,
    sample_aspect="1:1",
    pixel_format="yuv420p",
    rate="25",
    source_rate=25.0,
    variable_rate=False,
    interlaced=False,
    transfer=None,
    primaries=None,
    matrix=None,
    start_s=0.0,
    end_s=600.0,
)
AUDIO = AudioStream(index=1, codec="aac", channels=2, sample_rate=48000, language=None, start_s=0.0, end_s=600.0)
MEDIA = MediaInfo(
    container="mov", start_s=0.0, duration_s=600.0, bit_rate=None, audio_streams=1, video=VIDEO, audio=AUDIO
)
ALL = JobSpec(transcript=TranscriptSpec())
FRAMES = st.integers(1, 5_000_000)
GOP = st.integers(1, 120)
SIZE = st.fractions(1, 100_000)


def needs(media: MediaInfo, spec: JobSpec, settings: Settings | None = None) -> dict[str, set[str]]:
    encode = plan_encode(media, media.video, spec, settings or Settings()) if media.video else None
    return {task.name: set(task.needs) for task in plan_tasks(media, spec, encode)}


@given(FRAMES, GOP, SIZE)
def test_chunks_cover_every_frame_once(frames: int, gop: int, size: Fraction) -> None:
    at = 0
    for index, chunk in enumerate(cut(frames, gop, max(size, Fraction(frames, 2000)))):
        assert (chunk.index, chunk.first) == (index, at)
        assert chunk.frames > 0
        at += chunk.frames
    assert at == frames


@given(FRAMES, GOP, SIZE)
def test_chunks_begin_on_the_grid_of_key_frames(frames: int, gop: int, size: Fraction) -> None:
    chunks = cut(frames, gop, max(size, Fraction(frames, 2000)))
    assert all(chunk.first % gop == 0 for chunk in chunks)
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


@given(FRAMES, GOP, st.fractions(240, 100_000))
def test_a_chunk_is_about_as_long_as_asked(frames: int, gop: int, size: Fraction) -> None:
    for chunk in cut(frames, gop, size):
        assert chunk.frames <= size * Fraction(3, 2) + gop


@given(GOP, st.fractions(1, 100_000), st.fractions(0, 1))
def test_a_source_up_to_one_and_a_half_chunks_stays_whole(gop: int, size: Fraction, share: Fraction) -> None:
    frames = max(1, int(size * Fraction(3, 2) * share))
    assert len(cut(frames, gop, size)) == 1


def test_a_container_without_an_index_stays_whole() -> None:
    assert len(plan_encode(replace(MEDIA, container="mpegts"), VIDEO, ALL, Settings()).chunks) == 1


def test_a_plan_survives_its_journey_as_json() -> None:
    plan = plan_encode(MEDIA, VIDEO, ALL, Settings())
    assert len(plan.chunks) == 5
    assert EncodePlan.from_json(plan.to_json()) == plan
    assert plan.frames == 15_000


@pytest.mark.parametrize("media", [MEDIA, replace(MEDIA, audio=None), replace(MEDIA, video=None)])
def test_media_facts_survive_their_journey_as_json(media: MediaInfo) -> None:
    assert MediaInfo.from_json(media.to_json()) == media


def test_packaging_waits_for_all_chunks_the_sound_and_the_captions() -> None:
    encodes = {f"encode-{at:03d}" for at in range(5)}
    planned = needs(MEDIA, ALL)
    assert planned["package"] == encodes | {"audio", "transcribe"}
    assert planned["transcribe"] == {"audio"}
    assert planned["thumbnails"] == {"package"}
    assert planned["publish"] == planned.keys() - {"publish"}
    assert all(planned[name] == set() for name in encodes | {"audio"})


def test_plain_files_do_not_wait_for_the_captions() -> None:
    planned = needs(MEDIA, JobSpec(hls=False, transcript=TranscriptSpec()))
    assert "transcribe" not in planned["package"]
    assert "transcribe" in planned["publish"]


def test_the_transcript_is_another_queues() -> None:
    tasks = plan_tasks(MEDIA, ALL, plan_encode(MEDIA, VIDEO, ALL, Settings()))
    assert {task.name for task in tasks if task.queue == TRANSCRIBE} == {"transcribe"}
    assert {task.queue for task in tasks if task.name != "transcribe"} == {TRANSCODE}


def test_sound_alone_is_neither_packaged_nor_pictured() -> None:
    assert needs(replace(MEDIA, video=None), ALL).keys() == {"audio", "transcribe", "publish"}


def test_sound_alone_of_which_nothing_is_wanted_is_not_decoded() -> None:
    assert needs(replace(MEDIA, video=None), JobSpec(audio=None, transcript=None)).keys() == {"publish"}


def test_encoding_weighs_most_of_the_work_without_a_transcript() -> None:
    tasks = plan_tasks(MEDIA, JobSpec(transcript=None), plan_encode(MEDIA, VIDEO, ALL, Settings()))
    weights = {task.name: task.weight for task in tasks}
    assert all(weight > 0 for weight in weights.values())
    encoding = sum(weight for name, weight in weights.items() if name.startswith("encode"))
    assert encoding > 0.8 * sum(weights.values())


def test_a_job_may_ask_for_its_own_renditions() -> None:
    plan = plan_encode(MEDIA, VIDEO, JobSpec(renditions=(480, 1080)), Settings())
    assert [rung.name for rung in plan.rungs] == ["480p"]
