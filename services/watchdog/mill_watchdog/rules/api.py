"""What the interface answers."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlmodel import col

from mill_common.alerts import Finding, Rule, View
from mill_common.models import AlertLevel, Traffic

SHOWN = 3  # routes with the most errors


class ApiErrorRate(Rule):
    """Too many of the requests of late were answered with an error."""

    type = "api_error_rate"

    def find(self, view: View) -> Iterator[Finding]:
        """One, with the rate and the routes that answered most of the errors."""
        figures = _figures(view)
        total = sum(requests for _, requests, _ in figures)
        errors = sum(errors for *_, errors in figures)
        limit = view.settings.alert_api_error_rate
        if total < view.settings.alert_api_error_rate_least or errors <= limit * total:
            return
        rate = errors / total
        yield Finding(
            level=AlertLevel.ERROR,
            title="High API error rate",
            message=f"{rate:.0%} of {total} requests were answered with an error; more than {limit:.0%} were.",
            details={
                "error_rate": round(rate, 4),
                "threshold": limit,
                "requests": total,
                "window_seconds": view.settings.alert_window_s,
                "routes": {route: errors for route, _, errors in figures[:SHOWN] if errors},
            },
        )


def _figures(view: View) -> list[tuple[str, int, int]]:
    """Each route's requests and errors within the window, to the minute; the most errors first."""
    since = (view.now.timestamp() - view.settings.alert_window_s) // 60
    errors = func.sum(Traffic.errors)
    counted = select(col(Traffic.route), func.sum(Traffic.requests), errors).where(col(Traffic.minute) > since)
    rows = view.session.execute(counted.group_by(col(Traffic.route)).order_by(errors.desc(), col(Traffic.route)))
    return [(route, int(requests), int(failed)) for route, requests, failed in rows]
