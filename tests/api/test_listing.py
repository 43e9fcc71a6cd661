from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import httpx
import pytest
from api.running import Gateway, complete, submit
from pydantic import BaseModel, ValidationError
from sqlalchemy import update
from sqlmodel import col

from mill_common.models import Job

JOBS = "/api/v1/jobs"
BASE = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def listed(any_gateway: Gateway) -> Iterator[httpx.Client]:
    """An owner with seven jobs, an hour apart, of which the first has completed; and a stranger with one."""
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        for number in range(7):
            name = "100%_done.mp4" if number == 6 else f"Clip {number}.mp4"
            job_id = submit(ada, filename=name, priority=number % 3)
            if number == 0:
                complete(any_gateway.resources)
            with any_gateway.resources.database.write() as session:
                created = {"created_at": BASE + timedelta(hours=number)}
                session.execute(update(Job).where(col(Job.id) == UUID(job_id)).values(**created))
        submit(bob, filename="Clip of Bob.mp4")
        yield ada


def queries(gateway: Gateway) -> list[type[BaseModel]]:
    """What any operation takes in its query."""
    operations = [operation for endpoint in gateway.endpoints() for operation in endpoint.operations.values()]
    return [operation.query for operation in operations if operation.query is not None]


def names(client: httpx.Client, **query: Any) -> list[str]:
    """File names of the jobs listed, without their suffix."""
    answer = client.get(JOBS, params=query)
    assert answer.status_code == 200, answer.text
    return [job["filename"].removesuffix(".mp4") for job in answer.json()["jobs"]]


def test_the_list_is_filtered_sorted_and_paged(listed: httpx.Client) -> None:
    newest_first = ["100%_done", "Clip 5", "Clip 4", "Clip 3", "Clip 2", "Clip 1", "Clip 0"]
    assert names(listed) == newest_first
    assert names(listed, sort_order="asc") == newest_first[::-1]
    assert names(listed, status="completed") == ["Clip 0"]
    assert names(listed, priority=1) == ["Clip 4", "Clip 1"]
    assert names(listed, search="CLIP") == newest_first[1:]
    assert names(listed, search="100%_") == ["100%_done"]
    assert names(listed, search="_") == ["100%_done"], "a wildcard is taken literally"
    assert names(listed, from_date="2026-03-01T16:00:00Z") == ["100%_done", "Clip 5", "Clip 4"]
    assert names(listed, to_date="2026-03-01T13:00:00+00:00") == ["Clip 1", "Clip 0"]
    assert names(listed, from_date="2026-03-01T15:00:00+02:00", to_date="2026-03-01T14:00:00") == ["Clip 2", "Clip 1"]
    assert names(listed, sort_by="filename", sort_order="asc", per_page=2) == ["100%_done", "Clip 0"]
    assert names(listed, sort_by="completed_at", sort_order="asc")[0] == "Clip 0"
    assert names(listed, sort_by="priority", per_page=2) == ["Clip 5", "Clip 2"]


def test_pages_count_every_job_once(listed: httpx.Client) -> None:
    first = listed.get(JOBS, params={"per_page": 3}).json()
    assert (first["total"], first["page"], first["per_page"], first["total_pages"]) == (7, 1, 3, 3)
    pages = [names(listed, per_page=3, page=page) for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert len({name for page in pages for name in page}) == 7
    summary = listed.get(JOBS, params={"status": "completed"}).json()["jobs"][0]
    assert (summary["progress"], summary["duration_seconds"]) == (100, 12.5)


def test_a_cursor_walks_every_job_once_in_any_order(listed: httpx.Client) -> None:
    fields = ("created_at", "completed_at", "priority", "status", "filename")
    for sort_by, sort_order in product(fields, ("asc", "desc")):
        order = {"sort_by": sort_by, "sort_order": sort_order}
        walked: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = listed.get(JOBS, params={**order, **cursor, "per_page": 3}).json()
            walked += [job["job_id"] for job in page["jobs"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        whole = listed.get(JOBS, params=order).json()["jobs"]
        assert walked == [job["job_id"] for job in whole], order
        assert len(walked) == 7


def test_a_job_that_comes_meanwhile_moves_no_cursor(gateway: Gateway, ada: httpx.Client) -> None:
    for number in range(4):
        submit(ada, filename=f"{number}.mp4")
    first = ada.get(JOBS, params={"per_page": 2}).json()
    submit(ada, filename="new.mp4")
    assert names(ada, per_page=2, cursor=first["next_cursor"]) == ["1", "0"]


@pytest.mark.parametrize("cursor", ["bm9uc2Vuc2U", "W10", "x", "e30", "WyJjcmVhdGVkX2F0IGRlc2MiLCAxZTk5OSwgIngiXQ"])
def test_a_cursor_that_is_none_is_refused(ada: httpx.Client, cursor: str) -> None:
    answer = ada.get(JOBS, params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", "cursor"]


def test_no_query_takes_a_parameter_that_it_does_not_know(gateway: Gateway) -> None:
    lenient = [model.__name__ for model in queries(gateway) if model.model_config.get("extra") != "forbid"]
    assert lenient == []


def test_no_query_takes_a_number_for_a_time(gateway: Gateway) -> None:
    for model in queries(gateway):
        for name in {"from_date", "to_date"} & model.model_fields.keys():
            with pytest.raises(ValidationError, match=name):
                model.model_validate({name: "1700000000"})


def test_a_cursor_of_another_order_is_refused(ada: httpx.Client) -> None:
    for number in range(2):
        submit(ada, filename=f"{number}.mp4")
    cursor = ada.get(JOBS, params={"per_page": 1}).json()["next_cursor"]
    assert ada.get(JOBS, params={"cursor": cursor, "sort_by": "filename"}).status_code == 422
    assert ada.get(JOBS, params={"cursor": cursor, "sort_order": "asc"}).status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        {"status": "done"},
        {"priority": "high"},
        {"page": 0},
        {"per_page": 501},
        {"per_page": 0},
        {"sort_by": "owner_id"},
        {"sort_by": "updated_at"},
        {"sort_order": "up"},
        {"from_date": "yesterday"},
        {"to_date": "9999-12-31T23:59:59-23:00"},
        {"search": ""},
        {"stauts": "failed"},
        {"search": "a\0b"},
    ],
)
def test_a_query_that_is_none_is_refused(ada: httpx.Client, query: dict[str, Any]) -> None:
    answer = ada.get(JOBS, params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"][:2] == ["query", *query]
