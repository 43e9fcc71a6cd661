"""Keys that were looked up a moment ago, so that who reads much does not have the database asked twice each time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Generic, TypeVar

KNOWN_S = 1.0
MOST = 10_000

T = TypeVar("T")


@dataclass(frozen=True)
class _Known(Generic[T]):
    caller: T
    until: float  # of the monotonic clock


class KnownCallers(Generic[T]):
    """Remembers each for `KNOWN_S` seconds, by the digest of a key. Any thread may ask."""

    def __init__(self) -> None:
        self._known: dict[str, _Known[T]] = {}

    def get(self, digest: str) -> T | None:
        """Who that is, if it was looked up so lately."""
        known = self._known.get(digest)
        return known.caller if known is not None and time.monotonic() < known.until else None

    def note(self, digest: str, caller: T, *, asked_at: float) -> None:
        """Remember who that was when the database was asked."""
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[digest] = _Known(caller, asked_at + KNOWN_S)

    def forget(self) -> None:
        """Ask the database again, of everybody."""
        self._known = {}
