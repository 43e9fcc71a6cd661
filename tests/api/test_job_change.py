"""J9: the priority of a waiting job, and what else may be changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest
from api.running import Gateway, claim, complete, plan, submit
from sqlmodel import col, select

from mill_common.models import Task
from mill_common.queue import NewTask, Spent, TaskResult

JOBS = "/api/v1/jobs"


def ranks(gateway: Gateway, job_id: str) -> dict[str, int]:
    """The ranks of a job's tasks by name."""
    with gateway.resources.database.read() as session:
        tasks = session.exec(select(Task).where(col(Task.job_id) == UUID(job_id))).all()
    return {task.name: task.rank for task in tasks}


def test_a_job_with_a_higher_priority_overtakes_those_that_wait(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        submit(ada)
        submit(bob)
        late = submit(ada, filename="late.mp4")
        changed = ada.patch(f"{JOBS}/{late}", json={"priority": 9})
        assert changed.status_code == 200, changed.text
        assert (changed.json()["priority"], changed.json()["status"]) == (9, "queued")
    assert str(claim(any_gateway.resources).job.id) == late


def test_a_job_may_be_put_behind_the_others(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        first, second = submit(ada), submit(ada)
        ada.patch(f"{JOBS}/{first}", json={"priority": 0})
    claimed = [str(claim(any_gateway.resources).job.id) for _ in range(2)]
    assert claimed == [second, first]


def test_what_follows_a_running_task_has_the_new_priority(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        plan(any_gateway.resources, NewTask(name="audio", kind="audio"), NewTask(name="package", kind="package"))
        running = claim(any_gateway.resources)
        assert ada.patch(f"{JOBS}/{job_id}", json={"priority": 8}).status_code == 200
        assert ranks(any_gateway, job_id) == {"probe": 4, "audio": 1, "package": 1}
        any_gateway.resources.queue.finish(running, TaskResult(), [], Spent())
        assert claim(any_gateway.resources).name == "package", "and nothing of it was lost"


def test_a_task_that_is_tried_again_later_keeps_its_time(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        resources = any_gateway.resources
        resources.queue.fail(claim(resources), TimeoutError(), Spent())
        assert ada.patch(f"{JOBS}/{job_id}", json={"priority": 9}).status_code == 200
    assert ranks(any_gateway, job_id) == {"probe": 0}
    assert resources.queue.claim("transcode", "a worker") is None, "its delay has not passed"


def test_an_ended_job_has_no_priority_to_change(gateway: Gateway, ada: httpx.Client) -> None:
    job_id = submit(ada)
    complete(gateway.resources)
    answer = ada.patch(f"{JOBS}/{job_id}", json={"priority": 9, "metadata": {"a": 1}})
    assert (answer.status_code, answer.json()["code"]) == (409, "job_ended")
    assert ada.get(f"{JOBS}/{job_id}").json()["user_metadata"] == {}, "all or nothing"


def test_metadata_and_collection_may_be_changed_at_any_time(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada, metadata={"old": 1, "both": "old"})
        complete(any_gateway.resources)
        changed = ada.patch(f"{JOBS}/{job_id}", json={"metadata": {"new": True, "both": "new"}, "collection": "Films"})
        assert changed.json()["user_metadata"] == {"new": True, "both": "new"}
        assert changed.json()["collection"] == "Films"
        found = {entry: ada.get(JOBS, params={"metadata": entry}).json()["total"] for entry in ("new=true", "old")}
        assert found == {"new=true": 1, "old": 0}
        left = ada.patch(f"{JOBS}/{job_id}", json={"collection": None}).json()
        assert (left["collection"], left["user_metadata"]["both"]) == (None, "new")


@pytest.mark.parametrize(
    "body",
    [
        {"priority": 10},
        {"priority": -1},
        {"priority": None},
        {"priority": "9"},
        {"collection": ""},
        {"metadata": None},
        {"metadata": {str(n): n for n in range(51)}},
        {"status": "completed"},
        {},
        [],
    ],
)
def test_a_change_that_is_none_is_refused(ada: httpx.Client, body: Any) -> None:
    job_id = submit(ada)
    assert ada.patch(f"{JOBS}/{job_id}", json=body).json()["code"] == "invalid_request"
