"""A claim as one statement. Only PostgreSQL can write several tables in one.

It says what `claim` does step by step, for a turn without a cap. Whatever else there is, is left to the steps.
"""

from __future__ import annotations

from sqlalchemy import insert, literal, select, update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.hooks.events import watched
from mill_common.models import Attempt, Job, Task
from mill_common.prepared import Prepared
from mill_common.queue.predicates import claimable
from mill_common.queue.taking import BY_AGE, JOB_FACTS, TAKEN, begin_job, taking
from mill_common.queue.turn import due, turn_of

_turn = turn_of().cte("turn")
_uncapped = select(_turn.c.owner_id).where(_turn.c.running_cap.is_(None)).scalar_subquery()
_following = (
    select(col(Task.id))
    .where(due(), col(Task.owner_id) == _uncapped, col(Task.rank) == select(_turn.c.rank).scalar_subquery())
    .order_by(*BY_AGE)
    .limit(1)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
_taken = update(Task).where(col(Task.id) == _following).values(taking()).returning(*TAKEN).cte("taken")
_passed_by = select(_turn.c.id).join(_taken, _taken.c.id != _turn.c.id).scalar_subquery()
_waiting = select(col(Task.id)).where(col(Task.id) == _passed_by, claimable()).with_for_update(skip_locked=True)
_swapped = (
    update(Task)
    .where(col(Task.id) == _waiting.scalar_subquery())
    .values(share=select(_taken.c.share).scalar_subquery())
    .cte("swapped")
)
_begun = begin_job(col(Job.id) == select(_taken.c.job_id).scalar_subquery()).returning(col(Job.id)).cte("begun")
_nothing = {"cpu_s": 0.0, "peak_memory": 0, "bytes_in": 0, "bytes_out": 0, "log_tail": ""}
_history = (
    insert(Attempt)
    .from_select(
        ["task_id", "epoch", "worker", "started_at", *_nothing],
        select(_taken.c.id, _taken.c.epoch, _taken.c.worker, db_now(), *map(literal, _nothing.values())),
    )
    .cte("history")
)
_told = (watched() & select(_begun.c.id).exists()).label("begun_and_watched")
_claimed = select(_taken, *JOB_FACTS, _told).join(Job, col(Job.id) == _taken.c.job_id)
QUICK_CLAIM = Prepared("claim", _claimed.add_cte(_swapped, _begun, _history))
