"""The sweep that fails stuck jobs, and what it says of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from common.desk import Desk
from watchdog.sweeps import age, latest, sweep

from mill_common.models import Job, Task
from mill_common.resources import Resources
from mill_common.states import JobStatus

TIMES = ("created_at", "queued_at", "started_at", "progress_at")


def test_the_result_names_the_jobs_and_the_cutoff(resources: Resources) -> None:
    desk = Desk(resources.database, resources.queue.policy)
    stuck, moving = desk.job(), desk.job()
    claims = [desk.claim(), desk.claim()]
    for job, claim, minutes in zip((stuck, moving), claims, (130, 60), strict=True):
        age(resources, Task, claim.task_id, *TIMES, by=timedelta(minutes=minutes))
        age(resources, Job, job, "created_at", by=timedelta(minutes=minutes))

    result = sweep(resources, "stuck_jobs")
    run = latest(resources, "stuck_jobs")
    assert (result["stuck_count"], result["stuck_job_ids"]) == (1, [str(stuck)])
    assert run.finished_at is not None
    cutoff = datetime.fromisoformat(result["cutoff_time"]) + timedelta(minutes=120)
    assert run.started_at <= cutoff <= run.finished_at
    assert (run.total_items, run.items_succeeded, run.metadata["stuck_count"]) == (1, 1, 1)
    assert (desk.status(stuck), desk.status(moving)) == (JobStatus.FAILED, JobStatus.PROCESSING)

    again = sweep(resources, "stuck_jobs", stuck_after_minutes=30)
    assert again["stuck_job_ids"] == [str(moving)]
    assert datetime.fromisoformat(again["cutoff_time"]) > datetime.fromisoformat(result["cutoff_time"])
