"""Lengths of time in buckets that grow by a tenth: any percentile is right to within five per cent.

Buckets of the same number hold the same lengths wherever they were counted, so histograms are added up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

GROWTH = 1.1
SMALLEST_MS = 0.1
LAST = 220  # above a day


def bucket_of(seconds: float) -> int:
    """The bucket of a length. Bucket 0 holds everything up to `SMALLEST_MS`."""
    milliseconds = seconds * 1000
    if milliseconds <= SMALLEST_MS:
        return 0
    return min(LAST, math.ceil(math.log(milliseconds / SMALLEST_MS, GROWTH)))


def percentile_ms(counts: Mapping[int, int], share: float) -> float | None:
    """The length in milliseconds that `share` of those counted did not exceed; None without any."""
    wanted = math.ceil(share * sum(counts.values()))
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted > 0:
            # The middle of a bucket, by ratio: the most that it can be wrong is the square root of `GROWTH`.
            return round(SMALLEST_MS * GROWTH ** (bucket - 0.5 if bucket else 0), 2)
    return None
