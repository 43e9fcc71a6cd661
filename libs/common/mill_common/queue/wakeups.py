"""Wake-ups that were never sent, or that nobody acted on."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import Task
from mill_common.queue.policy import Policy
from mill_common.queue.predicates import claimable


def overdue_wakeups(session: Session, policy: Policy, *, limit: int = 64) -> Counter[str]:
    """How many wake-ups to send again to each queue, for tasks that wait longer than they should.

    Covers a process that died between commit and send, a broker that lost its messages, and retries that are due. At
    most `limit` a call: a worker that wakes goes on until its queue is empty.
    """
    # In a WITH: PostgreSQL may do a subquery several times over, and then its LIMIT is none.
    overdue = (
        select(col(Task.id))
        .where(claimable(), col(Task.wake_at) <= db_now(), col(Task.run_after) <= db_now())
        .order_by(col(Task.wake_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("overdue")
    )
    queues = session.scalars(
        update(Task)
        .where(col(Task.id).in_(select(overdue.c.id)))
        .values(wake_at=db_now(policy.resend_after_s))
        .returning(col(Task.queue))
    )
    return Counter(queues.all())
