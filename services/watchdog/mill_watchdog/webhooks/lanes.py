"""How many requests each endpoint may have under way, so that one slow receiver delays nobody else.

An endpoint has a lane; an owner's URLs for single jobs at one host share theirs, or whoever hangs could be met as a
stranger with every job. A lane that is not known yet gets one, and one more for each quick success, up to an eighth of
the threads. Whoever fails gets one. Those not known yet share a half of the threads, those that are slow a quarter, and
those that hang an eighth, so there are always some for those that are known to answer. Who is slow does not wait behind
who hangs. One that the rows call failing is met as if it hung.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from uuid import UUID

QUICK_S = 3.0  # an answer that takes longer makes a receiver slow
REMEMBERED_MAX = 10_000


Lane = UUID | str


class Pace(Enum):
    """How an endpoint has answered, and one in how many threads may wait for all of its kind."""

    QUICK = 1
    UNKNOWN = 2
    SLOW = 4  # took long, and took it
    HANGING = 8  # took long for nothing


class Lanes:
    """The threads of one watchdog. Not safe for threads: its owner locks."""

    def __init__(self, threads: int) -> None:
        self.free_threads = threads
        self._most = max(1, threads // 8)
        self._free: dict[Pace, int] = {pace: max(1, threads // pace.value) for pace in Pace if pace is not Pace.QUICK}
        self._busy: Counter[Lane] = Counter()
        self._paces: dict[Lane, Pace] = {}
        self._limits: dict[Lane, int] = {}

    def meet(self, lane: Lane) -> None:
        """Expect the worst of a lane, unless it is known: the rows say that it fails."""
        if lane not in self._busy:
            self._paces.setdefault(lane, Pace.HANGING)

    def room(self, lane: Lane) -> int:
        """How many more requests a lane may have now."""
        of_kind = self._free.get(self._pace(lane), self.free_threads)
        return max(0, min(self._limits.get(lane, 1) - self._busy[lane], of_kind, self.free_threads))

    def take(self, lane: Lane, count: int) -> None:
        """Begin `count` requests."""
        self._busy[lane] += count
        self.free_threads -= count
        self._count(lane, -count)

    def leave(self, lane: Lane, count: int = 1) -> None:
        """End `count` requests."""
        self.take(lane, -count)
        if self._busy[lane] <= 0:
            del self._busy[lane]

    def learn(self, lane: Lane, *, took_s: float, succeeded: bool) -> None:
        """Say how a request went that is under way still."""
        pace = Pace.QUICK if took_s <= QUICK_S else Pace.SLOW if succeeded else Pace.HANGING
        self._count(lane, self._busy[lane])
        self._paces[lane] = pace
        self._count(lane, -self._busy[lane])
        limit = self._limits.get(lane, 1)
        more = min(limit + 1, self._most) if pace is Pace.QUICK else max(1, limit // 2)
        self._limits[lane] = more if succeeded else 1
        if len(self._limits) > REMEMBERED_MAX:
            self._forget()

    def _pace(self, lane: Lane) -> Pace:
        return self._paces.get(lane, Pace.UNKNOWN)

    def _count(self, lane: Lane, more: int) -> None:
        pace = self._pace(lane)
        if pace in self._free:
            self._free[pace] += more

    def _forget(self) -> None:
        """Meet everybody again as a stranger who has nothing under way."""
        self._limits = {known: limit for known, limit in self._limits.items() if known in self._busy}
        self._paces = {known: pace for known, pace in self._paces.items() if known in self._busy}
