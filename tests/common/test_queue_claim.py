"""Who gets which task, and that nobody else does."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from common.desk import NOTHING, Desk
from sqlalchemy import event, text

from mill_common.errors import ChildFailed
from mill_common.models import Owner
from mill_common.queue import TRANSCODE, TRANSCRIBE, NewTask
from mill_common.states import JobStatus, TaskStatus

CROWD = """
    INSERT INTO task SELECT (jsonb_populate_record(task, jsonb_build_object(
        'id', gen_random_uuid(), 'name', 'encode-' || n, 'share', n))).* FROM task, generate_series(1, 100000) AS n
"""


def test_an_empty_queue_has_nothing_to_claim(desk: Desk) -> None:
    assert desk.take() is None


def test_a_claim_carries_the_task_and_its_job(desk: Desk) -> None:
    job = desk.job("grace")
    claim = desk.claim(worker="host:1")
    assert (claim.job.id, claim.job.owner_id, claim.job.source_key) == (job, "grace", "uploads/clip.mp4")
    assert (claim.name, claim.kind, claim.worker) == ("probe", "probe", "host:1")
    assert (claim.epoch, claim.attempts, claim.max_attempts) == (1, 1, desk.policy.max_attempts)


def test_a_claimed_task_runs_under_a_lease_by_the_database_s_clock(desk: Desk) -> None:
    desk.job()
    claim = desk.claim(worker="host:1")
    task = desk.task(claim.task_id)
    assert (task.status, task.worker, task.epoch) == (TaskStatus.RUNNING, "host:1", 1)
    assert 0 < desk.seconds_until(claim.task_id, "lease_until") <= desk.policy.lease_s
    assert claim.lease_until == task.lease_until


def test_the_first_claim_begins_the_job(desk: Desk) -> None:
    job = desk.job()
    assert (desk.status(job), desk.row(job).started_at) == (JobStatus.QUEUED, None)
    desk.claim()
    assert desk.status(job) is JobStatus.PROCESSING
    assert desk.row(job).started_at is not None


def test_the_higher_priority_goes_first(desk: Desk) -> None:
    low, high, middle = desk.job(priority=1), desk.job(priority=9), desk.job(priority=5)
    assert [desk.claim().job.id for _ in range(3)] == [high, middle, low]


def test_among_one_owner_s_tasks_the_older_goes_first(desk: Desk) -> None:
    jobs = [desk.job() for _ in range(5)]
    assert [desk.claim().job.id for _ in range(5)] == jobs


def test_a_job_s_next_step_goes_before_the_first_step_of_a_younger_job(desk: Desk) -> None:
    older, younger = desk.job(), desk.job()
    probe = desk.claim()
    assert probe.job.id == older
    desk.finish(probe, tasks=[NewTask(name="encode", kind="encode")])
    assert [(claim.job.id, claim.name) for claim in (desk.claim(), desk.claim())] == [
        (older, "encode"),
        (younger, "probe"),
    ]


def test_owners_take_turns_while_their_older_jobs_go_first(desk: Desk) -> None:
    for owner in ["ada"] * 6 + ["grace"] * 6:
        desk.job(owner)
    served = Counter[str]()
    finished: list[str] = []
    for _ in range(24):
        claim = desk.claim()
        served[claim.job.owner_id] += 1
        tasks = [NewTask(name="encode", kind="encode")] if claim.name == "probe" else []
        desk.finish(claim, tasks=tasks)
        finished += [] if tasks else [claim.job.owner_id]
        assert abs(served["ada"] - served["grace"]) <= 2
    assert finished in (["ada", "grace"] * 6, ["grace", "ada"] * 6)


@pytest.mark.parametrize("served_before", [0, 1, 30])
def test_an_owner_with_200_waiting_tasks_delays_another_s_first_by_one_claim(desk: Desk, served_before: int) -> None:
    desk.planned(*(NewTask(name=f"encode-{number}", kind="encode") for number in range(200)), owner="crowd")
    desk.claims(served_before)
    lonely = desk.job("lonely")
    assert lonely in [desk.claim().job.id for _ in range(2)]


def test_an_owner_with_100000_waiting_tasks_delays_another_s_first_by_one_claim(desk: Desk) -> None:
    if desk.database.is_sqlite:
        pytest.skip("the crowd is made by PostgreSQL; the order of claims is the same")
    desk.job("crowd")
    with desk.database.write() as session:
        session.execute(text(CROWD))
    for worker in range(4):
        desk.claim(worker=f"worker-{worker}")
    lonely = desk.job("lonely")
    assert lonely in [desk.claim().job.id for _ in range(2)]


def test_two_owners_with_backlogs_take_turns(desk: Desk) -> None:
    for owner in ["ada"] * 10 + ["grace"] * 10:
        desk.job(owner)
    turns = Counter(desk.claim().job.owner_id for _ in range(10))
    assert turns == {"ada": 5, "grace": 5}


def test_an_owner_s_retry_that_is_not_due_gives_newcomers_no_head_start(desk: Desk) -> None:
    desk.job("unlucky")
    desk.fail(desk.claim(), ChildFailed())
    crowd = [desk.job("crowd") for _ in range(20)]
    assert [desk.claim().job.id for _ in range(10)] == crowd[:10]
    for _ in range(10):
        desk.job("newcomer")
    turns = Counter(desk.claim().job.owner_id for _ in range(10))
    assert turns == {"crowd": 5, "newcomer": 5}


def test_priority_comes_before_fair_share(desk: Desk) -> None:
    urgent = [desk.job("crowd", priority=9) for _ in range(3)]
    desk.job("lonely")
    assert [desk.claim().job.id for _ in range(3)] == urgent


def test_a_worker_claims_from_its_own_queue_alone(desk: Desk) -> None:
    desk.planned(NewTask(name="transcribe", kind="transcribe", queue=TRANSCRIBE))
    assert desk.take() is None
    assert desk.claim(TRANSCRIBE).name == "transcribe"


def test_a_task_is_not_claimed_before_it_is_due(desk: Desk) -> None:
    desk.job()
    claim = desk.claim()
    desk.fail(claim, ChildFailed())
    assert desk.take() is None
    desk.due(claim.task_id)
    assert desk.claim().task_id == claim.task_id


def test_every_claim_raises_the_epoch(desk: Desk) -> None:
    desk.job()
    epochs = []
    for _ in range(3):
        claim = desk.claim()
        epochs.append(claim.epoch)
        desk.queue.release(claim, NOTHING)
    assert epochs == [1, 2, 3]


def test_each_claim_is_an_attempt_in_the_history(desk: Desk) -> None:
    desk.job()
    first = desk.claim(worker="one")
    desk.crash(first)
    desk.claim(worker="two")
    history = desk.attempts(first.task_id)
    assert [(attempt.epoch, attempt.worker) for attempt in history] == [(1, "one"), (2, "two")]
    assert [attempt.ended_at is None for attempt in history] == [False, True]


def test_eight_threads_claim_no_task_twice(desk: Desk) -> None:
    desk.planned(*(NewTask(name=f"encode-{number:03}", kind="encode") for number in range(120)))

    def drain(worker: int) -> list[UUID]:
        taken = []
        while (claim := desk.take(worker=f"worker-{worker}")) is not None:
            taken.append(claim.task_id)
        return taken

    with ThreadPoolExecutor(8) as threads:
        taken = [task for tasks in threads.map(drain, range(8)) for task in tasks]
    assert len(taken) == len(set(taken)) == 120


def test_a_claim_reads_an_index_and_not_the_table(desk: Desk) -> None:
    if not desk.database.is_sqlite:
        pytest.skip("PostgreSQL plans by the size of the table; the index's condition is the same")
    statements: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        statements.append((statement, parameters))

    desk.job()
    event.listen(desk.database.engine, "before_cursor_execute", note)
    desk.claim()
    read = [found for found in statements if found[0].startswith(("SELECT", "UPDATE task"))]
    with desk.database.engine.connect() as connection:
        plans = [
            step[3]
            for statement, parameters in read
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        ]
    assert any("USING INDEX ix_task_claim" in step for step in plans), plans
    assert any("USING INDEX ix_task_owner_age" in step for step in plans), plans
    scans = [step for step in plans if step.startswith(("SCAN task", "SCAN owner"))]
    assert all("INDEX ix_owner_lane" in step for step in scans), scans
    # The heads of the lanes are sorted among themselves, one sort for either side of the union; nothing else is.
    sorts = [step for step in plans if "TEMP B-TREE" in step]
    assert len(sorts) <= 2, plans


@pytest.mark.parametrize("at_once", [True, False], ids=["queued at once", "one by one"])
def test_an_owner_of_twice_the_weight_gets_twice_the_tasks(desk: Desk, at_once: bool) -> None:
    with desk.database.write() as session:
        session.add(Owner(id="double", weight=2.0))
    for owner in ("double", "single"):
        if at_once:
            desk.planned(
                *(NewTask(name=f"encode-{number}", kind="encode", queue="bulk") for number in range(40)), owner=owner
            )
        else:
            for _ in range(40):
                desk.job(owner)
    queue = "bulk" if at_once else TRANSCODE
    served = Counter(desk.claim(queue).job.owner_id for _ in range(30))
    assert served == {"double": 20, "single": 10}
