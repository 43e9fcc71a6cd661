"""The two sweeps that an operator can also ask for: stuck jobs fail, old jobs go.

Both are given a run, so that they are counted and can be stopped; both can be repeated at any point.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlmodel import col

from mill_common.errors import MillError, SourceMissing
from mill_common.models import Job, Task
from mill_common.queue.predicates import running
from mill_common.queue.stuck import fail_stuck_job, stuck_jobs
from mill_common.removal import remove_jobs
from mill_common.resources import Resources
from mill_common.runs import Result, Run, forget_runs
from mill_common.runs.ledger import now
from mill_common.states import JOB_ENDED
from mill_common.storage import ObjectStore
from mill_common.tracing import died_untold

AT_ONCE = 100
HOLD_S = 0.2  # how long jobs that go together are locked
STUCK_MINUTES = range(30, 1441)
KEEP_DAYS = range(1, 366)


class OutOfRange(MillError):
    """A threshold is out of its range."""

    code = "out_of_range"
    status = 422


def fail_stuck_jobs(resources: Resources, run: Run) -> Result:
    """Fail the jobs in which nothing has progressed for `stuck_after_minutes`, the setting or the run's parameter.

    Raises:
        OutOfRange: Less than 30 or more than 1440 minutes were asked for.
    """
    minutes = _within(STUCK_MINUTES, run, "stuck_after_minutes", resources.settings.stuck_after_minutes)
    with resources.database.read() as session:
        cutoff = now(session) - timedelta(minutes=minutes)
        found = stuck_jobs(session, cutoff)
    run.expect(len(found))
    failed: list[UUID] = []
    for job_id in found:
        if resources.database.run(partial(fail_stuck_job, job_id=job_id, cutoff=cutoff)):
            failed.append(job_id)
            died_untold(resources.database, job_id)
        run.count(succeeded=1)
    return {
        "stuck_count": len(failed),
        "stuck_job_ids": [str(job_id) for job_id in failed],
        "cutoff_time": cutoff.isoformat(),
    }


def delete_old_jobs(resources: Resources, run: Run) -> Result:
    """Delete jobs that ended more than `keep_days` ago, the setting or the run's parameter, with what they made.

    Runs of that age are forgotten, too.

    Raises:
        OutOfRange: Less than 1 or more than 365 days were asked for.
        StorageUnavailable: Storage does not answer. Objects whose rows are gone are left to the sweep of orphans.
    """
    days = _within(KEEP_DAYS, run, "keep_days", resources.settings.keep_days)
    with resources.database.read() as session:
        cutoff = now(session) - timedelta(days=days)
    pace = _Pace()
    deleted = objects = 0
    after: tuple[datetime, UUID] | None = None
    while batch := _old_jobs(resources, cutoff, after, pace.at_once):
        run.expect(len(batch))
        with pace:
            removed = resources.database.run(partial(remove_jobs, job_ids=[job_id for _, job_id in batch]))
        # After the commit: an object without a row is swept, a row without its object would be a lie.
        objects += delete_job_objects(resources.store, removed)
        deleted += len(removed)
        run.count(succeeded=len(removed), failed=len(batch) - len(removed))
        after = batch[-1]
    forgotten = resources.database.run(lambda session: forget_runs(session, keep_days=days))
    cut = {"cutoff_date": cutoff.date().isoformat()}
    return {"deleted_count": deleted, **cut, "objects_deleted": objects, "runs_forgotten": forgotten}


def delete_job_objects(store: ObjectStore, removed: Mapping[UUID, Sequence[str]]) -> int:
    """Remove what deleted jobs made: their keys as `remove_job` gave them. Returns how many objects."""
    found: set[str] = set()
    for job_id, keys in removed.items():
        found.update(key for key in keys if not key.endswith("/"))
        for prefix in (f"jobs/{job_id}/", *(key for key in keys if key.endswith("/"))):
            found.update(stored.key for stored in store.list(prefix))
    return store.delete(sorted(found))


def keep_job_objects(store: ObjectStore, job_id: UUID) -> None:
    """Mark a job's objects as wanted, though no row will own them: no sweep removes them."""
    store.put(_mark(job_id), BytesIO(), size=0, content_type="text/plain")


def are_kept(store: ObjectStore, job_id: UUID) -> bool:
    """Whether a job's objects were marked as wanted."""
    try:
        store.stat(_mark(job_id))
    except SourceMissing:
        return False
    return True


def _mark(job_id: UUID) -> str:
    return f"jobs/{job_id}/kept"


class _Pace:
    """How many jobs go at once: as many as took no longer than `HOLD_S` the last time, for so long they are locked."""

    def __init__(self) -> None:
        self.at_once = 10
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_error: object) -> None:
        took_s = max(time.monotonic() - self._began, 1e-6)
        self.at_once = max(1, min(AT_ONCE, 2 * self.at_once, int(self.at_once * HOLD_S / took_s)))


def _old_jobs(
    resources: Resources, cutoff: datetime, after: tuple[datetime, UUID] | None, at_once: int
) -> list[tuple[datetime, UUID]]:
    ended = (col(Job.completed_at), col(Job.id))
    runs = select(col(Task.id)).where(col(Task.job_id) == col(Job.id), running()).exists()
    old = select(*ended).where(col(Job.status).in_(JOB_ENDED), col(Job.completed_at) < cutoff, ~runs)
    if after is not None:
        # Those that could not go are not met again.
        old = old.where(or_(ended[0] > after[0], and_(ended[0] == after[0], ended[1] > after[1])))
    with resources.database.read() as session:
        return [(at, job_id) for at, job_id in session.execute(old.order_by(*ended).limit(at_once)).all()]


def _within(allowed: range, run: Run, name: str, setting: int) -> int:
    asked = int(run.parameters.get(name, setting))
    if asked not in allowed:
        raise OutOfRange(f"{name} is from {allowed[0]} to {allowed[-1]}, not {asked}.")
    return asked
