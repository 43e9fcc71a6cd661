from __future__ import annotations

from fractions import Fraction

import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st
from transcoder.conftest import Clip, MakeJob
from transcoder.looking import pixels, streams

from mill_common.spec import JobSpec
from mill_transcoder.handlers import HANDLERS
from mill_transcoder.ladder import build_ladder
from mill_transcoder.thumbnails import Sheets, clock


def sheets_for(seconds: float, fps: int = 25, size: tuple[int, int] = (640, 360)) -> Sheets:
    return Sheets.of(build_ladder(*size, [360])[0], max(1, round(seconds * fps)), 2 * fps, Fraction(fps))


@given(st.integers(1, 3_000_000), st.integers(1, 60), st.integers(2, 4000), st.integers(2, 4000))
def test_every_picture_has_a_place_of_its_own(frames: int, fps: int, width: int, height: int) -> None:
    sheets = sheets_for(frames / 25, fps, (width, height))
    first, last = sheets.place(0), sheets.place(sheets.count - 1)
    assert first == ("sprite-001.jpg", 0, 0)
    assert last[0] == f"sprite-{sheets.sheets:03d}.jpg"
    assert last[1] + sheets.width <= sheets.columns * sheets.width
    assert last[2] + sheets.height <= sheets.rows * sheets.height
    assert len({sheets.place(at) for at in range(min(sheets.count, 300))}) == min(sheets.count, 300)


@pytest.mark.parametrize(
    ("seconds", "interval_s", "count", "sheets"),
    [(0.5, 2, 1, 1), (8, 2, 4, 1), (200, 2, 100, 1), (600, 6, 100, 1), (3600, 10, 360, 4), (12 * 3600, 10, 4320, 44)],
)
def test_pictures_are_close_in_a_short_video_and_at_most_ten_seconds_apart_in_a_long_one(
    seconds: float, interval_s: int, count: int, sheets: int
) -> None:
    made = sheets_for(seconds)
    assert (float(made.interval_s), made.count, made.sheets) == (interval_s, count, sheets)


def test_times_are_written_as_webvtt_wants_them() -> None:
    assert [clock(0), clock(61.5), clock(3599.9996), clock(36000)] == [
        "00:00:00.000",
        "00:01:01.500",
        "01:00:00.000",
        "10:00:00.000",
    ]


@pytest.mark.parametrize("name", ["ntsc", "portrait", "one_frame"])
def test_the_index_names_a_picture_for_every_moment(name: str, clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip(name), spec=JobSpec(hls=False, transcript=None))
    job.run(HANDLERS)
    index = webvtt.WebVTT.read(str(job.path("thumbnails/thumbnails.vtt"))).captions
    ends = [0.0, *(cue.end_in_seconds + cue.end_time.milliseconds / 1000 for cue in index)]
    starts = [cue.start_in_seconds + cue.start_time.milliseconds / 1000 for cue in index]
    assert starts == ends[:-1]
    rendition = next(output for output in job.outputs.values() if output.kind == "rendition")
    assert ends[-1] == pytest.approx(rendition.facts["duration_s"], abs=0.002)
    for cue in index:
        sheet, _, place = cue.text.partition("#xywh=")
        left, top, width, height = map(int, place.split(","))
        shown = streams(job.path(f"thumbnails/{sheet}"))["video"]
        assert left + width <= shown["width"]
        assert top + height <= shown["height"]


def test_each_picture_is_the_one_of_its_moment(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("ntsc"), spec=JobSpec(hls=False, transcript=None), ladder="90")
    job.run(HANDLERS)
    facts = job.outputs["thumbnails/thumbnails.vtt"].facts
    sheet = pixels(job.path("thumbnails/sprite-001.jpg"), 8 * facts["pictures"], 6).astype(int)
    for at in range(facts["pictures"]):
        wanted = pixels(job.path("90p.mp4"), 8, 6, at_s=at * facts["interval_s"]).astype(int)
        found = [abs(sheet[:, 8 * n : 8 * n + 8] - wanted).mean() for n in range(facts["pictures"])]
        assert found.index(min(found)) == at


def test_the_poster_has_the_largest_renditions_size(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("portrait"), spec=JobSpec(hls=False, transcript=None))
    job.run(HANDLERS)
    shown = streams(job.path("thumbnails/poster.jpg"))["video"]
    assert (shown["codec_name"], shown["width"], shown["height"]) == ("mjpeg", 144, 256)
