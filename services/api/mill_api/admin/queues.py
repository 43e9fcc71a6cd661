"""A5: queues, how they are, and whether anything of them is claimed."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlmodel import Session, col
from starlette.requests import Request

from mill_api.admin.bulk import BulkResult, cancel_one, in_bulk
from mill_api.admin.counts import task_counts
from mill_api.audit import record
from mill_api.audit.record import actor_of
from mill_api.auth import ADMIN, OPERATOR, VIEWER
from mill_api.fields import Line, Time
from mill_api.openapi import operation
from mill_api.problems import Fault, RequestInvalid
from mill_api.rate_limits import Rate
from mill_api.resources import resources
from mill_common.clock import db_now
from mill_common.control import pause_queue, resume_queue
from mill_common.errors import PermanentError
from mill_common.intervals import seconds_between
from mill_common.models import PausedQueue, Task
from mill_common.queue import TRANSCODE, TRANSCRIBE
from mill_common.queue.predicates import claimable, running
from mill_common.runs.ledger import now
from mill_common.states import CLAIMABLE, TaskStatus

QUEUES = (TRANSCODE, TRANSCRIBE)
OLD_S = 3600.0  # a task that waits so long in a queue that is not paused


class QueueNotFound(PermanentError):
    """There is no such queue."""

    code = "queue_not_found"
    status = 404


class QueueSummary(BaseModel):
    """The queue in a few words."""

    running: int
    pending: int
    failed: int
    has_dead_letter: bool


class Counts(BaseModel):
    """Tasks by status, and by kind."""

    by_status: dict[str, int]
    by_type: dict[str, int]
    total: int


class QueueStats(BaseModel):
    """The tasks of all queues."""

    status: str = "completed"
    stats: Counts
    health: Literal["healthy", "degraded"] = Field(
        description="`degraded` with dead letters, a paused queue, or a task that has waited for an hour."
    )
    summary: QueueSummary
    age_seconds: float
    retrieved_at: Time


class QueueView(BaseModel):
    """One queue now."""

    queue: str
    pending: int
    running: int
    failed: int
    oldest_seconds: float | None = Field(description="How long the task that waits longest has waited.")
    paused: bool
    paused_by: str | None
    paused_at: Time | None
    reason: str | None


class QueueList(BaseModel):
    """Every queue."""

    queues: list[QueueView]


class PauseRequest(BaseModel):
    """Why a queue is paused."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[Line, Field(max_length=255)] | None = None


class PurgeRequest(BaseModel):
    """What is to be thrown out."""

    model_config = ConfigDict(extra="forbid")

    confirm: Annotated[str, Field(max_length=32)] = Field(description="The queue's name once more.")
    dry_run: bool = Field(default=True, description="Only say what would be done.")
    limit: int = Field(default=100, ge=1, le=1000)


@operation(tag="admin", returns=QueueStats, scope=VIEWER, rate=Rate.ADMIN_STATS)
def queue_stats(request: Request) -> QueueStats:
    """Count the tasks of all queues, and say whether the queues are well."""
    known = task_counts(request, None)
    by_status, by_type = Counter[str](), Counter[str]()
    for (status, kind), count in known.value.items():
        by_status[status.value] += count
        by_type[kind] += count
    with resources(request).database.read() as session:
        queues = _queues(session)
        at = now(session)
    is_late = any((queue.oldest_seconds or 0.0) > OLD_S or queue.paused for queue in queues)
    failed = by_status[TaskStatus.FAILED.value]
    return QueueStats(
        stats=Counts(
            by_status={status.value: by_status[status.value] for status in TaskStatus},
            by_type=dict(sorted(by_type.items())),
            total=by_status.total(),
        ),
        health="degraded" if failed or is_late else "healthy",
        summary=QueueSummary(
            running=by_status[TaskStatus.RUNNING.value],
            pending=sum(by_status[status.value] for status in CLAIMABLE),
            failed=failed,
            has_dead_letter=failed > 0,
        ),
        age_seconds=round(known.age_s, 3),
        retrieved_at=at,
    )


@operation(tag="admin", returns=QueueList, scope=VIEWER)
def list_queues(request: Request) -> QueueList:
    """List queues with what waits, runs and has failed in them."""
    with resources(request).database.read() as session:
        return QueueList(queues=_queues(session))


@operation(
    tag="admin", body=PauseRequest, body_required=False, returns=QueueView, raises=[QueueNotFound], scope=OPERATOR
)
def pause_queue_now(request: Request, queue: str, body: PauseRequest) -> QueueView:
    """Have no worker claim anything of a queue. What runs goes on; workers learn of it within two seconds."""

    def work(session: Session) -> QueueView:
        before = _one(session, queue)
        pause_queue(session, queue, by=actor_of(request), reason=body.reason)
        after = {"paused": True, "reason": body.reason}
        record(session, request, target=f"queue:{queue}", before={"paused": before.paused}, after=after)
        session.flush()
        return _one(session, queue)

    return resources(request).database.run(work)


@operation(tag="admin", returns=QueueView, raises=[QueueNotFound], scope=OPERATOR)
def resume_queue_now(request: Request, queue: str) -> QueueView:
    """Let workers claim from a queue again."""

    def work(session: Session) -> QueueView:
        _one(session, queue)
        was = resume_queue(session, queue)
        record(session, request, target=f"queue:{queue}", before={"paused": was}, after={"paused": False})
        session.flush()
        return _one(session, queue)

    view = resources(request).database.run(work)
    resources(request).dispatcher.wake(queue)
    return view


@operation(tag="admin", body=PurgeRequest, returns=BulkResult, raises=[QueueNotFound], scope=ADMIN)
def purge_queue(request: Request, queue: str, body: PurgeRequest) -> BulkResult:
    """Cancel the jobs that wait in a queue and of which nothing runs, the oldest first. `confirm` is its name."""
    if queue not in QUEUES:
        raise QueueNotFound
    if body.confirm != queue:
        raise RequestInvalid("confirm is not the queue's name.", [Fault(loc=["body", "confirm"], message="differs")])
    busy = select(col(Task.job_id)).where(running())
    waiting = select(col(Task.job_id)).where(col(Task.queue) == queue, claimable(), col(Task.job_id).not_in(busy))
    return in_bulk(request, waiting.distinct(), cancel_one, dry_run=body.dry_run, limit=body.limit)


def _queues(session: Session) -> list[QueueView]:
    return [_one(session, queue) for queue in QUEUES]


def _one(session: Session, queue: str) -> QueueView:
    if queue not in QUEUES:
        raise QueueNotFound
    of_queue = col(Task.queue) == queue
    pending, oldest = session.execute(
        select(func.count(), seconds_between(func.min(col(Task.queued_at)), db_now())).where(of_queue, claimable())
    ).one()
    paused = session.get(PausedQueue, queue)
    return QueueView(
        queue=queue,
        pending=pending,
        running=_count(session, of_queue, running()),
        failed=_count(session, of_queue, col(Task.status) == TaskStatus.FAILED),
        oldest_seconds=round(max(float(oldest), 0.0), 3) if oldest is not None else None,
        paused=paused is not None,
        paused_by=paused.paused_by if paused else None,
        paused_at=paused.paused_at if paused else None,
        reason=paused.reason if paused else None,
    )


def _count(session: Session, *wanted: Any) -> int:
    return session.scalar(select(func.count()).select_from(Task).where(*wanted)) or 0
