"""J2: the list's filters, and what a cursor keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from api.running import Gateway, complete, submit

JOBS = "/api/v1/jobs"


def names(client: httpx.Client, *query: tuple[str, Any]) -> list[str]:
    """File names of the jobs listed, in alphabetical order, without their suffix."""
    answer = client.get(JOBS, params=[*query, ("sort_by", "filename"), ("sort_order", "asc")])
    assert answer.status_code == 200, answer.text
    listed = [job["filename"].removesuffix(".mp4") for job in answer.json()["jobs"]]
    assert answer.json()["total"] == len(listed)
    return listed


@pytest.fixture
def ada(any_gateway: Gateway) -> Iterator[httpx.Client]:
    """An owner with four jobs, of which the first has completed; and a stranger with one like it."""
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        submit(ada, filename="a.mp4", priority=1, metadata={"album": "Süden", "take": 1, "good": True})
        complete(any_gateway.resources)
        submit(ada, filename="b.mp4", priority=2, metadata={"album": "Süden", "take": 2.5, "note": None})
        submit(ada, filename="c.mp4", priority=3, metadata={"album": "Norden", "take": "1", "long": "x" * 300})
        job_id = submit(ada, filename="d.mp4", priority=3, metadata={"album": ""})
        assert ada.post(f"{JOBS}/{job_id}/cancel").status_code == 200
        submit(bob, filename="e.mp4", metadata={"album": "Süden"})
        yield ada


def test_filters_may_be_repeated(ada: httpx.Client) -> None:
    assert names(ada, ("status", "completed"), ("status", "cancelled")) == ["a", "d"]
    assert names(ada, ("priority", 1), ("priority", 3)) == ["a", "c", "d"]
    assert names(ada, ("priority", 1), ("priority", 3), ("status", "queued")) == ["c"]


def test_jobs_are_found_by_their_metadata(ada: httpx.Client) -> None:
    assert names(ada, ("metadata", "album=Süden")) == ["a", "b"]
    assert names(ada, ("metadata", "album=Süden"), ("metadata", "take=2.5")) == ["b"]
    assert names(ada, ("metadata", "take=1")) == ["a", "c"], "whether it is a number or text"
    assert names(ada, ("metadata", "good=true")) == ["a"]
    assert names(ada, ("metadata", "note=null")) == ["b"]
    assert names(ada, ("metadata", "note")) == ["b"]
    assert names(ada, ("metadata", "album=")) == ["d"]
    assert names(ada, ("metadata", "album=sü")) == []
    assert names(ada, ("metadata", "take=1"), ("search", "C")) == ["c"]


@pytest.mark.parametrize("part", ["ärger", "ÄRGER", "ÉTÉ"])
def test_a_name_is_found_in_any_case(any_gateway: Gateway, part: str) -> None:
    with any_gateway.owner("eve") as eve:
        submit(eve, filename="Ärger im été.mp4")
        assert names(eve, ("search", part)) == ["Ärger im été"]


def test_a_long_value_is_kept_but_not_looked_for(ada: httpx.Client) -> None:
    [job] = ada.get(JOBS, params={"search": "c.mp4"}).json()["jobs"]
    assert ada.get(f"{JOBS}/{job['job_id']}").json()["user_metadata"]["long"] == "x" * 300
    assert names(ada, ("metadata", "long=" + "x" * 255)) == []


def test_a_collection_is_a_filter_and_counts_its_jobs(any_gateway: Gateway, ada: httpx.Client) -> None:
    for job in ada.get(JOBS).json()["jobs"]:
        name = {"a.mp4": "Holidays", "b.mp4": "Holidays", "c.mp4": "100 %"}.get(job["filename"])
        if name:
            assert ada.patch(f"{JOBS}/{job['job_id']}", json={"collection": name}).json()["collection"] == name
    assert names(ada, ("collection", "Holidays")) == ["a", "b"]
    assert names(ada, ("collection", "Holidays"), ("collection", "100 %")) == ["a", "b", "c"]
    found = ada.get("/api/v1/collections").json()
    assert [(one["name"], one["jobs"]) for one in found["collections"]] == [("100 %", 1), ("Holidays", 2)]
    assert found["total"] == 2
    second = ada.get("/api/v1/collections", params={"page": 2, "per_page": 1}).json()
    assert [one["name"] for one in second["collections"]] == ["Holidays"]
    assert any_gateway.admin.get("/api/v1/collections").json()["collections"] == []


def test_a_cursor_keeps_the_total_of_its_first_page(ada: httpx.Client) -> None:
    first = ada.get(JOBS, params={"per_page": 2}).json()
    submit(ada, filename="new.mp4")
    rest = ada.get(JOBS, params={"per_page": 2, "cursor": first["next_cursor"]}).json()
    assert (first["total"], rest["total"], len(rest["jobs"]), rest["next_cursor"]) == (4, 4, 2, None)


def test_a_cursor_of_other_filters_is_refused(ada: httpx.Client) -> None:
    cursor = ada.get(JOBS, params={"per_page": 1}).json()["next_cursor"]
    answer = ada.get(JOBS, params={"per_page": 1, "cursor": cursor, "priority": 3})
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["query", "cursor"])


@pytest.mark.parametrize("entry", ["", "=", "=value", "x" * 101, "a=" + "x" * 256, "a\0b", "a=\0"])
def test_a_metadata_filter_that_is_none_is_refused(any_gateway: Gateway, entry: str) -> None:
    answer = any_gateway.admin.get(JOBS, params={"metadata": entry})
    assert (answer.status_code, answer.json()["errors"][0]["loc"][:2]) == (422, ["query", "metadata"])
