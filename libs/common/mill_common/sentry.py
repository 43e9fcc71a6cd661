"""Sentry, when a DSN is set. Must come before the broker is made."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import sentry_sdk

from mill_common.errors import PermanentError, Stopped
from mill_common.redact import redact
from mill_common.settings import Settings


def init_sentry(settings: Settings, service: str) -> bool:
    """Report unexpected errors of this process. Returns whether a DSN was set; without one nothing happens."""
    if settings.sentry_dsn is None:
        return False
    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        environment=settings.environment,
        release=f"mediamill@{version('mill-common')}",
        server_name=service,
        traces_sample_rate=settings.sentry_traces_sample_rate,
        send_default_pii=False,
        include_local_variables=False,  # they hold file names and addresses
        max_request_body_size="never",
        before_send=_before_send,
    )
    sentry_sdk.set_tag("service", service)
    return True


def _before_send(event: Any, hint: dict[str, Any]) -> Any:
    error = (hint.get("exc_info") or (None, None, None))[1]
    # A bad source and a handed-back task are answers, not defects.
    return None if isinstance(error, PermanentError | Stopped) else redact(event)
