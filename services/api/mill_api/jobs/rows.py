"""A job with its steps and outputs, as plain rows.

PostgreSQL answers all of it as one JSON document: one statement, one round trip. SQLite, which is no trip away, is
asked three times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import Text, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlmodel import col

from mill_common.database import Database
from mill_common.models import Job, Output, Task
from mill_common.prepared import Prepared
from mill_common.queue import JobNotFound

MASTER = "master.m3u8"


class JobRow(NamedTuple):
    """What is shown of a job's row."""

    id: UUID | str
    status: str
    priority: int
    progress: float
    spec: dict[str, Any]
    user_metadata: dict[str, Any]
    collection: str | None
    filename: str
    source_url: str | None
    source_size: int | None
    source_sha256: str | None
    media: dict[str, Any] | None
    transcript: dict[str, Any] | None
    error_code: str | None
    error_message: str | None
    failed_task: str | None
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    completed_at: datetime | None


class StepRow(NamedTuple):
    """What is shown of a task's row, and what the time left is reckoned by."""

    id: UUID | str
    name: str
    kind: str
    queue: str
    status: str
    stage: str | None
    progress: float
    weight: float
    attempts: int
    params: dict[str, Any]
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None


class OutputRow(NamedTuple):
    """What is shown of an output's row."""

    name: str
    object_key: str
    size: int  # bytes
    sha256: str
    facts: dict[str, Any]
    has_master: bool  # of a tree: whether a player can begin


class JobRows(NamedTuple):
    """A job, its steps in the order they were planned, and its published outputs by name."""

    job: JobRow
    steps: list[StepRow]
    outputs: list[OutputRow]


_OF_JOB = [getattr(Job, name) for name in JobRow._fields]
_OF_STEP = [getattr(Task, name) for name in StepRow._fields]
_OF_OUTPUT = [getattr(Output, name) for name in OutputRow._fields[:-1]]
_THIS = (col(Job.id) == bindparam("job_id"), col(Job.owner_id) == bindparam("owner_id"))
_SHOWN = (col(Output.published_at).is_not(None), ~col(Output.intermediate))
_JOB_TIMES = slice(-4, None)
_STEP_TIMES = slice(-3, None)


def _listed(order: Any, columns: Sequence[Any], *wanted: Any) -> Any:
    rows = func.json_agg(aggregate_order_by(func.json_build_array(*columns), order))
    return select(rows).where(*wanted).correlate(Job).scalar_subquery()


_document = func.json_build_array(
    func.json_build_array(*_OF_JOB),
    _listed(col(Task.id), _OF_STEP, col(Task.job_id) == col(Job.id)),
    _listed(
        col(Output.name),
        [*_OF_OUTPUT, func.jsonb_exists(col(Output.files), literal_column(f"'{MASTER}'"))],
        col(Output.job_id) == col(Job.id),
        *_SHOWN,
    ),
)
_DOCUMENT = Prepared("job_document", select(cast(_document, Text)).where(*_THIS))


def read_rows(database: Database, job_id: UUID, owner_id: str) -> JobRows:
    """The owner's job of that id.

    Raises:
        JobNotFound: There is none, or it is another owner's.
    """
    return (_one_by_one if database.is_sqlite else _at_once)(database, job_id, owner_id)


def _at_once(database: Database, job_id: UUID, owner_id: str) -> JobRows:
    document = _DOCUMENT.alone(database, {"job_id": job_id, "owner_id": owner_id})
    if document is None:
        raise JobNotFound
    job, steps, outputs = from_json(document)
    _read_times(job, _JOB_TIMES)
    for step in steps or ():
        _read_times(step, _STEP_TIMES)
    return JobRows(JobRow._make(job), _all_as(StepRow._make, steps), _all_as(OutputRow._make, outputs))


def _one_by_one(database: Database, job_id: UUID, owner_id: str) -> JobRows:
    steps = select(*_OF_STEP).where(col(Task.job_id) == job_id).order_by(col(Task.id))
    outputs = select(*_OF_OUTPUT, col(Output.files)).where(col(Output.job_id) == job_id, *_SHOWN)
    with database.read() as session:
        job = session.execute(select(*_OF_JOB).where(*_THIS), {"job_id": job_id, "owner_id": owner_id}).first()
        if job is None:
            raise JobNotFound
        return JobRows(
            JobRow._make(job),
            [StepRow._make(row) for row in session.execute(steps)],
            [
                OutputRow._make([*row[:-1], MASTER in row[-1]])
                for row in session.execute(outputs.order_by(col(Output.name)))
            ],
        )


def _all_as(make: Callable[[Any], Any], rows: list[Any] | None) -> list[Any]:
    return [make(row) for row in rows or ()]


def _read_times(row: list[Any], times: slice) -> None:
    row[times] = [text and datetime.fromisoformat(text) for text in row[times]]
