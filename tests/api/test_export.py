"""J11: the list as a file."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from api.running import Gateway, submit
from sqlalchemy import event
from waiting import wait_for

from mill_api.jobs.export import AT_ONCE, FIELDS
from mill_api.jobs.spreadsheet import cell_of
from mill_common.models import Job, Owner

EXPORT = "/api/v1/jobs/export"


@pytest.fixture
def listed(any_gateway: Gateway) -> Iterator[httpx.Client]:
    """An owner with more jobs than are read at once, and a stranger with one."""
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        fill(any_gateway, 2 * AT_ONCE + 1)
        submit(bob, filename="theirs.mp4")
        yield ada


def fill(gateway: Gateway, jobs: int) -> None:
    """Jobs of ada's, some of which were made at the same time."""
    with gateway.resources.database.write() as session:
        if session.get(Owner, "ada") is None:
            session.add(Owner(id="ada"))
            session.flush()
        session.add_all(Job(owner_id="ada", filename=f"{number}.mp4", priority=number % 10) for number in range(jobs))


def fetched(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    """The lines of an export as NDJSON."""
    answer = client.get(EXPORT, params={**query, "format": "ndjson"})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_every_format_holds_every_job_once(listed: httpx.Client) -> None:
    jobs = fetched(listed)
    assert len({job["job_id"] for job in jobs}) == len(jobs) == 2 * AT_ONCE + 1
    assert [job["created_at"] for job in jobs] == sorted((job["created_at"] for job in jobs), reverse=True)
    assert tuple(jobs[0]) == FIELDS
    whole = listed.get(EXPORT, params={"format": "json"})
    assert whole.json() == jobs
    table = listed.get(EXPORT)
    rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert [row["job_id"] for row in rows] == [job["job_id"] for job in jobs]
    assert [whole.headers["content-type"], table.headers["content-type"]] == [
        "application/json",
        "text/csv; charset=utf-8",
    ]
    assert table.headers["content-disposition"] == 'attachment; filename="jobs.csv"'


def test_the_lists_filters_and_orders_hold(listed: httpx.Client) -> None:
    assert {job["priority"] for job in fetched(listed, priority=[3, 4])} == {3, 4}
    for sort_by in ("priority", "filename", "completed_at", "status"):
        walked = [job["job_id"] for job in fetched(listed, sort_by=sort_by, sort_order="asc", search="1")]
        paged = listed.get("/api/v1/jobs", params={"sort_by": sort_by, "sort_order": "asc", "search": "1"}).json()
        assert walked[:100] == [job["job_id"] for job in paged["jobs"]]
        assert len(walked) == paged["total"]


def test_an_empty_export_is_well_formed(ada: httpx.Client) -> None:
    assert ada.get(EXPORT, params={"format": "json"}).json() == []
    assert ada.get(EXPORT, params={"format": "ndjson"}).text == ""
    assert ada.get(EXPORT).text == ",".join(FIELDS) + "\r\n"


def test_no_cell_is_a_formula(gateway: Gateway, ada: httpx.Client) -> None:
    submit(ada, filename='=HYPERLINK("http:x").mp4', metadata={"=a": '"quoted", and\nbroken'})
    [row] = csv.DictReader(io.StringIO(ada.get(EXPORT).text, newline=""))
    assert row["filename"] == '\'=HYPERLINK("http:x").mp4'
    assert json.loads(row["user_metadata"]) == {"=a": '"quoted", and\nbroken'}
    assert fetched(ada)[0]["filename"] == '=HYPERLINK("http:x").mp4', "only spreadsheets calculate"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_calculate_is_quoted(text: str) -> None:
    assert cell_of(text) == "'" + text
    assert (cell_of(-1), cell_of("a=1"), cell_of(None)) == (-1, "a=1", None)


def test_a_head_request_reads_no_job(gateway: Gateway, ada: httpx.Client) -> None:
    reads = Reads(gateway)
    answer = ada.head(EXPORT)
    assert (answer.status_code, answer.text, reads.count) == (200, "", 0)
    assert answer.headers["content-disposition"] == 'attachment; filename="jobs.csv"'
    assert ada.get(EXPORT).status_code == 200
    assert reads.count == 1


def test_a_job_that_changes_its_place_meanwhile_is_there_once(gateway: Gateway, ada: httpx.Client) -> None:
    fill(gateway, 3 * AT_ONCE)
    with ada.stream("GET", EXPORT, params={"format": "ndjson"}) as answer:
        lines = answer.iter_lines()
        seen = [json.loads(next(lines))["job_id"]]
        fill(gateway, 5)  # newer ones, which stand before what was read
        seen += [json.loads(line)["job_id"] for line in lines]
    assert len(set(seen)) == len(seen) == 3 * AT_ONCE


def test_a_client_that_leaves_ends_the_reading(gateway: Gateway, ada: httpx.Client) -> None:
    fill(gateway, 20 * AT_ONCE)
    reads = Reads(gateway)
    with ada.stream("GET", EXPORT, params={"format": "ndjson"}) as answer:
        next(answer.iter_lines())
    wait_for(reads.standing_still)
    assert reads.count < 20
    assert ada.get("/api/v1/jobs", params={"per_page": 1}).json()["total"] == 20 * AT_ONCE
    pool = gateway.resources.database.engine.pool
    assert pool.checkedout() == 0  # type: ignore[attr-defined]  # every pool of ours counts


class Reads:
    """How often jobs were read for an export."""

    def __init__(self, gateway: Gateway) -> None:
        self.count = 0
        self._before, self._times = -1, 0
        self._lock = threading.Lock()
        event.listen(gateway.resources.database.engine, "before_cursor_execute", self._note)

    def _note(self, _c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        with self._lock:
            self.count += "job.failed_task" in statement

    def standing_still(self) -> bool:
        """Whether none was read the last hundred times that this was asked."""
        with self._lock:
            self._times = self._times + 1 if self._before == self.count else 0
            self._before = self.count
        return self._times >= 100


@pytest.mark.parametrize("query", [{"format": "xml"}, {"status": "done"}, {"sort_by": "media"}])
def test_an_export_that_is_none_is_refused(ada: httpx.Client, query: dict[str, Any]) -> None:
    assert ada.get(EXPORT, params=query).json()["code"] == "invalid_request"
