"""Sentry, when a DSN is set. Must come before the broker is made.

Nothing is sent that names a file, an address or a person. So the SDK's own gathering is off, but for what is listed
below, and what is left is let through by a list of what may pass: see `mill_common.sentry_scrub`.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.sqlalchemy import SqlalchemyIntegration

from mill_common.errors import PermanentError, Stopped
from mill_common.sentry_scrub import scrub_error, scrub_transaction
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
        sample_rate=settings.sentry_sample_rate,
        traces_sample_rate=settings.sentry_traces_sample_rate,
        default_integrations=False,  # they take arguments of processes, addresses of requests and every line of the log
        integrations=[
            AtexitIntegration(callback=lambda _pending, _timeout: None),
            DedupeIntegration(),
            ExcepthookIntegration(),
            SqlalchemyIntegration(),
        ],
        send_default_pii=False,
        include_local_variables=False,  # they hold file names and addresses
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_breadcrumb=lambda _crumb, _hint: None,
        before_send=_before_send,
        before_send_transaction=lambda event, _hint: scrub_transaction(event),
        auto_session_tracking=False,
    )
    sentry_sdk.get_global_scope().set_tag("service", service)  # threads begin without the others
    return True


def _before_send(event: Any, hint: dict[str, Any]) -> Any:
    error = (hint.get("exc_info") or (None, None, None))[1]
    # A bad source and a handed-back task are answers, not defects.
    return None if isinstance(error, PermanentError | Stopped) else scrub_error(event, error)
