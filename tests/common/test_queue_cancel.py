"""A cancelled job stays cancelled."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import uuid4

import pytest
from common.desk import NOTHING, Desk, made

from mill_common.errors import ChildFailed, SourceUnreadable, TaskCancelled
from mill_common.models import Outcome
from mill_common.queue import Claim, JobEnded, JobNotFound, NewTask
from mill_common.states import JobStatus, TaskStatus


def test_a_waiting_job_is_cancelled_at_once(desk: Desk) -> None:
    job = desk.job(source_key=None, source_url="https://example.org/v")
    desk.cancel(job)
    assert set(desk.statuses(job).values()) == {TaskStatus.CANCELLED}
    assert desk.status(job) is JobStatus.CANCELLED
    assert desk.row(job).completed_at is not None
    assert desk.take() is None


def test_a_job_that_waits_for_a_retry_is_cancelled_at_once(desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    desk.fail(claim, ChildFailed())
    desk.cancel(job)
    desk.due(claim.task_id)
    assert desk.statuses(job) == {"probe": TaskStatus.CANCELLED}
    assert desk.take() is None


def test_a_running_task_learns_of_its_cancellation_by_heartbeat(desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    assert desk.queue.heartbeat(claim, 0.1, "probe") is False
    desk.cancel(job)
    assert desk.status(job) is JobStatus.CANCELLED
    assert desk.statuses(job) == {"probe": TaskStatus.RUNNING}
    assert desk.queue.heartbeat(claim, 0.2, "probe") is True


def test_an_acknowledged_cancellation_ends_the_task(desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    desk.cancel(job)
    ended = desk.row(job).completed_at
    desk.queue.acknowledge_cancel(claim, NOTHING)
    assert desk.statuses(job) == {"probe": TaskStatus.CANCELLED}
    assert desk.attempts(claim.task_id)[0].outcome is Outcome.CANCELLED
    assert (desk.status(job), desk.row(job).completed_at) == (JobStatus.CANCELLED, ended)


WRITES: dict[str, Callable[[Desk, Claim], object]] = {
    "finish": lambda desk, claim: desk.finish(claim, made("360p.mp4"), publish=True),
    "fail": lambda desk, claim: desk.fail(claim, ChildFailed()),
    "fail for good": lambda desk, claim: desk.fail(claim, SourceUnreadable()),
    "release": lambda desk, claim: desk.queue.release(claim, NOTHING),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_cancelled_task_ends_in_no_other_way(desk: Desk, write: Callable[[Desk, Claim], object]) -> None:
    job = desk.job()
    claim = desk.claim()
    desk.cancel(job)
    with pytest.raises(TaskCancelled):
        write(desk, claim)
    assert desk.statuses(job) == {"probe": TaskStatus.RUNNING}
    assert (desk.status(job), desk.outputs(job)) == (JobStatus.CANCELLED, {})


def test_a_cancelled_task_whose_worker_died_is_cancelled_by_the_sweep(desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    desk.cancel(job)
    desk.crash(claim)
    assert desk.statuses(job) == {"probe": TaskStatus.CANCELLED}


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_a_job_that_has_ended_is_not_cancelled(desk: Desk, end: str) -> None:
    job = desk.job()
    claim = desk.claim()
    if end == "completed":
        desk.finish(claim)
    elif end == "failed":
        desk.fail(claim, SourceUnreadable())
    else:
        desk.cancel(job)
    with pytest.raises(JobEnded, match=end):
        desk.cancel(job)
    assert desk.status(job) == end


def test_an_unknown_job_is_not_cancelled(desk: Desk) -> None:
    with pytest.raises(JobNotFound):
        desk.cancel(uuid4())


def test_cancelling_leaves_other_jobs_alone(desk: Desk) -> None:
    job, other = desk.job(), desk.job()
    desk.cancel(job)
    assert desk.claim().job.id == other


def test_of_cancel_and_finish_the_first_commit_wins(desk: Desk) -> None:
    with ThreadPoolExecutor(2) as threads:
        for number in range(10 if desk.database.is_sqlite else 40):
            job = desk.planned(NewTask(name="publish", kind="publish"))
            claim = desk.claim()
            together = threading.Barrier(2)
            finished = threads.submit(_attempt, partial(desk.finish, claim, made("v.mp4"), publish=True), together)
            head_start = random.Random(number).uniform(0.0, 0.01)
            cancelled = threads.submit(_attempt, partial(desk.cancel, job), together, head_start)
            match finished.result(), cancelled.result():
                case None, JobEnded():
                    assert (desk.status(job), set(desk.outputs(job))) == (JobStatus.COMPLETED, {"v.mp4"})
                case TaskCancelled(), None:
                    assert (desk.status(job), desk.outputs(job)) == (JobStatus.CANCELLED, {})
                    desk.queue.acknowledge_cancel(claim, NOTHING)
                case both:
                    pytest.fail(f"both or neither won: {both}")


def test_of_cancel_and_claim_none_leaves_a_task_that_nobody_cancels(desk: Desk) -> None:
    with ThreadPoolExecutor(2) as threads:
        for _ in range(10 if desk.database.is_sqlite else 40):
            job = desk.job()
            together = threading.Barrier(2)
            claims: list[Claim | None] = []
            claimed = threads.submit(_attempt, partial(_keep, claims, desk.take), together)
            threads.submit(_attempt, partial(desk.cancel, job), together).result()
            assert claimed.result() is None
            assert desk.status(job) is JobStatus.CANCELLED
            if claims[0] is None:
                assert desk.statuses(job) == {"probe": TaskStatus.CANCELLED}
            else:
                assert desk.queue.heartbeat(claims[0], 0.5, "probe") is True
                desk.queue.acknowledge_cancel(claims[0], NOTHING)


def _keep(kept: list[Claim | None], take: Callable[[], Claim | None]) -> None:
    kept.append(take())


def _attempt(work: Callable[[], object], together: threading.Barrier, wait_s: float = 0.0) -> Exception | None:
    together.wait()
    time.sleep(wait_s)  # spreads the moments at which the two meet
    try:
        work()
    except (TaskCancelled, JobEnded) as lost:
        return lost
    return None
