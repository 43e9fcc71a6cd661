"""P2, P6: what attempts at tasks took and how they ended, by the hours asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlmodel import Session

from mill_api.admin.percentiles import spread_of
from mill_api.monitoring.figures_view import OperationFigures, ProcessingStats, StageFigures
from mill_common.figures import Ended, Totals, attempt_totals, successes
from mill_common.models import Outcome
from mill_common.runs.ledger import now

SUCCEEDED = frozenset({Outcome.COMPLETED})
FAILED = frozenset({Outcome.FAILED, Outcome.RETRYING, Outcome.LEASE_EXPIRED})
PARTS = 60  # of the time asked for, each counted by itself: of so many minutes as there are hours

Found = Mapping[Ended, Totals]


def processing_stats(session: Session, hours: int) -> ProcessingStats:
    """The attempts that ended in the last `hours`, the minute that runs included, in a session that sees one moment."""
    at = now(session)
    since = at.replace(second=0, microsecond=0) - timedelta(minutes=60 * hours - 1)
    found = attempt_totals(session, since)
    kinds = sorted({alike.kind for alike in found})
    return ProcessingStats(
        hours=hours,
        **_operations(found).model_dump(),
        stages={kind: _stage({alike: found[alike] for alike in found if alike.kind == kind}) for kind in kinds},
        errors=_errors(found),
        pace=_pace(session, since, hours),
        timestamp=at,
        age_seconds=0.0,
    )


def _errors(found: Found) -> dict[str, int]:
    codes: Counter[str] = Counter()
    for alike, totals in found.items():
        if alike.outcome in FAILED:
            codes[alike.error_code or "unknown"] += totals.attempts
    return dict(codes.most_common())


def _pace(session: Session, since: datetime, hours: int) -> list[int]:
    found = successes(session, since, minutes=hours)
    return [found[part] for part in range(PARTS)]


def _operations(found: Found) -> OperationFigures:
    outcomes: Counter[Outcome] = Counter()
    done = Totals()
    for alike, totals in found.items():
        outcomes[alike.outcome] += totals.attempts
        if alike.outcome in SUCCEEDED:
            done.add(totals)
    failed = sum(outcomes[outcome] for outcome in FAILED)
    took = spread_of(done)
    return OperationFigures(
        total_operations=outcomes.total(),
        successful_operations=done.attempts,
        failed_operations=failed,
        other_operations=outcomes.total() - done.attempts - failed,
        success_rate=_share(done.attempts, done.attempts + failed),
        error_rate=_share(failed, done.attempts + failed),
        average_duration_seconds=took.mean,
        duration_seconds=took,
    )


def _stage(found: Found) -> StageFigures:
    whole = Totals()
    for totals in found.values():
        whole.add(totals)
    return StageFigures(
        **_operations(found).model_dump(),
        cpu_seconds=round(whole.cpu_s, 3),
        peak_memory_bytes=whole.peak_memory,
        bytes_in=whole.bytes_in,
        bytes_out=whole.bytes_out,
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
