"""How values spread."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pydantic import BaseModel

SAMPLE = 10_000  # the latest so many are looked at: more change the figures by less than they are shown with


class Spread(BaseModel):
    """Seconds: their mean, and below which of them half, 95 and 99 per cent lie. null without any."""

    count: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


def spread(seconds: Iterable[float]) -> Spread:
    """The spread of some values."""
    ordered = sorted(seconds)
    mean = round(sum(ordered) / len(ordered), 3) if ordered else None
    ranks = {f"p{percent}": _at(ordered, percent / 100) for percent in (50, 95, 99)}
    return Spread(count=len(ordered), mean=mean, **ranks)


def _at(ordered: list[float], share: float) -> float | None:
    """Between the two values next to the place, as `percentile_cont` does."""
    if not ordered:
        return None
    place = (len(ordered) - 1) * share
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return round(low + (high - low) * (place - math.floor(place)), 3)
