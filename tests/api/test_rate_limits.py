"""J13, A9: rate limits that hold across processes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import pytest
from api.running import Gateway, serving
from pydantic import ValidationError
from servers import Redis
from starlette.requests import Request
from starlette.routing import Route
from structlog.testing import capture_logs

from mill_api import rate_limits
from mill_api.auth import ADMIN, authorise
from mill_api.monitoring.health import Health
from mill_api.openapi import Endpoint, operation
from mill_api.rate_limits import Rate, RateLimits, of_address
from mill_common.resources import open_resources
from mill_common.settings import Settings

JOBS = "/api/v1/jobs"


@contextmanager
def limited(settings: Settings, **limits: str) -> Iterator[Gateway]:
    """A gateway with these limits."""
    chosen = settings.model_copy(update={f"rate_{name}": text for name, text in limits.items()})
    with closing(open_resources(chosen)) as resources, serving(resources) as gateway:
        yield gateway


def test_who_asks_too_often_is_told_when_to_come_back(settings: Settings) -> None:
    """J13: excessive requests are blocked, with the headers of the draft, of GitHub, and `Retry-After`."""
    with limited(settings, read="2/hour") as gateway, gateway.owner("ada") as ada, gateway.owner("bob") as bob:
        first, second, third = (ada.get(JOBS) for _ in range(3))
        assert (first.status_code, second.status_code) == (200, 200)
        assert first.headers["ratelimit-policy"] == '"read";q=2;w=3600'
        assert first.headers["ratelimit"].startswith('"read";r=1;t=')
        assert [answer.headers["x-ratelimit-remaining"] for answer in (first, second, third)] == ["1", "0", "0"]
        assert third.status_code == 429
        assert third.headers["content-type"] == "application/problem+json"
        assert third.json()["code"] == "rate_limited"
        assert 1 <= int(third.headers["retry-after"]) <= 3600
        assert third.headers["x-ratelimit-limit"] == "2"
        assert third.headers["ratelimit"].startswith('"read";r=0;t=')
        assert bob.get(JOBS).status_code == 200, "another key has its own"
        assert ada.post(JOBS, json={}).status_code == 422, "another class has its own"


def test_the_limit_holds_across_processes(settings: Settings, redis_url: str) -> None:
    """J13: two gateways on one Redis count together."""
    shared = settings.model_copy(update={"broker_url": redis_url})
    with limited(shared, read="4/hour") as one, limited(shared, read="4/hour") as other, one.owner("ada") as ada:
        key = ada.headers["x-api-key"]
        with other.client(key) as elsewhere:
            statuses = [client.get(JOBS).status_code for client in (ada, elsewhere, ada, elsewhere, ada, elsewhere)]
    assert statuses == [200] * 4 + [429] * 2


def test_while_redis_is_away_nothing_is_limited_and_nothing_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Redis() as redis:
        shared = settings.model_copy(update={"broker_url": redis.url})
        with limited(shared, read="1/hour") as gateway, gateway.owner("ada") as ada:
            assert [ada.get(JOBS).status_code for _ in range(2)] == [200, 429]
            redis.stop(kill=True)
            with capture_logs() as logs:
                statuses = {ada.get(JOBS).status_code for _ in range(20)}
            assert statuses == {200}
            said = [entry for entry in logs if entry["event"] == "requests are not limited"]
            assert len(said) == 1, "it is asked once, and then left alone for a while"
            redis.start()
            monkeypatch.setattr(gateway.app.state.rate_limits, "_away_until", 0.0)
            assert [ada.get(JOBS).status_code for _ in range(2)] == [200, 429]


def test_who_has_no_key_is_limited_by_address(settings: Settings) -> None:
    with limited(settings, stranger="3/hour") as gateway, gateway.client() as stranger:
        guesses = [stranger.get(JOBS, headers={"X-API-Key": f"guess-number-{number}"}) for number in range(5)]
        assert [answer.status_code for answer in guesses] == [401, 401, 401, 429, 429]
        assert stranger.get("/api/v1/events", params={"ticket": "x"}).status_code == 429
        assert gateway.admin.get(JOBS).status_code == 200, "a valid key from there is not held to it"


def test_signed_links_are_limited_by_address_and_health_is_not(settings: Settings) -> None:
    with limited(settings, signed="2/hour", stranger="1/hour") as gateway, gateway.client() as player:
        url = "/stream/018f0000-0000-7000-8000-000000000000/x/master.m3u8"
        assert [player.get(url).status_code for _ in range(3)] == [403, 403, 429]
        answers = [player.get(path) for path in ("/health", "/livez", "/readyz") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any("ratelimit" in answer.headers for answer in answers)


def test_limits_can_be_switched_off(settings: Settings) -> None:
    without = settings.model_copy(update={"rate_limits": False})
    with limited(without, read="1/hour") as gateway, gateway.owner("ada") as ada:
        assert {ada.get(JOBS).status_code for _ in range(3)} == {200}
    with limited(settings, read="off") as gateway, gateway.owner("ada") as ada:
        assert {ada.get(JOBS).status_code for _ in range(3)} == {200}


@operation(tag="admin", scope=ADMIN, rate=Rate.ADMIN_CLEANUP, returns=Health)
def clean(_request: Request) -> Health:
    """Clean up."""
    return Health()


def test_cleaning_up_is_limited_to_ten_an_hour(gateway: Gateway) -> None:
    """A9: an operation of this class takes ten requests an hour of one key."""
    gateway.app.router.routes.append(Route("/clean", Endpoint("/clean", authorise, post=clean)))
    statuses = [gateway.admin.post("/clean").status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]


@pytest.mark.parametrize(("rate", "limit"), [(Rate.ADMIN_CLEANUP, 10), (Rate.ADMIN_STATS, 100), (Rate.ADMIN_JOBS, 500)])
def test_the_limits_of_administrators_are_those_asked_for(settings: Settings, rate: Rate, limit: int) -> None:
    """A9: cleanup 10/h, stats 100/h, jobs 500/h."""
    allowance = RateLimits(settings).take(rate, "somebody")
    assert allowance is not None
    assert (allowance.limit, allowance.window_s) == (limit, 3600)


def test_a_network_is_one_client_in_ipv6_and_an_address_in_ipv4() -> None:
    assert of_address("2001:db8:1:2::3") == of_address("2001:db8:1:2:ffff::1") != of_address("2001:db8:1:3::3")
    assert of_address("192.0.2.1") != of_address("192.0.2.2")


@pytest.mark.parametrize("text", ["many", "0/hour", "10/fortnight", "10", "10/hour; 5/minute"])
def test_a_limit_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Settings(rate_read=text)


def test_a_redis_that_does_not_answer_costs_a_request_no_more_than_a_moment(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The port takes connections and never answers: the first request waits a moment, the others not at all."""
    monkeypatch.setattr(rate_limits, "ANSWERS_S", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker_url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        limits = RateLimits(settings.model_copy(update={"broker_url": broker_url}))
        assert limits.take(Rate.READ, "ada") is None
        silent.close()
        with capture_logs() as logs:
            assert limits.take(Rate.READ, "ada") is None
        assert logs == [], "nobody asked again"
        limits.close()


def test_requests_in_one_window_weigh_on_the_next(gateway: Gateway, ada: httpx.Client) -> None:
    """The window slides: what is left falls with each request."""
    left = [int(ada.get(JOBS).headers["x-ratelimit-remaining"]) for _ in range(3)]
    assert left == sorted(left, reverse=True) and left[0] > left[-1]
