"""The end of a claim as one statement. Only PostgreSQL can write several tables in one.

It says what `lock_job`, `end_claim` and `end_attempt` do step by step for a task that has completed. The job's row is
locked first: whether a task ends hangs on that of the job being there.
"""

from __future__ import annotations

from sqlalchemy import bindparam, select, update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.models import Attempt, Outcome, Task
from mill_common.prepared import Prepared
from mill_common.queue.rows import JOB

_SPENT = ("cpu_s", "peak_memory", "bytes_in", "bytes_out", "log_tail")
_job = JOB.with_for_update().cte("job_row")
_held = (
    (col(Task.id) == bindparam("of_task"))
    & (col(Task.epoch) == bindparam("of_epoch"))
    # Not as the index of running tasks says it: that one holds a trace of every task that ran since the last vacuum.
    & (col(Task.status) == bindparam("of_status", type_=Task.__table__.c.status.type))  # type: ignore[attr-defined]
    & col(Task.cancel_requested_at).is_(None)
)
_ended = (
    update(Task)
    .where(_held, select(_job.c.id).exists())
    .values(
        status="completed",
        progress=1.0,
        result=bindparam("result"),
        finished_at=db_now(),
        lease_until=None,
        worker=None,
    )
    .returning(col(Task.id), col(Task.epoch))
    .cte("ended")
)
_closed = (
    update(Attempt)
    .where(col(Attempt.task_id) == _ended.c.id, col(Attempt.epoch) == _ended.c.epoch)
    .values(
        ended_at=db_now(),
        outcome=Outcome.COMPLETED,
        **{name: bindparam(f"of_{name}") for name in _SPENT},
    )
    .cte("closed")
)
QUICK_END = Prepared("end", select(_job).where(select(_ended.c.id).exists()).add_cte(_closed))
