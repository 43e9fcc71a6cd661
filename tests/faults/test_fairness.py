"""One owner floods the queue."""

from __future__ import annotations

from uuid import UUID

import pytest
from faults.cluster import Cluster
from faults.recovery import Recovery
from sqlalchemy import select, text
from sqlmodel import col

from mill_common.models import Job
from mill_common.states import JOB_ENDED

FLOOD = 100_000
WORKERS = 2
# What `enqueue_job` writes for one owner's jobs, one after another: each one's share is one more than the last one's.
COPY_JOBS = """
    INSERT INTO job SELECT (jsonb_populate_record(job, jsonb_build_object('id', gen_random_uuid()))).*
    FROM job, generate_series(2, :flood) WHERE job.id = :first
"""
COPY_TASKS = """
    INSERT INTO task SELECT (jsonb_populate_record(task, jsonb_build_object(
        'id', gen_random_uuid(), 'job_id', job.id, 'share', task.share + row_number() OVER ()))).*
    FROM task, job WHERE task.job_id = :first AND job.id <> :first
"""
REMOVE_UNBEGUN = """
    DELETE FROM job WHERE NOT EXISTS (
        SELECT FROM task, attempt WHERE task.job_id = job.id AND attempt.task_id = task.id)
"""


@pytest.mark.fault(
    "one owner's 100,000 queued tasks before another's first", "claimed within the next 2 × workers claims"
)
def test_a_flood_of_one_owner_does_not_delay_another(cluster: Cluster, recovery: Recovery) -> None:
    first = cluster.job("flood", wake=False)
    with cluster.database.write() as session:
        session.execute(text(COPY_JOBS), {"flood": FLOOD, "first": first})
        session.execute(text(COPY_TASKS), {"first": first})
    cluster.start("watchdog")
    workers = [cluster.start("transcoder") for _ in range(WORKERS)]
    cluster.until(lambda: len(cluster.attempts()) > WORKERS)
    job = cluster.job("grace")
    with recovery:
        cluster.until_completed(job)
    assert _claims_before(cluster, job) <= 2 * WORKERS
    for worker in workers:
        assert worker.stop() == 0
    _clear(cluster)


def _claims_before(cluster: Cluster, job: UUID) -> int:
    """How many tasks were claimed between the job's coming in and the claim of its first task."""
    probe = cluster.desk.tasks(job)["probe"]
    [begun] = cluster.attempts(task_id=probe.id)
    came_in = cluster.desk.row(job).created_at
    return sum(came_in <= attempt.started_at < begun.started_at for attempt in cluster.attempts())


def _clear(cluster: Cluster) -> None:
    """What no worker has begun never was; the rest is cancelled."""
    with cluster.database.write() as session:
        session.execute(text(REMOVE_UNBEGUN))
        begun = session.scalars(select(col(Job.id)).where(col(Job.status).not_in(JOB_ENDED))).all()
    for job in begun:
        cluster.desk.cancel(job)
