"""The picture that several are fitted into."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mill_transcoder.canvas import Canvas, Place, choose_canvas, place_on
from mill_transcoder.media import VideoStream


def picture(width: int, height: int, rate: str = "25") -> VideoStream:
    """A picture as a viewer sees it."""
    return VideoStream(
        index=0,
        codec="h264",
        width=width,
        height=height,
        display_width=width,
        display_height=height,
        rotation=0,
        sample_aspect="1:1",
        pixel_format="yuv420p",
        rate=rate,
        source_rate=None,
        variable_rate=False,
        interlaced=False,
        transfer=None,
        primaries=None,
        matrix=None,
        start_s=0.0,
        end_s=1.0,
    )


def test_the_largest_picture_and_the_highest_rate_are_everybodys() -> None:
    pictures = [picture(640, 360, "50"), picture(1080, 1920), picture(1920, 1080, "24000/1001")]
    assert choose_canvas(pictures) == Canvas(1080, 1920, Fraction(50)), "the first of equals"


def test_a_canvas_has_even_sides_and_is_not_larger_than_its_picture() -> None:
    assert choose_canvas([picture(321, 181)]) == Canvas(320, 180, Fraction(25))


def test_without_a_picture_there_is_no_canvas() -> None:
    assert choose_canvas([]) is None


@pytest.mark.parametrize(
    ("width", "height", "place"),
    [
        (1280, 720, Place(1280, 720, 0, 0)),
        (320, 180, Place(1280, 720, 0, 0)),
        (720, 1280, Place(404, 720, 438, 0)),
        (640, 480, Place(960, 720, 160, 0)),
        (1280, 100, Place(1280, 100, 0, 310)),
        (4000, 2, Place(1280, 2, 0, 358)),
    ],
)
def test_a_picture_keeps_its_shape_and_lies_in_the_middle(width: int, height: int, place: Place) -> None:
    assert place_on(Canvas(1280, 720, Fraction(25)), picture(width, height)) == place
