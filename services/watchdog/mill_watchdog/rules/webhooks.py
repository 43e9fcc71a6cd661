"""Receivers that do not take what they asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

from mill_common.alerts import Finding, Rule, View
from mill_common.hooks.endpoints import failing_endpoints, lately_disabled
from mill_common.models import AlertLevel, WebhookEndpoint
from mill_watchdog.rules.processing import AT_MOST


class WebhookEndpointFailing(Rule):
    """An endpoint fails for long, or was disabled lately because it failed or is gone.

    URLs stay unsaid: those of chats hold their secret.
    """

    type = "webhook_endpoint"

    def find(self, view: View) -> Iterator[Finding]:
        """One for each endpoint of a key, and one for all the URLs of an owner's single jobs."""
        now, settings = view.now, view.settings
        failing = failing_endpoints(view.session, for_s=settings.alert_webhook_failing_s, limit=AT_MOST)
        disabled = lately_disabled(view.session, now - timedelta(seconds=settings.alert_window_s), limit=AT_MOST)
        together: dict[tuple[str, str], list[WebhookEndpoint]] = defaultdict(list)
        for endpoint in (*disabled, *failing):
            together[endpoint.owner_id, str(endpoint.id) if endpoint.job_id is None else ""].append(endpoint)
        for (owner_id, webhook), endpoints in together.items():
            labels = {"owner": owner_id, "webhook": webhook} if webhook else {"owner": owner_id}
            yield _finding(labels, endpoints, view)


def _finding(labels: dict[str, str], endpoints: Sequence[WebhookEndpoint], view: View) -> Finding:
    worst = endpoints[0]
    details = {"webhook_id": str(worst.id), "count": len(endpoints)}
    if worst.failing_since is not None:
        details["failing_seconds"] = round((view.now - worst.failing_since).total_seconds())
    if worst.disabled_reason is None:
        details["threshold_seconds"] = view.settings.alert_webhook_failing_s
        what = f"has failed since {worst.failing_since:%Y-%m-%d %H:%M} UTC"
    else:
        details["disabled_reason"] = worst.disabled_reason.value
        what = f"was disabled at {worst.disabled_at:%Y-%m-%d %H:%M} UTC: {worst.disabled_reason}"
    more = f" So it is with {len(endpoints) - 1} more." if len(endpoints) > 1 else ""
    return Finding(
        level=AlertLevel.WARNING if worst.disabled_reason is None else AlertLevel.ERROR,
        title="Webhook endpoint failing" if worst.disabled_reason is None else "Webhook endpoint disabled",
        message=f"Webhook {worst.id} of {worst.owner_id} {what}.{more}",
        labels=labels,
        details=details,
        job_id=worst.job_id,
        owner_id=worst.owner_id,
    )
