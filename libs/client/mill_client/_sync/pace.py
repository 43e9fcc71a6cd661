# Made from _async/pace.py by `python -m tools.unasync`: change that.
"""How often to look while waiting, and until when."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Pace:
    """Pauses that grow from `first_s` to `longest_s` and never reach past `timeout_s` from now."""

    timeout_s: float | None = None
    first_s: float = 0.2
    longest_s: float = 1.0
    growth: float = 1.3
    _started: float = field(default_factory=time.monotonic, init=False)

    @property
    def left_s(self) -> float:
        """Seconds until the timeout."""
        return float("inf") if self.timeout_s is None else self._started + self.timeout_s - time.monotonic()

    def pause(self) -> bool:
        """Sleep a little longer than last time. False, and no sleep, once the time is over."""
        if self.left_s <= 0:
            return False
        time.sleep(min(self.first_s, self.left_s))
        self.first_s = min(self.first_s * self.growth, self.longest_s)
        return True
