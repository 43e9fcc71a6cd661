"""What the rows say of watched jobs: two statements a look, whoever and however many watch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from mill_api.live.state import State, state_of
from mill_common.clock import db_now
from mill_common.models import Job, Task
from mill_common.states import JobStatus, TaskStatus

AT_ONCE = 1000  # jobs told of to somebody who comes back


def changed_states(
    session: Session, owners: Collection[str], *, within_s: float, also: Collection[UUID] = ()
) -> list[State]:
    """The states of these owners' jobs that were written in the last `within_s` seconds, and of the jobs in `also`."""
    running = _running(session, owners, db_now(-within_s))
    wanted = or_(
        col(Job.owner_id).in_(owners) & (col(Job.updated_at) > db_now(-within_s)),
        col(Job.id).in_({*also, *running.beating}),
    )
    return _states(session, wanted, running.tasks)


def active_states(session: Session, owner_id: str) -> list[State]:
    """The states of an owner's jobs that are being worked on, the newest ones."""
    active = (col(Job.owner_id) == owner_id) & (col(Job.status) == JobStatus.PROCESSING)
    return _states(session, active, _running(session, [owner_id], db_now()).tasks, order=col(Job.created_at).desc())


def states_since(session: Session, owner_id: str, unix_time: float) -> list[State]:
    """The states of an owner's jobs that were written after a time, the earliest first."""
    since = datetime.fromtimestamp(unix_time, UTC)
    running = _running(session, [owner_id], since)
    later = (col(Job.owner_id) == owner_id) & ((col(Job.updated_at) > since) | col(Job.id).in_(running.beating))
    return _states(session, later, running.tasks, order=col(Job.updated_at))


def owned_state(session: Session, job_id: UUID, owner_id: str) -> State | None:
    """The state of an owner's job."""
    mine = (col(Job.id) == job_id) & (col(Job.owner_id) == owner_id)
    tasks = session.exec(select(Task).where(col(Task.job_id) == job_id, _is_running)).all()
    found = _states(session, mine, {job_id: list(tasks)})
    return found[0] if found else None


_is_running: ColumnElement[bool] = col(Task.status) == TaskStatus.RUNNING


class _Running:
    """What runs for some owners: a handful of tasks, found by the index of running ones."""

    def __init__(self) -> None:
        self.tasks: dict[UUID, list[Task]] = defaultdict(list)
        self.beating: set[UUID] = set()


def _running(session: Session, owners: Collection[str], since: object) -> _Running:
    beats = col(Task.heartbeat_at) > since
    mine = select(Task, beats).where(_is_running, col(Task.owner_id).in_(owners)).order_by(col(Task.id))
    found = _Running()
    for task, is_beating in session.exec(mine).all():
        found.tasks[task.job_id].append(task)
        if is_beating:
            found.beating.add(task.job_id)
    return found


def _states(
    session: Session, wanted: ColumnElement[bool], tasks: dict[UUID, list[Task]], *, order: object = None
) -> list[State]:
    jobs = select(Job).where(wanted)
    if order is not None:
        jobs = jobs.order_by(order).limit(AT_ONCE)  # type: ignore[arg-type]  # columns and their directions
    return [state_of(job, tasks.get(job.id, [])) for job in session.exec(jobs).all()]
