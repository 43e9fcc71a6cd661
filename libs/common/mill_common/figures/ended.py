"""The attempts themselves: those that ended within some time, added up by minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import func, literal, select
from sqlmodel import Session, col

from mill_common.figures.totals import Ended, Totals
from mill_common.intervals import duration_bucket, seconds_between, step_of
from mill_common.models import Attempt, Task


def ended(
    session: Session, since: datetime | None, until: datetime | None = None
) -> Iterator[tuple[datetime, Ended, Totals]]:
    """The minutes in which attempts ended, by what these have in common, in any order and in several parts each."""
    took = seconds_between(col(Attempt.started_at), col(Attempt.ended_at))
    minute = step_of(col(Attempt.ended_at), literal(60)).label("minute")
    bucket = duration_bucket(took).label("bucket")
    code = func.coalesce(col(Attempt.error_code), "").label("code")
    sums = (
        func.count().label("attempts"),
        func.sum(took).label("took_s"),
        func.sum(col(Attempt.cpu_s)).label("cpu_s"),
        func.max(col(Attempt.peak_memory)).label("peak_memory"),
        func.sum(col(Attempt.bytes_in)).label("bytes_in"),
        func.sum(col(Attempt.bytes_out)).label("bytes_out"),
    )
    alike = (minute, col(Task.kind), col(Attempt.outcome), code, bucket)
    counted = select(*alike, *sums).join(Task, col(Task.id) == col(Attempt.task_id)).group_by(*alike)
    counted = counted.where(col(Attempt.ended_at).is_not(None))
    if since is not None:
        counted = counted.where(col(Attempt.ended_at) >= since)
    if until is not None:
        counted = counted.where(col(Attempt.ended_at) < until)
    for row in session.execute(counted):
        at = datetime.fromtimestamp(row.minute * 60, UTC)
        yield at, Ended(row.kind, row.outcome, row.code), Totals.of(row, {row.bucket: row.attempts})
