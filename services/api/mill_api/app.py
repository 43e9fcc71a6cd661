"""The gateway as an ASGI application."""

from __future__ import annotations

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

from mill_api.auth import Forbidden, Unauthenticated
from mill_api.docs_pages import docs_routes
from mill_api.headers import CommonHeaders
from mill_api.health import StoreCheck
from mill_api.openapi import Endpoint, document
from mill_api.operations import STREAM, endpoints
from mill_api.problems import of_http_exception, of_mill_error
from mill_api.resources import Resources
from mill_api.tracing import Traced
from mill_common.errors import MillError
from mill_common.signing import Signer

UPLOAD_SLOTS = 64  # threads for bodies on their way to storage, apart from those for everything else
DESCRIPTION = """A video in; streaming renditions, audio, thumbnails and a transcript out.

Every request but those for health, streams and signed objects carries `X-API-Key`. Errors are problem documents
(RFC 9457) with a stable `code`."""


def create_app(resources: Resources) -> Starlette:
    """The gateway on open connections, which it does not close."""
    served = endpoints()
    app = Starlette(
        routes=[*(_route(endpoint) for endpoint in served), *docs_routes(describe(served))],
        middleware=[Middleware(Traced), Middleware(CommonHeaders)],
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
    app.state.store_check = StoreCheck()
    return app


def describe(served: list[Endpoint]) -> dict[str, Any]:
    """The OpenAPI document."""
    return document(
        served,
        title="Mediamill",
        version=version("mill-api"),
        description=DESCRIPTION,
        refusals=[Unauthenticated, Forbidden],
    )


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.upload_slots = CapacityLimiter(UPLOAD_SLOTS)
    yield


def _route(endpoint: Endpoint) -> Route:
    # A player on any page may play a stream: the token in its path is what lets it.
    players = Middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD"],
        allow_headers=["Range"],
        expose_headers=["Accept-Ranges", "Content-Length", "Content-Range", "ETag"],
    )
    return Route(endpoint.path, endpoint, middleware=[players] if endpoint.path == STREAM else None)


def _client_left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it
