"""The shortcut to a route finds what the routes themselves would find."""

from __future__ import annotations

import re

import pytest
from api.running import Gateway
from starlette.routing import Match, Route

from mill_api.shortcut import Shortcut

PATHS = ["/api/v1/jobs/", "/api/v1/jobs//", "/api/v1", "/", "", "/api/v1/jobs/a/b/c", "/nothing", "/api/v1/nothing"]


def found(routes: list[Route], path: str) -> tuple[object, object]:
    """What serves a path, and the parts that its endpoint is given."""
    scope = {"type": "http", "method": "GET", "path": path, "root_path": ""}
    for route in routes:
        match, more = route.matches(scope)
        if match is Match.FULL:
            return more["endpoint"], more["path_params"]
    return None, None


def test_every_path_leads_where_it_did(gateway: Gateway) -> None:
    routes = [route for route in gateway.app.routes if isinstance(route, Route)]
    shortcut = next(route for route in gateway.app.routes if isinstance(route, Shortcut))
    paths = [re.sub(r"\{\w+(:path)?\}", "a1", route.path) for route in routes] + PATHS
    short = 0
    for path in paths:
        match, more = shortcut.matches({"type": "http", "method": "GET", "path": path, "root_path": ""})
        if match is Match.FULL:
            short += 1
            assert (more["endpoint"], more["path_params"]) == found(routes, path), path
    assert short > len(routes) // 2


@pytest.mark.parametrize("path", ["/api/v1/jobs/stats", "/api/v1/jobs/export", "/api/v1/jobs/batch-status"])
def test_a_fixed_name_goes_before_an_id(gateway: Gateway, path: str) -> None:
    shortcut = next(route for route in gateway.app.routes if isinstance(route, Shortcut))
    _, more = shortcut.matches({"type": "http", "method": "GET", "path": path, "root_path": ""})
    assert more["endpoint"].path == path


def test_a_mounted_application_is_left_to_its_routes(gateway: Gateway) -> None:
    shortcut = next(route for route in gateway.app.routes if isinstance(route, Shortcut))
    scope = {"type": "http", "method": "GET", "path": "/here/api/v1/jobs", "root_path": "/here"}
    assert shortcut.matches(scope)[0] is Match.NONE
