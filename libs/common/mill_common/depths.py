"""How deep the queues are, at a price that does not grow with the number of tasks.

Only tasks that wait, run or failed are looked at, each by an index of its own. A count stops at `COUNTED`: more than
that is "at least so many". `views.job_queue_stats` counts everything, and takes as long as that takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, text
from sqlmodel import Session, col

from mill_common.clock import UtcDateTime, db_now
from mill_common.models import Task
from mill_common.queue import TRANSCODE, TRANSCRIBE
from mill_common.queue.predicates import claimable, dead, running

COUNTED = 10_000
QUEUES = (TRANSCODE, TRANSCRIBE)


@dataclass(frozen=True, kw_only=True)
class Depth:
    """One queue. Counts are exact below `COUNTED`."""

    queue: str
    waiting: int  # could be claimed, now or when their delay is over
    running: int
    failed: int  # dead letters
    oldest_s: float  # the longest wait of a task that is its owner's next; 0 if nothing is due


def queue_depths(session: Session) -> list[Depth]:
    """Every queue's depth."""
    counted = session.execute(select(*(column for queue in QUEUES for column in _counts(queue)))).one()
    return [
        Depth(
            queue=queue,
            **{state: getattr(counted, f"{queue}_{state}") for state in ("waiting", "running", "failed")},
            oldest_s=_oldest_s(session, queue),
        )
        for queue in QUEUES
    ]


# Along the index for claims, which holds every column that this needs: no row is read.
_CLAIM_ORDER = (col(Task.queue), col(Task.lane), col(Task.rank), col(Task.share), col(Task.id))


def _counts(queue: str) -> list[ColumnElement[int]]:
    # All in one statement: asking costs more than counting.
    counts = {
        "waiting": _count(queue, claimable(), *_CLAIM_ORDER),
        "running": _count(queue, running()),
        "failed": _count(queue, dead()),
    }
    return [count.scalar_subquery().label(f"{queue}_{state}") for state, count in counts.items()]


def _count(queue: str, status: ColumnElement[bool], *order: Any) -> Select[Any]:
    some: Select[Any] = select(text("1")).select_from(Task).where(status, col(Task.queue) == queue).order_by(*order)
    return select(func.count()).select_from(some.limit(COUNTED).subquery())


# From one owner and priority to the next, and of each only the task whose turn is next: some hundred index look-ups,
# however many tasks wait.
_NEXT_OF_EACH = text(
    """
    WITH RECURSIVE line AS (
        (SELECT owner_id, rank FROM task
         WHERE status IN ('queued', 'retrying') AND queue = :queue ORDER BY owner_id, rank LIMIT 1)
        UNION ALL
        SELECT following.* FROM line, LATERAL (
            SELECT owner_id, rank FROM task
            WHERE status IN ('queued', 'retrying') AND queue = :queue
                AND (owner_id, rank) > (line.owner_id, line.rank)
            ORDER BY owner_id, rank LIMIT 1
        ) following
    )
    SELECT coalesce(max(extract(epoch FROM statement_timestamp() - next.queued_at)), 0)::float
    FROM line, LATERAL (
        SELECT coalesce(queued_at, created_at) AS queued_at, run_after FROM task
        WHERE status IN ('queued', 'retrying') AND queue = :queue
            AND owner_id = line.owner_id AND rank = line.rank
        ORDER BY job_id, id LIMIT 1
    ) next
    WHERE next.run_after <= statement_timestamp()
    """
)


def _oldest_s(session: Session, queue: str) -> float:
    if session.get_bind().dialect.name != "sqlite":
        return max(0.0, float(session.scalar(_NEXT_OF_EACH, {"queue": queue}) or 0.0))
    due = claimable() & (col(Task.queue) == queue) & (col(Task.run_after) <= db_now())
    oldest = func.min(func.coalesce(col(Task.queued_at), col(Task.created_at)), type_=UtcDateTime())
    queued_at, now = session.execute(select(oldest, db_now()).where(due)).one()
    return max(0.0, (now - queued_at).total_seconds()) if queued_at else 0.0
