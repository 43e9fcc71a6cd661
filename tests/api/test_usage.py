"""J12: usage of the interface by key, route and day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from api.running import Gateway, serving, submit
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, func, select
from waiting import wait_for

from mill_api.usage.meter import Meter, Tally
from mill_common.database import Database
from mill_common.histogram import bucket_of, percentile_ms
from mill_common.models import Traffic, Usage
from mill_common.resources import open_resources
from mill_common.settings import Settings

USAGE = "/api/v1/usage"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Written down at once, or nearly."""
    return settings.model_copy(update={"usage_flush_s": 0.05})


@contextmanager
def opened(settings: Settings) -> Iterator[Gateway]:
    """A gateway with connections of its own."""
    with closing(open_resources(settings)) as resources, serving(resources) as gateway:
        yield gateway


def rows_of(client: httpx.Client, **query: Any) -> dict[str, dict[str, Any]]:
    """What was counted, by route."""
    answer = client.get(USAGE, params={"group_by": "route", **query})
    assert answer.status_code == 200, answer.text
    return {row["route"]: row for row in answer.json()["usage"]}


def counted(client: httpx.Client, route: str, requests: int) -> dict[str, Any]:
    """The row of a route, once it counts so many requests."""
    row: dict[str, Any] = wait_for(
        lambda: row if (row := rows_of(client).get(route)) and row["requests"] >= requests else None
    )
    return row


def test_requests_are_counted_by_key_route_and_day(any_gateway: Gateway) -> None:
    """J12: requests, errors, bytes and latency percentiles per key, route and day."""
    with any_gateway.owner("ada") as ada, any_gateway.owner("ada") as other:
        job_id = submit(ada)
        answers = [ada.get(f"/api/v1/jobs/{job_id}"), ada.get(f"/api/v1/jobs/{uuid4()}"), other.get("/api/v1/jobs")]
        row = counted(ada, "GET /api/v1/jobs/{job_id}", 2)
        assert (row["requests"], row["errors"]) == (2, 1)
        assert row["bytes_out"] == sum(len(answer.content) for answer in answers[:2])
        assert 0 < row["latency_ms"]["p50"] <= row["latency_ms"]["p95"] <= row["latency_ms"]["p99"]
        assert counted(ada, "POST /api/v1/uploads", 1)["bytes_in"] == len(b"moving pictures")
        counted(ada, "GET /api/v1/jobs", 1)
        both = ada.get(USAGE).json()
        listed = next(row for row in both["usage"] if row["route"] == "GET /api/v1/jobs")
        looked = next(row for row in both["usage"] if row["route"] == "GET /api/v1/jobs/{job_id}")
        assert listed["key_id"] != looked["key_id"]
        assert listed["day"] == datetime.now(UTC).date().isoformat()
        mine = rows_of(ada, key_id=looked["key_id"])
        assert "GET /api/v1/jobs" not in mine and "GET /api/v1/jobs/{job_id}" in mine


