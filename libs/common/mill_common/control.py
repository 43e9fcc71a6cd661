"""What operators tell workers and queues: wait, go on, come to an end."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, update
from sqlmodel import Session, col

from mill_common.errors import MillError
from mill_common.models import PausedQueue
from mill_common.workers import Worker, WorkerState, WorkerWish


class WorkerNotFound(MillError):
    """There is no such worker."""

    code = "worker_not_found"
    status = 404


class WorkerStopped(MillError):
    """The worker has stopped, or is about to."""

    code = "worker_stopped"
    status = 409


def pause_queue(session: Session, queue: str, *, by: str, reason: str | None = None) -> None:
    """Let no worker claim anything of a queue. What runs goes on."""
    resume_queue(session, queue)
    session.add(PausedQueue(queue=queue, paused_by=by, reason=reason))


def resume_queue(session: Session, queue: str) -> bool:
    """Let workers claim again. Returns whether the queue was paused."""
    gone = delete(PausedQueue).where(col(PausedQueue.queue) == queue).returning(col(PausedQueue.queue))
    return session.execute(gone).first() is not None


def tell_worker(session: Session, worker_id: UUID, wish: WorkerWish | None) -> Worker:
    """Have a worker wait, come to an end, or with None go on. It learns of it within seconds.

    Raises:
        WorkerNotFound: There is no such worker.
        WorkerStopped: It has stopped, or was told to come to an end.
    """
    worker = session.get(Worker, worker_id, with_for_update=True)
    if worker is None:
        raise WorkerNotFound
    if worker.stopped_at is not None or worker.state is WorkerState.STOPPED or worker.wish is WorkerWish.DRAIN:
        raise WorkerStopped
    session.execute(update(Worker).where(col(Worker.id) == worker_id).values(wish=wish))
    return worker
