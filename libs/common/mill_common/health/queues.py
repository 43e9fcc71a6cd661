"""The queues: how long work waits, whether what runs gets on, and how much of it fails."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.depths import queue_depths
from mill_common.health.report import Finding, Status, worst
from mill_common.intervals import seconds_between
from mill_common.models import Attempt, Outcome, Task
from mill_common.queue.predicates import running
from mill_common.settings import Settings

HOUR_S = 3600.0
LATE = 4  # so many times the warning's wait is worse than a warning
ENOUGH = 10  # attempts: fewer say nothing of a rate
_BAD = (Outcome.RETRYING, Outcome.FAILED, Outcome.LEASE_EXPIRED)


def queues_finding(database: Database, settings: Settings) -> Finding:
    """How long the tasks that are due have waited."""
    with database.read() as session:
        depths = queue_depths(session)
    limit_s = settings.health_waiting_s
    waits = {depth.queue: _wait(depth.oldest_s, limit_s) for depth in depths}
    said = [f"{depth.queue}: work waits for {depth.oldest_s:.0f} s" for depth in depths if depth.oldest_s >= limit_s]
    details = {
        depth.queue: {
            "waiting": depth.waiting,
            "running": depth.running,
            "dead_letters": depth.failed,
            "oldest_seconds": round(depth.oldest_s, 1),
        }
        for depth in depths
    }
    return Finding(status=worst(list(waits.values())), message="; ".join(said) or "no work waits long", details=details)


def _wait(oldest_s: float, limit_s: float) -> Status:
    if oldest_s >= LATE * limit_s:
        return Status.DEGRADED
    return Status.WARNING if oldest_s >= limit_s else Status.HEALTHY


def pipeline_finding(database: Database, settings: Settings) -> Finding:
    """The attempts of the last hour: how many failed, how long they took; and what runs without getting on."""
    with database.read() as session:
        ended, bad, mean_s = _last_hour(session)
        stuck = _stuck(session, settings.health_stuck_s)
    rate = bad / ended if ended else 0.0
    fails = ended >= ENOUGH and rate >= settings.health_error_rate
    verdicts = {
        f"{100 * rate:.0f} % of the last hour's attempts failed": Status.DEGRADED if fails else Status.HEALTHY,
        f"{stuck} tasks have not got on for {settings.health_stuck_s:.0f} s": (
            Status.WARNING if stuck else Status.HEALTHY
        ),
    }
    said = [sentence for sentence, verdict in verdicts.items() if verdict is not Status.HEALTHY]
    details = {
        "attempts_last_hour": ended,
        "failed_last_hour": bad,
        "error_rate": round(rate, 4),
        "mean_duration_seconds": round(mean_s, 3),
        "stuck_tasks": stuck,
    }
    return Finding(
        status=worst(list(verdicts.values())), message="; ".join(said) or "tasks get on and succeed", details=details
    )


def _last_hour(session: Session) -> tuple[int, int, float]:
    """How many attempts that began within the hour have ended, how many of them badly, and their mean length."""
    lately = (col(Attempt.started_at) > db_now(-HOUR_S)) & col(Attempt.ended_at).is_not(None)
    mean = func.avg(seconds_between(col(Attempt.started_at), col(Attempt.ended_at)))
    counted = select(col(Attempt.outcome), func.count(), mean).where(lately)
    rows = session.execute(counted.group_by(col(Attempt.outcome))).all()
    ended = sum(count for _, count, _ in rows)
    bad = sum(count for outcome, count, _ in rows if outcome in _BAD)
    total_s = sum(count * float(mean or 0.0) for _, count, mean in rows)
    return ended, bad, total_s / ended if ended else 0.0


def _stuck(session: Session, silent_s: float) -> int:
    still = running() & (col(Task.progress_at) < db_now(-silent_s))
    return session.scalar(select(func.count()).select_from(Task).where(still)) or 0
