"""A13 and J8's other half: a job's log, and every attempt at its tasks."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from api.running import Gateway, claim, plan, submit

from mill_common.errors import ChildStalled, SourceUnreadable
from mill_common.queue import NewTask, Spent

JOBS = "/api/v1/jobs"
SPENT = Spent(cpu_s=1.23456, peak_memory=2_000_000, bytes_in=300, bytes_out=40, log_tail="frame=1\n\nframe=2\n")


@pytest.fixture
def failed(any_gateway: Gateway) -> Any:
    """A job whose sound was stalled once and then found to be broken, as its owner sees it."""
    resources = any_gateway.resources
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        plan(resources, NewTask(name="audio", kind="audio"))
        resources.queue.fail(claim(resources), ChildStalled("Nothing moved."), SPENT)
        assert ada.get(f"{JOBS}/{job_id}").json()["status"] == "processing"
        _due(any_gateway)
        resources.queue.fail(claim(resources), SourceUnreadable("The sound is broken."), Spent())
        yield ada, job_id


def _due(gateway: Gateway) -> None:
    from sqlalchemy import update
    from sqlmodel import col

    from mill_common.clock import db_now
    from mill_common.models import Task

    with gateway.resources.database.write() as session:
        session.execute(update(Task).where(col(Task.name) == "audio").values(run_after=db_now(-1.0)))


def test_every_attempt_says_what_it_cost_and_how_it_ended(failed: tuple[httpx.Client, str]) -> None:
    ada, job_id = failed
    answer = ada.get(f"{JOBS}/{job_id}/attempts")
    assert answer.status_code == 200, answer.text
    probe, first, second = answer.json()["attempts"]
    assert (probe["task"], probe["epoch"], probe["outcome"]) == ("probe", 1, "completed")
    assert (first["task"], first["kind"], first["queue"], first["epoch"]) == ("audio", "audio", "transcode", 1)
    assert (first["outcome"], first["error_code"], first["error_message"]) == (
        "retrying",
        "child_stalled",
        "Nothing moved.",
    )
    assert (first["cpu_seconds"], first["peak_memory_bytes"], first["bytes_in"], first["bytes_out"]) == (
        1.235,
        2_000_000,
        300,
        40,
    )
    assert first["worker"] == "a test's worker"
    assert first["duration_seconds"] >= 0
    assert (second["epoch"], second["outcome"], second["error_code"]) == (2, "failed", "source_unreadable")


def test_an_attempt_that_runs_has_no_end(gateway: Gateway, ada: httpx.Client) -> None:
    job_id = submit(ada)
    claim(gateway.resources)
    [attempt] = ada.get(f"{JOBS}/{job_id}/attempts").json()["attempts"]
    assert (attempt["ended_at"], attempt["outcome"], attempt["duration_seconds"]) == (None, None, None)


def _lines(client: httpx.Client, job_id: str, **query: Any) -> list[tuple[str, str | None, str]]:
    answer = client.get(f"{JOBS}/{job_id}/logs", params=query)
    assert answer.status_code == 200, answer.text
    return [(entry["level"], entry["task"], entry["event"]) for entry in answer.json()["entries"]]


def test_the_log_tells_a_jobs_story_in_order(failed: tuple[httpx.Client, str]) -> None:
    ada, job_id = failed
    assert _lines(ada, job_id) == [
        ("info", None, "created"),
        ("info", "probe", "started"),
        ("info", "probe", "ended"),
        ("info", "audio", "started"),
        ("debug", "audio", "output"),
        ("debug", "audio", "output"),
        ("warning", "audio", "ended"),
        ("info", "audio", "started"),
        ("error", "audio", "ended"),
        ("error", None, "ended"),
    ]
    messages = [entry["message"] for entry in ada.get(f"{JOBS}/{job_id}/logs").json()["entries"]]
    assert messages[4:7] == ["frame=1", "frame=2", "Nothing moved."]
    assert messages[-1] == "The sound is broken."


def test_the_log_is_filtered_by_level_step_and_time(failed: tuple[httpx.Client, str]) -> None:
    ada, job_id = failed
    assert [level for level, _, _ in _lines(ada, job_id, level="warning")] == ["warning", "error", "error"]
    assert {task for _, task, _ in _lines(ada, job_id, task="probe")} == {"probe"}
    assert len(_lines(ada, job_id, task=["probe", "audio"], level="error")) == 1
    entries = ada.get(f"{JOBS}/{job_id}/logs").json()["entries"]
    assert len(_lines(ada, job_id, from_date=entries[-1]["time"])) >= 1
    assert _lines(ada, job_id, to_date="2020-01-01T00:00:00Z") == []
    page = ada.get(f"{JOBS}/{job_id}/logs", params={"per_page": 4, "page": 3}).json()
    assert (len(page["entries"]), page["total"], page["total_pages"]) == (2, 10, 3)


def test_a_retry_shows_in_the_log_of_a_job_that_then_completes(failed: tuple[httpx.Client, str]) -> None:
    ada, job_id = failed
    assert ada.post(f"{JOBS}/{job_id}/retry").status_code == 200
    assert _lines(ada, job_id, level="error") == [("error", "audio", "ended")], "the job's own end is taken back"


@pytest.mark.parametrize("query", [{"level": "loud"}, {"per_page": 5001}, {"page": 0}, {"from_date": "soon"}])
def test_a_log_query_that_is_none_is_refused(ada: httpx.Client, query: dict[str, Any]) -> None:
    job_id = submit(ada)
    assert ada.get(f"{JOBS}/{job_id}/logs", params=query).json()["code"] == "invalid_request"
