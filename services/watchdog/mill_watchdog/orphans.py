"""Objects that no row owns: what lost attempts left, and what jobs left that are gone.

An object is removed only if all of this holds; whatever is in doubt stays.

- Its key is `jobs/{job}/{task}-{epoch}/…`: nobody but an attempt writes there.
- It was there, and older than the grace, before the rows were looked at.
- Its job is gone, or its task is gone, or that epoch of the task has ended. An ended epoch can't be fenced in again, so
  nothing will ever come to own the object that does not own it now.
- No output is it or lies above it, and it is no job's source.
- Its job was not deleted with the wish that its files stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Self
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from mill_common.cleanup import are_kept
from mill_common.models import Job, Output, Task
from mill_common.resources import Resources
from mill_common.runs import Result, Run
from mill_common.runs.ledger import now
from mill_common.states import TaskStatus
from mill_common.storage import ObjectStat

AT_ONCE = 500
TOP = "jobs/"


@dataclass(frozen=True)
class Place:
    """The attempt that an object's key names."""

    key: str
    job_id: UUID
    task_id: UUID
    epoch: int

    @classmethod
    def of(cls, key: str) -> Self | None:
        """The attempt, or None if the key is not of that form."""
        try:
            _, job, attempt, _ = key.split("/", 3)
            task, _, epoch = attempt.rpartition("-")
            place = cls(key, UUID(job), UUID(task), int(epoch))
        except ValueError:
            return None
        # Only what an attempt would have written: no other spelling of the same numbers.
        return place if key.startswith(f"{TOP}{place.job_id}/{place.task_id}-{place.epoch}/") else None


def delete_orphans(resources: Resources, run: Run) -> Result:
    """Remove the objects of attempts that no row owns. Items are the objects looked at.

    Raises:
        StorageUnavailable: Storage does not answer; the next run goes on.
    """
    with resources.database.read() as session:
        before = now(session) - timedelta(seconds=resources.settings.orphan_grace_s)
    old = (stat for stat in resources.store.list(TOP) if stat.modified_at < before)
    deleted = size = 0
    while batch := list(islice(old, AT_ONCE)):
        orphans = _orphans(resources, batch)
        if orphans:
            resources.store.delete([stat.key for stat in orphans])
        deleted += len(orphans)
        size += sum(stat.size for stat in orphans)
        run.count(succeeded=len(batch))
    return {"deleted_count": deleted, "deleted_bytes": size, "cutoff_time": before.isoformat()}


def _orphans(resources: Resources, stats: Sequence[ObjectStat]) -> list[ObjectStat]:
    places = {stat.key: place for stat in stats if (place := Place.of(stat.key))}
    # One transaction a batch, begun after the batch was listed: see above.
    with resources.database.read() as session:
        living = _living(session, places)
        owned = _owned(session, places)
    orphans = [stat for stat in stats if _is_orphan(places.get(stat.key), living, owned)]
    jobs = {places[stat.key].job_id for stat in orphans}
    kept = {job_id for job_id in jobs if are_kept(resources.store, job_id)}
    return [stat for stat in orphans if places[stat.key].job_id not in kept]


def _is_orphan(place: Place | None, living: Mapping[UUID, tuple[int, bool]], owned: Mapping[UUID, set[str]]) -> bool:
    if place is None or any(_lies_in(place.key, key) for key in owned.get(place.job_id, ())):
        return False
    if place.task_id not in living:
        return True
    epoch, runs = living[place.task_id]
    # A later epoch than the row's was written before the database was put back: a person must decide.
    return place.epoch < epoch or (place.epoch == epoch and not runs)


def _lies_in(key: str, owned: str) -> bool:
    return key.startswith(owned) if owned.endswith("/") else key == owned


def _living(session: Session, places: Mapping[str, Place]) -> dict[UUID, tuple[int, bool]]:
    ids = {place.task_id for place in places.values()}
    tasks = select(col(Task.id), col(Task.epoch), col(Task.status)).where(col(Task.id).in_(ids))
    return {task_id: (epoch, status is TaskStatus.RUNNING) for task_id, epoch, status in session.execute(tasks)}


def _owned(session: Session, places: Mapping[str, Place]) -> dict[UUID, set[str]]:
    ids = {place.job_id for place in places.values()}
    outputs = select(col(Output.job_id), col(Output.object_key)).where(col(Output.job_id).in_(ids))
    sources = select(col(Job.id), col(Job.source_key)).where(col(Job.id).in_(ids), col(Job.source_key).is_not(None))
    owned: dict[UUID, set[str]] = {}
    for statement in (outputs, sources):
        for job_id, key in session.execute(statement):
            owned.setdefault(job_id, set()).add(key)
    return owned
