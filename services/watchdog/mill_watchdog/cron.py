"""When a schedule fires, in the wall-clock time of a named zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

from mill_common.errors import MillError


class UnknownTimeZone(MillError):
    """The time zone that schedules are to follow is not known."""

    code = "unknown_time_zone"


@dataclass(frozen=True)
class Cron:
    """Five fields and a time zone.

    A time that the clocks skip in spring fires when the gap ends. One that comes twice in autumn fires the first time
    only, unless the hour is `*`: then it is an interval, and intervals go on.
    """

    expression: str
    timezone: str

    def next_after(self, at: datetime) -> datetime:
        """The first fire after `at`, in UTC.

        Raises:
            UnknownTimeZone: There is no such time zone.
        """
        zone = _zone(self.timezone)
        while True:
            local = croniter(self.expression, at.astimezone(zone)).get_next(datetime)
            at = local.astimezone(UTC)
            if not (at.astimezone(zone).fold and self._names_an_hour):
                return at

    @property
    def _names_an_hour(self) -> bool:
        return not self.expression.split()[1].startswith("*")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownTimeZone(f"MILL_SCHEDULE_TIMEZONE names no time zone: {name!r}.") from error
