"""How long an exchange may still take, and whether anybody still wants it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import httpcore

_T = TypeVar("_T")
_SLICE_S = 0.5


def wanted() -> None:
    """A check that never objects."""


class Patience:
    """A deadline over many reads, each of which has a limit of its own.

    A server that sends a byte now and then never runs into the limit of a single read. `check` is called before each
    read and twice a second while one waits; what it raises ends the exchange.
    """

    def __init__(self, check: Callable[[], None] = wanted) -> None:
        self._check = check
        self._ends = float("inf")

    def until(self, ends: float) -> None:
        """Be patient until `ends`, in seconds of the monotonic clock."""
        self._ends = ends

    def left(self, limit_s: float | None) -> float:
        """Seconds that the next step may take, at most `limit_s`.

        Raises:
            httpcore.ReadTimeout: If there are none.
        """
        self._check()
        left = self._ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left if limit_s is None else min(left, limit_s)

    def wait(self, read: Callable[[float], _T], limit_s: float | None) -> _T:
        """Call `read` with a short timeout until it returns, for `limit_s` seconds in all."""
        ends = time.monotonic() + self.left(limit_s)
        while True:
            try:
                return read(min(_SLICE_S, max(ends - time.monotonic(), 0.001)))
            except httpcore.ReadTimeout:
                if time.monotonic() >= ends:
                    raise
                self._check()
