"""How long a chain of tasks stands still between two of its links, on an idle system with real wake-ups."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from uuid import UUID

from servers import Postgres, Redis
from sqlalchemy import select
from sqlmodel import col

from bench.result import Result
from mill_common.migrations import migrate
from mill_common.models import Attempt, Job, Owner, Task
from mill_common.queue import TRANSCODE, TRANSCRIBE, NewTask, TaskResult, enqueue_job
from mill_common.resources import Resources, open_resources
from mill_common.settings import Settings
from mill_common.worker import Runner, TaskContext, Woken

ROUNDS = 30
PATIENCE_S = 60.0
# The link in the middle is another service's, which must be woken; the others wait for it.
CHAIN = (
    NewTask(name="speech", kind="link", queue=TRANSCRIBE),
    NewTask(name="publish", kind="link", needs=["speech"]),
)


def run(folder: Path) -> Result:
    """The median from one task's end to the next one's claim, by the database's clock."""
    with Postgres() as postgres, Redis() as redis, postgres.database() as url:
        # So rare that no poll helps out.
        settings = Settings(data_dir=folder / "handover", database_url=url, broker_url=redis.url, poll_s=30.0)
        with closing(open_resources(settings)) as mill, closing(open_resources(settings)) as other:
            migrate(mill.database)
            workers = [_worker(mill, TRANSCODE), _worker(other, TRANSCRIBE)]
            for worker in workers:
                worker.start()
            try:
                gaps = [gap for _ in range(ROUNDS) for gap in _gaps(mill)]
            finally:
                for worker in workers:
                    worker.stop()
    return Result("handover_median", 1000 * median(gaps), "ms", 50.0, "a clock; woken through Redis, no polling")


def _worker(mill: Resources, queue: str) -> Woken:
    def plan(_: TaskContext) -> TaskResult:
        return TaskResult(tasks=CHAIN)

    def link(_: TaskContext) -> TaskResult:
        return TaskResult()

    runner = Runner(
        service=f"bench-{queue}",
        queue_name=queue,
        handlers={"probe": plan, "link": link},
        queue=mill.queue,
        store=mill.store,
        settings=mill.settings,
        slots=1,
    )
    return Woken(mill.broker, runner)


def _gaps(mill: Resources) -> list[float]:
    job = Job(owner_id="bench", filename="clip.mp4", source_key="uploads/clip.mp4")
    with mill.database.write() as session:
        if session.get(Owner, "bench") is None:
            session.add(Owner(id="bench"))
            session.flush()
        queues = enqueue_job(session, job, mill.queue.policy)
    for queue in queues:
        mill.dispatcher.wake(queue)
    times = _times(mill, job.id)
    return [(begun - ended).total_seconds() for (_, ended), (begun, _) in pairwise(times)]


def _times(mill: Resources, job_id: UUID) -> list[tuple[datetime, datetime]]:
    of_job = select(col(Attempt.started_at), col(Task.finished_at)).join(Task, col(Task.id) == col(Attempt.task_id))
    of_job = of_job.where(col(Task.job_id) == job_id).order_by(col(Attempt.started_at))
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        with mill.database.read() as session:
            rows = session.execute(of_job).all()
        if len(rows) == 1 + len(CHAIN) and all(ended for _, ended in rows):
            time.sleep(0.3)  # until everybody is idle again
            return [(begun, ended) for begun, ended in rows]
        time.sleep(0.05)
    raise RuntimeError("the chain did not end")
