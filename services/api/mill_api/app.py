"""The gateway as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from mill_api.admin.cache import Cache
from mill_api.auth import Forbidden, Unauthenticated
from mill_api.callers import Caller
from mill_api.docs_pages import docs_routes
from mill_api.edge import Edge
from mill_api.keys.known_callers import KnownCallers
from mill_api.live import Hub
from mill_api.openapi import Endpoint, document
from mill_api.operations import endpoints
from mill_api.problems import of_http_exception, of_mill_error
from mill_api.rate_limits import Rate, RateLimited, RateLimits
from mill_api.resources import Resources
from mill_api.shortcut import Shortcut
from mill_api.threads import Threads
from mill_api.tracing import Traced
from mill_api.uploads.receiving import Digests
from mill_api.usage import Meter
from mill_api.usage.meter import stop
from mill_common.errors import MillError
from mill_common.settings import Settings
from mill_common.signing import Signer
from mill_common.signs import Signs, signs_of

UPLOAD_SLOTS = 64  # threads for bodies on their way to storage, apart from those for everything else
DESCRIPTION = """A video in; streaming renditions, audio, thumbnails and a transcript out.

Every request but those for health, streams and signed objects carries `X-API-Key`, or a person's
`Authorization: Bearer`. Errors are problem documents (RFC 9457) with a stable `code`."""


def create_app(resources: Resources, signs: Signs | None = None) -> Starlette:
    """The gateway on open connections, which it does not close. `signs` are those of a process that does more."""
    served = endpoints()
    routes = [_route(endpoint, resources.settings) for endpoint in served]
    app = Starlette(
        routes=[Shortcut(routes), *routes, *docs_routes(describe(served))],
        middleware=[Middleware(Traced), Middleware(Edge)],
        exception_handlers={
            MillError: of_mill_error,
            HTTPException: of_http_exception,
            ClientDisconnect: _client_left,
        },
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.state.resources = resources
    app.state.signer = Signer.from_settings(resources.settings)
    app.state.threads = Threads()
    app.state.digests = Digests()
    app.state.known_callers = KnownCallers[Caller]()
    app.state.figures = Cache(resources.settings.admin_stats_s)
    app.state.rate_limits = RateLimits(resources.settings)
    app.state.hub = Hub(resources.database)
    app.state.meter = Meter(resources.database, resources.settings.usage_flush_s)
    app.state.signs = signs or signs_of(resources, whole=True)
    return app


def describe(served: list[Endpoint]) -> dict[str, Any]:
    """The OpenAPI document."""
    return document(
        served,
        title="Mediamill",
        version=version("mill-api"),
        description=DESCRIPTION,
        refusals=[Unauthenticated, Forbidden],
        limited=RateLimited,
    )


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.upload_slots = CapacityLimiter(UPLOAD_SLOTS)
    meter: Meter = app.state.meter
    metering = asyncio.create_task(meter.run())
    yield
    await stop(metering)
    await meter.flush()
    app.state.threads.close()
    app.state.rate_limits.close()


def _route(endpoint: Endpoint, settings: Settings) -> Route:
    of_players = {Rate.SIGNED, Rate.READ}
    is_signed = all(
        (operation.scope is None or operation.ticket) and operation.limited_as in of_players
        for operation in endpoint.operations.values()
    )
    if not is_signed:
        return Route(endpoint.path, endpoint)
    # A page on any site may play and watch: the signature in the URL is what lets it. A cookie takes a named site.
    origins = [origin.strip() for origin in settings.player_origins.split(",")]
    players = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_credentials="*" not in origins,
        allow_methods=sorted({*endpoint.operations, "HEAD"}),
        allow_headers=["Content-Type", "Last-Event-ID", "Range"],
        expose_headers=["Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Retry-After"],
    )
    return Route(endpoint.path, endpoint, middleware=[players])


def _client_left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it
