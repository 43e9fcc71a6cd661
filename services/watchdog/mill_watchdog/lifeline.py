"""The dead man's switch: somebody outside hears regularly that alerts are watched, and raises the alarm if not."""

from __future__ import annotations

import httpx
import structlog

from mill_common.settings import Settings

log = structlog.get_logger(__name__)

LIMIT_S = 10.0


def send_heartbeat(settings: Settings) -> bool:
    """Ask the URL of `MILL_ALERT_HEARTBEAT_URL` for anything at all. Returns whether it answered well."""
    if settings.alert_heartbeat_url is None:
        return False
    try:
        answer = httpx.get(settings.alert_heartbeat_url.get_secret_value(), timeout=LIMIT_S, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The URL is the secret of whoever watches us: its name alone is said.
        log.warning("heartbeat_not_taken", error=type(error).__name__)
        return False
    if answer.is_error:
        log.warning("heartbeat_not_taken", status=answer.status_code)
    return answer.is_success
