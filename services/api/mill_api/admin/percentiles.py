"""How values spread."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pydantic import BaseModel

from mill_common.figures import Totals
from mill_common.histogram import percentile_ms

SAMPLE = 10_000  # the latest so many are looked at: more change the figures by less than they are shown with


class Spread(BaseModel):
    """Seconds: their mean, and below which of them half, 95 and 99 per cent lie. null without any."""

    count: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


def spread_of(totals: Totals) -> Spread:
    """The spread of what was added up: the mean is exact, percentiles are right to within five per cent."""
    ranks = {percent: percentile_ms(totals.durations, percent / 100) for percent in (50, 95, 99)}
    seconds = {f"p{percent}": None if at is None else round(at / 1000, 3) for percent, at in ranks.items()}
    mean = round(totals.took_s / totals.attempts, 3) if totals.attempts else None
    return Spread(count=totals.attempts, mean=mean, **seconds)


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
