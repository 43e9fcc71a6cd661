"""A claim is kept alive, handed back or taken away."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from common.desk import NOTHING, Desk

from mill_common.errors import LeaseLost
from mill_common.models import Outcome
from mill_common.queue import HEARTBEAT_TIMEOUT, NewTask, expire_leases
from mill_common.states import JobStatus, TaskStatus


def test_a_heartbeat_renews_the_lease(desk: Desk) -> None:
    desk.job()
    claim = desk.claim()
    desk.expire(claim)
    desk.queue.heartbeat(claim, 0.5, "encode")
    assert desk.seconds_until(claim.task_id, "lease_until") > 0
    assert desk.task(claim.task_id).stage == "encode"
    assert desk.queue.reap_expired() == 0


def test_a_task_s_progress_never_falls(desk: Desk) -> None:
    desk.job()
    claim = desk.claim()
    desk.queue.heartbeat(claim, 0.5, "encode")
    rose = desk.task(claim.task_id).progress_at
    desk.queue.heartbeat(claim, 0.2, "encode")
    assert (desk.task(claim.task_id).progress, desk.task(claim.task_id).progress_at) == (0.5, rose)


def test_a_job_s_progress_is_its_tasks_by_weight(desk: Desk) -> None:
    job = desk.job()
    desk.finish(desk.claim(), tasks=[NewTask(name="long", kind="x", weight=8.0), NewTask(name="short", kind="x")])
    assert desk.row(job).progress == pytest.approx(0.1)
    claims = desk.claims(2)
    desk.queue.heartbeat(claims["long"], 0.5, "encode")
    assert desk.row(job).progress == pytest.approx(0.5)
    desk.finish(claims["short"])
    assert desk.row(job).progress == pytest.approx(0.6)


def test_a_job_s_progress_never_falls(desk: Desk) -> None:
    job = desk.planned(NewTask(name="encode", kind="x"), NewTask(name="package", kind="x", needs=["encode"]))
    first = desk.claim()
    desk.queue.heartbeat(first, 0.9, "encode")
    reached = desk.row(job).progress
    desk.crash(first)
    again = desk.claim()
    desk.queue.heartbeat(again, 0.1, "encode")
    assert desk.row(job).progress == reached
    desk.finish(again, tasks=[NewTask(name=f"more-{number}", kind="x", weight=9.0) for number in range(3)])
    assert desk.row(job).progress == reached


def test_a_job_without_a_plan_has_hardly_begun(desk: Desk) -> None:
    job = desk.job()
    desk.queue.heartbeat(desk.claim(), 0.99, "probe")
    assert 0 < desk.row(job).progress < 0.1


def test_a_task_handed_back_is_claimed_again_with_its_attempt_refunded(desk: Desk) -> None:
    job = desk.job()
    for epoch in range(1, desk.policy.max_attempts + 3):
        claim = desk.claim()
        assert (claim.epoch, claim.attempts) == (epoch, 1)
        desk.queue.release(claim, NOTHING)
    task = desk.tasks(job)["probe"]
    assert (task.status, task.attempts, task.worker, task.lease_until) == (TaskStatus.QUEUED, 0, None, None)
    assert {attempt.outcome for attempt in desk.attempts(task.id)} == {Outcome.HANDED_BACK}


def test_handing_back_wakes_another_worker(desk: Desk) -> None:
    desk.job()
    claim = desk.claim()
    desk.woken.counts.clear()
    desk.queue.release(claim, NOTHING)
    assert desk.woken.counts == {claim.queue: 1}


def test_a_task_handed_back_keeps_its_place(desk: Desk) -> None:
    first = desk.job()
    for _ in range(3):
        desk.job()
    desk.queue.release(desk.claim(), NOTHING)
    assert desk.claim().job.id == first


def test_a_living_worker_s_task_is_not_reaped(desk: Desk) -> None:
    desk.job()
    claim = desk.claim()
    assert desk.queue.reap_expired() == 0
    desk.finish(claim)


def test_a_dead_worker_s_task_is_claimed_by_another_at_once(desk: Desk) -> None:
    desk.job()
    dead = desk.claim(worker="dead")
    desk.crash(dead)
    task = desk.task(dead.task_id)
    assert (task.status, task.crashes, task.error_code) == (TaskStatus.RETRYING, 1, HEARTBEAT_TIMEOUT)
    (attempt,) = desk.attempts(dead.task_id)
    assert (attempt.outcome, attempt.error_code) == (Outcome.LEASE_EXPIRED, HEARTBEAT_TIMEOUT)
    assert desk.claim(worker="alive").epoch == 2


def test_three_crashes_make_a_dead_letter(desk: Desk) -> None:
    job = desk.job()
    for _ in range(3):
        desk.crash(desk.claim())
    row = desk.row(job)
    assert (row.status, row.error_code, row.failed_task) == (JobStatus.FAILED, HEARTBEAT_TIMEOUT, "probe")
    assert desk.take() is None


def test_crashes_are_counted_apart_from_hand_backs(desk: Desk) -> None:
    job = desk.job()
    for _ in range(2):
        desk.crash(desk.claim())
        desk.queue.release(desk.claim(), NOTHING)
    assert desk.tasks(job)["probe"].crashes == 2
    assert desk.status(job) is not JobStatus.FAILED


def test_of_two_sweeps_at_once_one_reaps(desk: Desk) -> None:
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            job = desk.job()
            claim = desk.claim()
            desk.expire(claim)
            assert sum(threads.map(lambda _: desk.queue.reap_expired(), range(4))) == 1
            assert desk.tasks(job)["probe"].crashes == 1
            desk.cancel(job)


def test_of_a_sweep_and_a_heartbeat_one_wins(desk: Desk) -> None:
    def beat() -> bool:
        together.wait()
        try:
            desk.queue.heartbeat(claim, 0.5, "encode")
        except LeaseLost:
            return False
        return True

    def sweep() -> int:
        together.wait()
        return desk.queue.reap_expired()

    with ThreadPoolExecutor(2) as threads:
        for _ in range(10 if desk.database.is_sqlite else 30):
            together = threading.Barrier(2)
            job = desk.job()
            claim = desk.claim()
            desk.expire(claim)
            alive, reaped = threads.submit(beat), threads.submit(sweep)
            assert {(True, 0), (False, 1)} >= {(alive.result(), reaped.result())}
            running = desk.statuses(job)["probe"] is TaskStatus.RUNNING
            assert running is alive.result()
            desk.cancel(job)


def test_the_leases_of_workers_known_to_be_gone_end_at_once(desk: Desk) -> None:
    desk.job()
    desk.job()
    gone, alive = desk.claim(worker="host_1:old:7"), desk.claim(worker="hostX1:old:8")
    assert desk.database.run(lambda session: expire_leases(session, worker_prefix="host_1:")) == 1
    assert desk.queue.reap_expired() == 1
    assert desk.task(gone.task_id).status is TaskStatus.RETRYING
    assert desk.task(alive.task_id).status is TaskStatus.RUNNING
