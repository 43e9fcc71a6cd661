"""Which renditions a source gets, and their exact sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Rung:
    """One rendition's name and its size in pixels, both sides even."""

    name: str
    width: int
    height: int

    @property
    def file(self) -> str:
        """The name of its file: "360p.mp4"."""
        return f"{self.name}.mp4"


def build_ladder(width: int, height: int, short_sides: Sequence[int]) -> tuple[Rung, ...]:
    """The rungs for a picture displayed at `width` × `height`, ascending, never above it.

    A picture smaller than every rung gets one of its own size, named by its short side.
    """
    short = min(width, height)
    wanted = [side for side in sorted(set(short_sides)) if side <= short] or [short]
    return tuple(_rung(width, height, side) for side in wanted)


def _rung(width: int, height: int, side: int) -> Rung:
    scale = Fraction(side, min(width, height))
    return Rung(f"{side}p", even(width * scale, width), even(height * scale, height))


def even(length: Fraction, limit: int) -> int:
    """The even number nearest to `length`, at least 2 and not above `limit` (unless that is 1)."""
    return max(2, min(2 * round(length / 2), limit - limit % 2))
