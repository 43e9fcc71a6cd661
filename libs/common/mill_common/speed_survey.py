"""Measures how long steps took, from time to time and away from the queue's own work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.intervals import seconds_between
from mill_common.models import Job, StepSpeed, Task
from mill_common.resources import Resources
from mill_common.runs import Result, Run
from mill_common.speeds import ENOUGH, classes_of
from mill_common.states import JobStatus, TaskStatus

SAMPLE = 500  # jobs: those that completed last

Key = tuple[str, int, int]


def measure_speeds(resources: Resources, run: Run) -> Result:
    """Survey the speeds of steps. Items are the classes of which enough is known."""
    known = survey_speeds(resources.database)
    run.expect(known)
    run.count(succeeded=known)
    return {"classes_measured": known}


def survey_speeds(database: Database) -> int:
    """Keep the median of what steps of each kind took for each class of sources, in the jobs that completed last.

    What these say nothing of keeps its earlier figures. Returns of how many classes enough is known.
    """
    with database.read() as session:
        measured = _measured(session)
    known = {key: found for key, found in measured.items() if len(found) >= ENOUGH}
    if known:
        database.run(lambda session: _write(session, known))
    return len(known)


def _measured(session: Session) -> Mapping[Key, list[float]]:
    """Seconds that the steps of a kind took together, for each second of the source; one number a job."""
    completed = select(col(Job.id), col(Job.media)).where(
        col(Job.completed_at).is_not(None), col(Job.status) == JobStatus.COMPLETED
    )
    latest = completed.order_by(col(Job.completed_at).desc(), col(Job.id).desc()).limit(SAMPLE)
    media = {job_id: facts for job_id, facts in session.execute(latest) if (facts or {}).get("duration_s")}
    measured: dict[Key, list[float]] = defaultdict(list)
    for job_id, spent in _spent(session, list(media)):
        for kind, seconds in spent.items():
            for picture, length in classes_of(media[job_id]):
                measured[kind, picture, length].append(seconds / media[job_id]["duration_s"])
    return measured


def _spent(session: Session, job_ids: list[Any]) -> Iterator[tuple[Any, dict[str, float]]]:
    took = select(
        col(Task.job_id), col(Task.kind), seconds_between(col(Task.started_at), col(Task.finished_at)).label("took")
    ).where(col(Task.job_id).in_(job_ids), col(Task.status) == TaskStatus.COMPLETED)
    spent: dict[Any, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for job_id, kind, seconds in session.execute(took):
        spent[job_id][kind] += max(0.0, seconds or 0.0)
    yield from spent.items()


def _write(session: Session, known: Mapping[Key, list[float]]) -> None:
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    for (kind, picture, length), found in known.items():
        figures = {"jobs": len(found), "seconds_per_second": median(found), "measured_at": db_now()}
        row = insert(StepSpeed).values(kind=kind, picture=picture, length=length, **figures)
        session.execute(row.on_conflict_do_update(index_elements=["kind", "picture", "length"], set_=figures))
