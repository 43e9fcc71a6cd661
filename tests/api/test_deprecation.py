"""A7: an operation that is to go says so, in its answers and in the document."""

from __future__ import annotations

from datetime import UTC, datetime

from api.running import Gateway
from starlette.requests import Request
from starlette.routing import Route

from mill_api.app import describe
from mill_api.auth import authorise
from mill_api.monitoring.health import Health
from mill_api.openapi import Deprecation, Endpoint, operation

GOING = Deprecation(
    since=datetime(2026, 3, 1, tzinfo=UTC),
    sunset=datetime(2026, 9, 1, tzinfo=UTC),
    link="https://mill.example/changes#old",
)


@operation(tag="health", returns=Health, deprecated=GOING)
def old(_request: Request) -> Health:
    """Do what was done."""
    return Health()


def test_a_deprecated_operation_says_since_when_and_until_when(gateway: Gateway) -> None:
    endpoint = Endpoint("/api/v1/old", authorise, get=old)
    gateway.app.router.routes.append(Route(endpoint.path, endpoint))
    with gateway.client() as stranger:
        answers = [gateway.admin.get(endpoint.path), stranger.get(endpoint.path)]
    assert [answer.status_code for answer in answers] == [200, 401]
    for answer in answers:
        assert answer.headers["deprecation"] == "@1772323200"
        assert answer.headers["sunset"] == "Tue, 01 Sep 2026 00:00:00 GMT"
        assert answer.headers["link"] == '<https://mill.example/changes#old>; rel="deprecation"'
    assert describe([endpoint])["paths"][endpoint.path]["get"]["deprecated"] is True
    assert "deprecation" not in gateway.admin.get("/api/v1/jobs").headers