def test_requests_of_all_keys_are_counted_by_the_minute_for_those_who_watch(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        for client in (ada, bob):
            assert client.get(f"/api/v1/jobs/{uuid4()}").status_code == 404
            client.get("/api/v1/jobs")
            counted(client, "GET /api/v1/jobs", 1)
    with any_gateway.resources.database.read() as session:
        figures = session.exec(
            select(Traffic.route, func.sum(Traffic.requests), func.sum(Traffic.errors)).group_by(col(Traffic.route))
        ).all()
        minutes = session.exec(select(Traffic.minute)).all()
    routes = {route: (requests, errors) for route, requests, errors in figures}
    assert routes["GET /api/v1/jobs/{job_id}"] == (2, 2)
    assert routes["GET /api/v1/jobs"] == (2, 0)
    assert all(abs(minute - time.time() / 60) < 5 for minute in minutes)


def test_an_owner_sees_their_own_alone(gateway: Gateway, ada: httpx.Client, bob: httpx.Client) -> None:
    ada.get("/api/v1/jobs")
    counted(ada, "GET /api/v1/jobs", 1)
    assert "GET /api/v1/jobs" not in rows_of(bob)


def test_other_days_are_left_out(gateway: Gateway, ada: httpx.Client) -> None:
    ada.get("/api/v1/jobs")
    counted(ada, "GET /api/v1/jobs", 1)
    yesterday = (datetime.now(UTC).date() - timedelta(1)).isoformat()
    assert rows_of(ada, from_date=yesterday, to_date=yesterday) == {}
    refused = ada.get(USAGE, params={"from_date": "2026-02-01", "to_date": "2026-01-01"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_two_gateways_add_up(settings: Settings) -> None:
    with opened(settings) as one, opened(settings) as other, one.owner("ada") as ada:
        with other.client(ada.headers["x-api-key"]) as elsewhere:
            for _ in range(5):
                assert ada.get("/api/v1/jobs").status_code == elsewhere.get("/api/v1/jobs").status_code == 200
        assert counted(ada, "GET /api/v1/jobs", 10)["requests"] == 10


def test_what_was_counted_is_written_when_the_gateway_stops(settings: Settings) -> None:
    slow = settings.model_copy(update={"usage_flush_s": 3600.0})
    with opened(slow) as gateway, gateway.owner("ada") as ada:
        ada.get("/api/v1/jobs")
    database = Database(settings.database_url)
    with database.read() as session:
        rows = session.exec(select(Usage)).all()
    database.close()
    assert [(row.route, row.requests) for row in rows if row.owner_id == "ada"] == [("GET /api/v1/jobs", 1)]


def test_what_could_not_be_written_is_written_later(settings: Settings, tmp_path: Path) -> None:
    async def flushed_twice() -> None:
        unready, here = Database(f"sqlite:///{tmp_path}/empty.db"), Database(settings.database_url)
        meter = Meter(unready, 1.0)
        meter.note("ada", uuid4(), "GET /x", 0.01, Tally(requests=1))
        await meter.flush()
        meter._database = here
        await meter.flush()
        with here.read() as session:
            assert [row.requests for row in session.exec(select(Usage)).all()] == [1]
        here.close()
        unready.close()

    asyncio.run(flushed_twice())


def test_what_is_written_twice_adds_up(settings: Settings) -> None:
    async def flushed_twice() -> None:
        database, key_id = Database(settings.database_url), uuid4()
        for meter in (Meter(database, 1.0), Meter(database, 1.0)):
            meter.note("ada", key_id, "GET /x", 0.01, Tally(requests=1, bytes_in=2))
            await meter.flush()
        with database.read() as session:
            assert [(row.requests, row.bytes_in) for row in session.exec(select(Usage)).all()] == [(2, 4)]
        database.close()

    asyncio.run(flushed_twice())


def test_requests_without_a_key_are_counted_for_nobody(gateway: Gateway, ada: httpx.Client) -> None:
    with gateway.client() as stranger:
        stranger.get("/api/v1/jobs")
        stranger.get("/health")
    ada.get("/api/v1/jobs")
    counted(ada, "GET /api/v1/jobs", 1)
    with gateway.resources.database.read() as session:
        rows = session.exec(select(Usage)).all()
    assert {row.owner_id for row in rows} == {"ada", "admin"}


@given(st.lists(st.floats(min_value=0.0002, max_value=3600), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_a_percentile_is_right_to_within_five_per_cent(seconds: list[float], share: float) -> None:
    counts: dict[int, int] = {}
    for each in seconds:
        counts[bucket_of(each)] = counts.get(bucket_of(each), 0) + 1
    found = percentile_ms(counts, share)
    ranked = sorted(seconds)
    exact = next(each for each in ranked if sum(other <= each for other in ranked) >= share * len(ranked)) * 1000
    assert found == pytest.approx(exact, rel=0.05, abs=0.01)


def test_without_requests_there_is_no_percentile() -> None:
    assert percentile_ms({}, 0.5) is None
