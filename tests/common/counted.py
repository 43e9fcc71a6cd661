"""How a metric of this process rises."""

from __future__ import annotations

from mill_common.metrics import REGISTRY


class Counted:
    """How far a sample has risen since this was made."""

    def __init__(self, name: str, **labels: str) -> None:
        self._sample = (name, labels)
        self._before = self._now()

    def rise(self) -> float:
        """By how much."""
        return self._now() - self._before

    def _now(self) -> float:
        return REGISTRY.get_sample_value(*self._sample) or 0.0
