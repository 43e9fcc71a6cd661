"""What the interface answers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlmodel import col

from mill_common.alerts import Finding, Rule, View
from mill_common.models import AlertLevel, Owner, Usage

SHOWN = 3  # routes with the most errors
_Figures = Counter[tuple[date, str]]  # by day and route


@dataclass(frozen=True)
class _Look:
    """What the rows said at one time."""

    at: datetime
    requests: _Figures
    errors: _Figures


class ApiErrorRate(Rule):
    """Too many of the requests of late were answered with an error.

    The rows count by the day, so what they said before is remembered; after a start there is nothing to compare with,
    and the next look finds the first rate.
    """

    type = "api_error_rate"

    def __init__(self) -> None:
        self._looks: deque[_Look] = deque()

    def find(self, view: View) -> Iterator[Finding]:
        """One, with the rate and the routes that answered most of the errors."""
        look = _look(view)
        self._looks.append(look)
        before = self._before(look.at - timedelta(seconds=view.settings.alert_window_s))
        total = (look.requests - before.requests).total()
        errors = look.errors - before.errors
        limit = view.settings.alert_api_error_rate
        if total < view.settings.alert_api_error_rate_least or errors.total() <= limit * total:
            return
        rate = errors.total() / total
        routes: Counter[str] = Counter()
        for (_, route), count in errors.items():
            routes[route] += count
        yield Finding(
            level=AlertLevel.ERROR,
            title="High API error rate",
            message=f"{rate:.0%} of {total} requests were answered with an error; more than {limit:.0%} were.",
            details={
                "error_rate": round(rate, 4),
                "threshold": limit,
                "requests": total,
                "since": f"{before.at:%Y-%m-%dT%H:%M:%SZ}",
                "routes": dict(routes.most_common(SHOWN)),
            },
        )

    def _before(self, since: datetime) -> _Look:
        """The latest look that is not after `since`, else the first of all; what lies before it is forgotten."""
        while len(self._looks) > 1 and self._looks[1].at <= since:
            self._looks.popleft()
        return self._looks[0]


def _look(view: View) -> _Look:
    first = (view.now - timedelta(seconds=view.settings.alert_window_s)).date()
    counted = (
        select(col(Usage.day), col(Usage.route), func.sum(Usage.requests), func.sum(Usage.errors))
        # The index begins with the owner.
        .where(col(Usage.owner_id).in_(select(col(Owner.id))), col(Usage.day) >= first)
        .group_by(col(Usage.day), col(Usage.route))
    )
    look = _Look(view.now, Counter(), Counter())
    for day, route, requests, errors in view.session.execute(counted):
        look.requests[day, route] = int(requests)
        look.errors[day, route] = int(errors)
    return look
