"""How patient the queue is."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Self

from mill_common.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Times in seconds."""

    lease_s: float = 120.0
    max_attempts: int = 5
    max_crashes: int = 3
    max_outages: int = 100
    retry_base_s: float = 10.0
    retry_cap_s: float = 600.0
    resend_after_s: float = 15.0

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The policy that the settings ask for."""
        return cls(**{name: getattr(settings, name) for name in cls.__dataclass_fields__})

    def backoff_s(self, attempts: int) -> float:
        """How long to wait after the `attempts`-th attempt failed: doubling, capped, between half and all of it.

        Source: Brooker, "Exponential Backoff and Jitter" (equal jitter).
        """
        ceiling = min(self.retry_cap_s, self.retry_base_s * 2.0 ** min(attempts - 1, 32))
        return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing
