"""How long what is left of a job will take, by what such steps took before."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from mill_api.jobs.rows import JobRow, StepRow
from mill_common.database import Database
from mill_common.models import TaskNeed
from mill_common.speeds import expected_seconds
from mill_common.states import ENDED, JobStatus, TaskStatus

MIN_SHARE = 0.05  # of a task: before, its own speed says little
MIN_ELAPSED_S = 3.0


def remaining_s(database: Database, job: JobRow, steps: Sequence[StepRow]) -> float | None:
    """Seconds of work left of a job that is being processed; None if anything about it is unknown.

    Steps run side by side as far as their needs and the workers that are at the job now allow. The time that steps will
    wait for workers busy with other jobs is not in it: nobody knows it.
    """
    if job.status != JobStatus.PROCESSING or not job.media:
        return None
    left = [step for step in steps if step.status not in ENDED]
    if not left:
        return None
    with database.read() as session:
        seconds = _seconds_left(session, job, steps, left)
        return None if seconds is None else _last_end(left, seconds, _needs(session, left))


def _needs(session: Session, left: Sequence[StepRow]) -> Mapping[str, Sequence[str]]:
    needs: dict[str, list[str]] = defaultdict(list)
    ids = [UUID(str(step.id)) for step in left]
    wanted = select(col(TaskNeed.task_id), col(TaskNeed.needs_id)).where(col(TaskNeed.task_id).in_(ids))
    for task_id, needs_id in session.execute(wanted):
        needs[str(task_id)].append(str(needs_id))
    return needs


def _seconds_left(
    session: Session, job: JobRow, tasks: Sequence[StepRow], left: Sequence[StepRow]
) -> dict[str, float] | None:
    expected = expected_seconds(session, job.media, {task.kind for task in left})
    weights: Counter[str] = Counter()
    for task in tasks:
        weights[task.kind] += task.weight  # type: ignore[assignment]  # of seconds, not of things
    seconds: dict[str, float] = {}
    for task in left:
        own = _by_its_own_speed(task)
        if own is None and task.kind not in expected:
            return None
        usual = expected.get(task.kind, 0.0) * task.weight / weights[task.kind] * (1.0 - task.progress)
        seconds[str(task.id)] = usual if own is None else own
    return seconds


def _by_its_own_speed(task: StepRow) -> float | None:
    if task.status != TaskStatus.RUNNING or task.started_at is None or task.heartbeat_at is None:
        return None
    elapsed_s = (task.heartbeat_at - task.started_at).total_seconds()
    if task.progress < MIN_SHARE or elapsed_s < MIN_ELAPSED_S:
        return None
    return elapsed_s * (1.0 - task.progress) / task.progress


def _last_end(left: Sequence[StepRow], seconds: Mapping[str, float], needs: Mapping[str, Sequence[str]]) -> float:
    """When the last of them ends, if as many of a queue run at once as do now, one at least."""
    running = Counter(task.queue for task in left if task.status == TaskStatus.RUNNING)
    lanes = {task.queue: [0.0] * max(1, running[task.queue]) for task in left}
    ends: dict[str, float] = {}
    # Tasks were planned in an order in which each follows what it needs.
    for task in sorted(left, key=lambda task: (task.status != TaskStatus.RUNNING, str(task.id))):
        free = heapq.heappop(lanes[task.queue])
        begins = max([free, *(ends[need] for need in needs.get(str(task.id), ()) if need in ends)])
        ends[str(task.id)] = begins + seconds[str(task.id)]
        heapq.heappush(lanes[task.queue], ends[str(task.id)])
    return max(ends.values())
