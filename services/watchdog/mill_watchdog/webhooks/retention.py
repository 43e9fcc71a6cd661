"""What was sent is kept for a while."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlmodel import Session

from mill_common.hooks.retention import forget_deliveries, forget_endpoints
from mill_common.resources import Resources
from mill_common.runs import Result, Run


def forget_webhooks(resources: Resources, run: Run) -> Result:
    """Remove deliveries that ended more than `webhook_keep_days` ago, and the URLs of jobs that are gone."""
    keep_days = resources.settings.webhook_keep_days
    deliveries = _until_none(resources, run, partial(forget_deliveries, keep_days=keep_days))
    return {"deliveries_removed": deliveries, "endpoints_removed": _until_none(resources, run, forget_endpoints)}


def _until_none(resources: Resources, run: Run, forget: Callable[[Session], int]) -> int:
    total = 0
    while removed := resources.database.run(forget):
        total += removed
        run.expect(removed)
        run.count(succeeded=removed)
    return total
