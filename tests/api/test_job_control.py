from __future__ import annotations

from typing import Any

import httpx
import pytest
from api.running import Gateway, claim, complete, plan, submit

from mill_common.errors import SourceUnreadable
from mill_common.queue import NewTask, Spent, TaskResult

JOBS = "/api/v1/jobs"


def test_a_waiting_job_is_cancelled_at_once(any_gateway: Gateway) -> None:
    """J4: a job that waits."""
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        answer = ada.post(f"{JOBS}/{job_id}/cancel")
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "cancelled"
        view = ada.get(f"{JOBS}/{job_id}").json()
        assert view["status"] == "cancelled"
        assert view["completed_at"] is not None
        assert view["outputs"]["audio"]["reason"] == "cancelled"
        again = ada.post(f"{JOBS}/{job_id}/cancel")
        assert (again.status_code, again.json()["code"]) == (409, "job_ended")
    assert any_gateway.resources.queue.claim("transcode", "a worker") is None


def test_only_what_failed_runs_again(any_gateway: Gateway) -> None:
    """J8: what completed stays as it is."""
    resources = any_gateway.resources
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        assert ada.post(f"{JOBS}/{job_id}/retry").json()["code"] == "job_not_failed"
        plan(resources, NewTask(name="audio", kind="audio"), NewTask(name="publish", kind="publish", needs=["audio"]))
        resources.queue.fail(claim(resources), SourceUnreadable("The sound is broken."), Spent())
        failed = ada.get(f"{JOBS}/{job_id}").json()
        assert failed["status"] == "failed"
        assert failed["error"] == {
            "code": "source_unreadable",
            "message": "The sound is broken.",
            "failed_task": "audio",
            "retry_count": 0,
        }
        assert failed["outputs"]["audio"]["reason"] == "failed"
        retried = ada.post(f"{JOBS}/{job_id}/retry")
        assert retried.status_code == 200, retried.text
        assert (retried.json()["status"], retried.json()["error"]) == ("processing", None)
        assert claim(resources).name == "audio"


def test_a_deleted_job_takes_its_files_along(any_gateway: Gateway) -> None:
    """J3: a job and, by default, its files; the answer says how many."""
    store = any_gateway.resources.store
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        complete(any_gateway.resources, {"360p.mp4": b"film", "hls/master.m3u8": b"#EXTM3U", "hls/1.m4s": b"x"})
        answer = ada.delete(f"{JOBS}/{job_id}")
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"job_id": job_id, "deleted": True, "files_deleted": 3}
        assert ada.get(f"{JOBS}/{job_id}").status_code == 404
        assert ada.delete(f"{JOBS}/{job_id}").status_code == 404
    assert list(store.list("jobs/")) == []
    assert len(list(store.list("uploads/"))) == 1, "the source was not made by the job"


def test_a_deleted_job_may_leave_its_files(gateway: Gateway, ada: httpx.Client) -> None:
    """J3: a job without its files."""
    job_id = submit(ada)
    complete(gateway.resources, {"360p.mp4": b"film"})
    answer = ada.delete(f"{JOBS}/{job_id}", params={"delete_files": "false"})
    assert answer.json()["files_deleted"] == 0
    left = {stat.key.rpartition("/")[2] for stat in gateway.resources.store.list("jobs/")}
    assert left == {"360p.mp4", "kept"}, "and a mark that keeps sweeps away"


def test_a_running_job_is_cancelled_and_deleted_once_it_has_stopped(gateway: Gateway, ada: httpx.Client) -> None:
    """J4: a job that runs."""
    job_id = submit(ada)
    claimed = claim(gateway.resources)
    first = ada.delete(f"{JOBS}/{job_id}")
    assert (first.status_code, first.json()["code"]) == (409, "job_running")
    assert ada.get(f"{JOBS}/{job_id}").json()["status"] == "cancelled"
    assert gateway.resources.queue.heartbeat(claimed, 0.5, "probing"), "the worker learns that it must stop"
    gateway.resources.queue.acknowledge_cancel(claimed, Spent())
    assert ada.delete(f"{JOBS}/{job_id}").status_code == 200


def test_progress_never_falls_and_is_small_until_the_plan_is_known(any_gateway: Gateway) -> None:
    resources = any_gateway.resources
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)

        def progress() -> dict[str, Any]:
            found: dict[str, Any] = ada.get(f"{JOBS}/{job_id}").json()["progress"]
            return found

        assert progress()["overall_progress"] == 0
        probe = claim(resources)
        resources.queue.heartbeat(probe, 0.9, "reading packets")
        early = progress()
        assert 0 < early["overall_progress"] <= 5
        assert (early["current_task"], early["current_stage"]) == ("probe", "reading packets")
        assert early["current_task_progress"] == 90
        assert early["eta_seconds"] is None, "the speed is not known yet"
        following = [
            NewTask(name="encode-000", kind="encode", weight=9),
            NewTask(name="publish", kind="publish", weight=10),
        ]
        resources.queue.finish(probe, TaskResult(tasks=following), [], Spent())
        seen = [early["overall_progress"], progress()["overall_progress"]]
        encode = claim(resources)
        resources.queue.heartbeat(encode, 0.5, "encoding")
        seen.append(progress()["overall_progress"])
        assert seen[-1] == pytest.approx(100 * (1 + 4.5) / 20)
        resources.queue.release(encode, Spent())
        encode = claim(resources)
        resources.queue.heartbeat(encode, 0.1, "encoding again")
        seen.append(progress()["overall_progress"])
        resources.queue.finish(encode, TaskResult(), [], Spent())
        seen.append(progress()["overall_progress"])
        resources.queue.finish(claim(resources), TaskResult(publish=True), [], Spent())
        end = progress()
        seen.append(end["overall_progress"])
    assert seen == sorted(seen)
    assert (seen[-1], end["eta_seconds"], end["current_task"]) == (100, 0, None)
