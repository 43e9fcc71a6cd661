"""When a delivery that failed is tried again."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mill_common.models.webhooks import WebhookEvent

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
# After each failure but the last. Source: Standard Webhooks, "Deliverability and reliability".
DELAYS_S = (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
ATTEMPTS_MAX = len(DELAYS_S) + 1  # the first is made at once
RETRY_AFTER_MAX_S = DAY
# A later report says more than one that failed, and a last word is said once.
SAID_ONCE = frozenset({WebhookEvent.JOB_PROGRESS, WebhookEvent.DISABLED})
FAILING_S = 5 * DAY  # an endpoint that fails for longer is disabled
FAILED_AGAIN_S = 12 * HOUR  # between its first failure and its last: fewer are a passing trouble
FORGIVEN_S = 2 * DAY  # without a failure, longer than any delay: what failed before is another story
_JITTER = 0.1  # of a delay, either way


def delay_s(attempts: int) -> float | None:
    """How long to wait after the `attempts`-th attempt failed; None if it was the last."""
    if attempts >= ATTEMPTS_MAX:
        return None
    return DELAYS_S[attempts - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads, guards nothing


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """How long a receiver asks to be left alone: seconds or a date (RFC 9110 §10.2.3), a day at most."""
    if header is None:
        return None
    wait = float(header) if header.strip().isdecimal() else _until(header, now)
    return None if wait is None else min(max(wait, 0.0), RETRY_AFTER_MAX_S)


def _until(header: str, now: datetime) -> float | None:
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
