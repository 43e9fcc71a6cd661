"""Chooses the frame rate that renditions are made at."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

MAX_FPS = 60
STANDARD = tuple(map(Fraction, ("24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60")))
UNKNOWN = Fraction(25)


def parse_rate(text: str | None) -> Fraction | None:
    """A rate as ffprobe writes it; None for the unknown rate "0/0"."""
    numerator, _, denominator = (text or "0/0").partition("/")
    if not numerator.isdigit() or not (denominator or "1").isdigit():
        return None
    if int(numerator) == 0 or int(denominator or 1) == 0:
        return None
    return Fraction(int(numerator), int(denominator or 1))


def is_variable(average: Fraction | None, base: Fraction | None) -> bool:
    """Whether frames are unevenly spaced: the average differs from the rate whose ticks hold every frame."""
    return average is None or base is None or abs(average - base) > base / 200


def choose_rate(average: Fraction | None, base: Fraction | None) -> Fraction:
    """The natural rate, at most 60 frames per second.

    An even rate is kept, or divided by a whole number when above 60. An uneven one becomes its base rate when that
    is near, or else the standard rate at or above its average.
    """
    rate = average or base or UNKNOWN
    if not is_variable(average, base):
        assert base is not None
        return capped(base)
    if base is not None and rate <= base <= MAX_FPS and base <= rate * 5 / 2:
        return base
    return next((standard for standard in STANDARD if standard >= rate * Fraction(98, 100)), capped(rate))


def capped(rate: Fraction) -> Fraction:
    """`rate` divided by the smallest whole number that brings it to 60 or below."""
    # 60.02 is a clock that runs a little fast, not twice 30.01.
    if MAX_FPS < rate <= MAX_FPS * Fraction(101, 100):
        return Fraction(MAX_FPS)
    return rate / max(1, ceil(rate / MAX_FPS))
