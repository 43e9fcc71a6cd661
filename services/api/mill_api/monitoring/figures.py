"""P2, P6: what attempts at tasks took and how they ended, by the hours asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Integer, func, select
from sqlmodel import Session, col

from mill_api.admin.percentiles import SAMPLE, Spread, spread
from mill_api.monitoring.figures_view import OperationFigures, ProcessingStats, StageFigures
from mill_common.clock import db_now
from mill_common.intervals import seconds_between
from mill_common.models import Attempt, Outcome, Task
from mill_common.runs.ledger import now

SUCCEEDED = frozenset({Outcome.COMPLETED})
FAILED = frozenset({Outcome.FAILED, Outcome.RETRYING, Outcome.LEASE_EXPIRED})
PARTS = 60  # of the time asked for, each counted by itself


def processing_stats(session: Session, hours: int, deadline_s: float) -> ProcessingStats:
    """The attempts that ended in the last `hours`. None takes longer than `deadline_s` seconds."""
    within = _within(hours, deadline_s)
    rows = _sums(session, within)
    spreads = _spreads(session, within)
    by_kind: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row)
    codes: Counter[str] = Counter()
    for row in rows:
        if row.outcome in FAILED:
            codes[row.error_code or "unknown"] += row.attempts
    return ProcessingStats(
        hours=hours,
        **_operations(rows, spreads[""]).model_dump(),
        stages={kind: _stage(found, spreads[kind]) for kind, found in sorted(by_kind.items())},
        errors=dict(codes.most_common()),
        pace=_pace(session, within, hours),
        timestamp=now(session),
        age_seconds=0.0,
    )


def _within(hours: int, deadline_s: float) -> Sequence[Any]:
    # What ended in these hours began not much earlier: the index knows beginnings.
    began = col(Attempt.started_at) > db_now(-3600.0 * hours - deadline_s)
    return began, col(Attempt.ended_at) > db_now(-3600.0 * hours)


def _sums(session: Session, within: Sequence[Any]) -> Sequence[Any]:
    sums = (
        func.count().label("attempts"),
        func.sum(col(Attempt.cpu_s)).label("cpu_s"),
        func.max(col(Attempt.peak_memory)).label("peak_memory"),
        func.sum(col(Attempt.bytes_in)).label("bytes_in"),
        func.sum(col(Attempt.bytes_out)).label("bytes_out"),
    )
    groups = (col(Task.kind), col(Attempt.outcome), col(Attempt.error_code))
    counted = select(*groups, *sums).join(Task, col(Task.id) == col(Attempt.task_id))
    return session.execute(counted.where(*within).group_by(*groups)).all()


def _spreads(session: Session, within: Sequence[Any]) -> dict[str, Spread]:
    took = seconds_between(col(Attempt.started_at), col(Attempt.ended_at))
    listed = select(col(Task.kind), took).join(Task, col(Task.id) == col(Attempt.task_id))
    latest = listed.where(*within, col(Attempt.outcome) == Outcome.COMPLETED)
    values: dict[str, list[float]] = defaultdict(list)
    for kind, seconds in session.execute(latest.order_by(col(Attempt.started_at).desc()).limit(SAMPLE)):
        values[kind].append(float(seconds))
        values[""].append(float(seconds))
    return defaultdict(lambda: spread([]), {kind: spread(seconds) for kind, seconds in values.items()})


def _pace(session: Session, within: Sequence[Any], hours: int) -> list[int]:
    parts_ago = seconds_between(col(Attempt.ended_at), db_now()) / (3600.0 * hours / PARTS)
    place = func.round(parts_ago - 0.5).cast(Integer).label("place")  # both databases round alike, but cast differently
    counted = select(place, func.count()).where(*within, col(Attempt.outcome).in_(SUCCEEDED)).group_by(place)
    found = {int(ago): int(count) for ago, count in session.execute(counted)}
    return [found.get(ago, 0) for ago in reversed(range(PARTS))]


def _operations(rows: Iterable[Any], took: Spread) -> OperationFigures:
    outcomes: Counter[Outcome] = Counter()
    for row in rows:
        outcomes[row.outcome] += row.attempts
    succeeded = sum(outcomes[outcome] for outcome in SUCCEEDED)
    failed = sum(outcomes[outcome] for outcome in FAILED)
    return OperationFigures(
        total_operations=outcomes.total(),
        successful_operations=succeeded,
        failed_operations=failed,
        other_operations=outcomes.total() - succeeded - failed,
        success_rate=_share(succeeded, succeeded + failed),
        error_rate=_share(failed, succeeded + failed),
        average_duration_seconds=took.mean,
        duration_seconds=took,
    )


def _stage(rows: Sequence[Any], took: Spread) -> StageFigures:
    return StageFigures(
        **_operations(rows, took).model_dump(),
        cpu_seconds=round(sum(float(row.cpu_s) for row in rows), 3),
        peak_memory_bytes=max(int(row.peak_memory) for row in rows),
        bytes_in=sum(int(row.bytes_in) for row in rows),
        bytes_out=sum(int(row.bytes_out) for row in rows),
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
