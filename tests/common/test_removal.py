"""Many jobs are removed at once, and only those that can go."""

from __future__ import annotations

from contextlib import closing
from functools import partial

from common.desk import Desk
from sqlalchemy import select
from sqlmodel import col

from mill_common.database import Database
from mill_common.models import Job
from mill_common.removal import remove_jobs


def test_only_jobs_that_have_ended_and_run_nothing_are_removed(desk: Desk) -> None:
    waiting = desk.job("ada")
    ended = desk.job("bob")
    desk.cancel(ended)
    cancelled = desk.job("eve")
    claim = next(claim for claim in (desk.claim(), desk.claim()) if claim.job.id == cancelled)
    desk.cancel(cancelled)
    gone = desk.database.run(partial(remove_jobs, job_ids=[waiting, ended, cancelled, claim.task_id]))
    assert list(gone) == [ended]
    with desk.database.read() as session:
        assert set(session.scalars(select(col(Job.id)))) == {waiting, cancelled}


def test_a_job_that_somebody_else_has_is_not_waited_for(migrated_postgres_url: str) -> None:
    with closing(Database(migrated_postgres_url)) as database, closing(Database(migrated_postgres_url)) as other:
        desk = Desk(database)
        jobs = [desk.job("ada"), desk.job("ada")]
        for job_id in jobs:
            desk.cancel(job_id)
        with other.write() as session:
            session.scalars(select(Job).where(col(Job.id) == jobs[0]).with_for_update()).one()
            assert list(database.run(partial(remove_jobs, job_ids=jobs))) == [jobs[1]]
