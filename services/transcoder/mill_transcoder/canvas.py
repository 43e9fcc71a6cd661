"""The one picture that several are fitted into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from mill_transcoder.ladder import even
from mill_transcoder.media import VideoStream


@dataclass(frozen=True)
class Canvas:
    """Size in pixels, both sides even, and frames per second."""

    width: int
    height: int
    rate: Fraction


@dataclass(frozen=True)
class Place:
    """Where a picture lies on a canvas, in pixels, all of them even."""

    width: int
    height: int
    left: int
    top: int


def choose_canvas(pictures: Sequence[VideoStream]) -> Canvas | None:
    """The size of the picture with the most pixels as shown, the first of equals, and the highest rate of all.

    So no picture loses pixels or frames, and none is made larger than the largest. None if there is no picture.
    """
    if not pictures:
        return None
    largest = max(pictures, key=lambda picture: picture.display_width * picture.display_height)
    return Canvas(
        width=even(Fraction(largest.display_width), largest.display_width),
        height=even(Fraction(largest.display_height), largest.display_height),
        rate=max(picture.fps for picture in pictures),
    )


def place_on(canvas: Canvas, picture: VideoStream) -> Place:
    """As large as it fits, its shape kept, in the middle."""
    scale = min(Fraction(canvas.width, picture.display_width), Fraction(canvas.height, picture.display_height))
    width = even(picture.display_width * scale, canvas.width)
    height = even(picture.display_height * scale, canvas.height)
    return Place(width, height, _middle(canvas.width - width), _middle(canvas.height - height))


def _middle(spare: int) -> int:
    # Colours are kept for pairs of pixels, so a picture begins at an even one.
    return spare // 4 * 2
