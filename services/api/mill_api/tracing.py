"""A trace for each request, when a DSN is set."""

from __future__ import annotations

from collections.abc import Awaitable

import sentry_sdk
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mill_common.tracing import continued

_LEFT_OUT = ("/health", "/livez", "/readyz", "/docs", "/redoc", "/metrics")


class Traced:
    """Names each request by its route, never by its path: that holds names of files and signatures."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or not sentry_sdk.is_initialized() or scope["path"].startswith(_LEFT_OUT):
            return self._app(scope, receive, send)
        return self._trace(scope, receive, send)

    async def _trace(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope)
        headers = {name: given[name] for name in ("sentry-trace", "baggage") if name in given}
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with continued(headers, op="http.server", name=scope["method"], http__request__method=scope["method"]) as span:
            try:
                await self._app(scope, receive, noting)
            except Exception as error:
                sentry_sdk.capture_exception(error)
                raise
            finally:
                # The route is known only once it was taken.
                path = getattr(scope.get("endpoint"), "path", "other")
                sentry_sdk.get_current_scope().set_transaction_name(f"{scope['method']} {path}", source="route")
                span.set_http_status(status or 500)
