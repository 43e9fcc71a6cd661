"""Swagger UI and ReDoc. Their files come with a wheel and are served from here: no other host is asked."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

PATHS = ("/docs", "/redoc")
# The pages set styles on elements, show data: images and index the text in a worker made from a blob.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; frame-ancestors 'none'"
)

_SWAGGER = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mediamill API</title>
<link rel="icon" type="image/png" href="/assets/swagger-ui/favicon-32x32.png">
<link rel="stylesheet" href="/assets/swagger-ui/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/assets/swagger-ui/swagger-ui-bundle.js"></script>
<script src="/assets/swagger-ui.js"></script>
</body>
</html>
"""
_SWAGGER_START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
"""
_REDOC = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mediamill API</title>
<link rel="icon" type="image/png" href="/assets/swagger-ui/favicon-32x32.png">
</head>
<body>
<redoc spec-url="/openapi.json"></redoc>
<script src="/assets/redoc/redoc.standalone.js"></script>
</body>
</html>
"""


class _Files(StaticFiles):
    """Files that change with the installed version alone."""

    def file_response(self, *arguments: Any, **keywords: Any) -> Response:
        response = super().file_response(*arguments, **keywords)
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response


def docs_routes(document: dict[str, Any]) -> Sequence[BaseRoute]:
    """The document, the two pages that show it, and what they load."""
    files = _static_folder()

    def openapi_json(_request: Request) -> Response:
        return JSONResponse(document, headers={"Cache-Control": "no-cache"})

    def swagger(_request: Request) -> Response:
        return HTMLResponse(_SWAGGER, headers={"Content-Security-Policy": CONTENT_POLICY})

    def swagger_start(_request: Request) -> Response:
        return Response(_SWAGGER_START, media_type="text/javascript")

    def redoc(_request: Request) -> Response:
        return HTMLResponse(_REDOC, headers={"Content-Security-Policy": CONTENT_POLICY})

    return [
        Route("/openapi.json", openapi_json),
        Route("/docs", swagger),
        Route("/redoc", redoc),
        Route("/assets/swagger-ui.js", swagger_start),
        Mount("/assets/swagger-ui", _Files(directory=files / "swagger-ui-dist")),
        Mount("/assets/redoc", _Files(directory=files / "redoc" / "bundles")),
    ]


def _static_folder() -> Path:
    # Looked up, not imported: the package's own module asks for Django (docs/adr/0005).
    spec = find_spec("drf_spectacular_sidecar")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "static" / "drf_spectacular_sidecar"
