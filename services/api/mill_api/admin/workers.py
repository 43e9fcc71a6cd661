"""Workers: who they are, what they do, and what an operator wants of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import Session, col
from starlette.requests import Request

from mill_api.audit import record
from mill_api.auth import OPERATOR, VIEWER
from mill_api.fields import Time
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.clock import db_now
from mill_common.control import WorkerNotFound, WorkerStopped, tell_worker
from mill_common.intervals import seconds_between
from mill_common.models import Task
from mill_common.queue.predicates import running
from mill_common.workers import Worker, WorkerState, WorkerWish


class WorkersQuery(BaseModel):
    """Which workers."""

    model_config = ConfigDict(extra="forbid")

    stopped: bool = Field(default=False, description="Those of the last week that are no more, too.")


class WorkerView(BaseModel):
    """A worker process."""

    id: UUID
    name: str
    service: str
    queue: str
    host: str
    pid: int
    version: str
    capability: dict[str, Any]
    slots: int
    running: list[UUID] = Field(description="The tasks that it holds.")
    state: WorkerState
    reason: str | None
    wish: WorkerWish | None = Field(description="What an operator wants of it.")
    alive: bool = Field(description="Whether it was heard of within a lease.")
    started_at: Time
    heartbeat_at: Time
    heartbeat_age_seconds: float
    stopped_at: Time | None


class WorkerList(BaseModel):
    """Workers, the latest first."""

    workers: list[WorkerView]


@operation(tag="admin", query=WorkersQuery, returns=WorkerList, scope=VIEWER)
def list_workers(request: Request, query: WorkersQuery) -> WorkerList:
    """List workers with what they are and what they run."""
    wanted = [] if query.stopped else [col(Worker.stopped_at).is_(None)]
    with resources(request).database.read() as session:
        return WorkerList(workers=_views(session, wanted, resources(request).settings.lease_s))


@operation(tag="admin", returns=WorkerView, raises=[WorkerNotFound, WorkerStopped], scope=OPERATOR)
def pause_worker(request: Request, worker_id: UUID) -> WorkerView:
    """Have a worker claim nothing until it is resumed. What it runs goes on."""
    return _tell(request, worker_id, WorkerWish.PAUSE)


@operation(tag="admin", returns=WorkerView, raises=[WorkerNotFound, WorkerStopped], scope=OPERATOR)
def resume_worker(request: Request, worker_id: UUID) -> WorkerView:
    """Let a paused worker claim again."""
    return _tell(request, worker_id, None)


@operation(tag="admin", returns=WorkerView, raises=[WorkerNotFound, WorkerStopped], scope=OPERATOR)
def drain_worker(request: Request, worker_id: UUID) -> WorkerView:
    """Have a worker end what it runs, claim no more, and stop. That can't be taken back."""
    return _tell(request, worker_id, WorkerWish.DRAIN)


def _tell(request: Request, worker_id: UUID, wish: WorkerWish | None) -> WorkerView:
    lease_s = resources(request).settings.lease_s

    def work(session: Session) -> WorkerView:
        worker = tell_worker(session, worker_id, wish)
        before, after = {"wish": worker.wish}, {"wish": wish}
        record(session, request, target=f"worker:{worker.name}", before=before, after=after)
        session.flush()
        session.expire_all()
        return _views(session, [col(Worker.id) == worker_id], lease_s)[0]

    return resources(request).database.run(work)


def _views(session: Session, wanted: list[Any], lease_s: float) -> list[WorkerView]:
    age = seconds_between(col(Worker.heartbeat_at), db_now())
    rows = session.execute(select(Worker, age).where(*wanted).order_by(col(Worker.id).desc()).limit(1000)).all()
    held: dict[str | None, list[UUID]] = {}
    for task_id, worker in session.execute(select(col(Task.id), col(Task.worker)).where(running())):
        held.setdefault(worker, []).append(task_id)
    return [_view(row, max(float(age_s), 0.0), held, lease_s) for row, age_s in rows]


def _view(row: Worker, age_s: float, held: dict[str | None, list[UUID]], lease_s: float) -> WorkerView:
    is_open = row.stopped_at is None
    shown = row.model_dump(include=set(WorkerView.model_fields))
    return WorkerView(
        **shown,
        running=held.get(row.name, []) if is_open else [],
        alive=is_open and age_s < lease_s,
        heartbeat_age_seconds=round(age_s, 3),
    )
