"""The queue on PostgreSQL: against its peers, and against itself with little to do."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from servers import Postgres
from sqlalchemy import text

from bench import handover, throughput
from bench.backlog import analyse, backlog
from bench.result import Result
from mill_common.broker import Dispatcher, open_broker
from mill_common.database import Database
from mill_common.models import Job, Owner
from mill_common.queue import TRANSCODE, Policy, TaskQueue, enqueue_job

CLAIMS = 400
OWNERS = 1000
LITTLE = 1000
MUCH = 1_000_000
DEAD = 100_000
CROWD = 100_000
WORKERS = 4

_CLAIM_ALL = """
    UPDATE task SET status = 'running', epoch = 1, attempts = 1, worker = 'dead', heartbeat_at = now(),
        progress_at = now(), started_at = now(), lease_until = now() - interval '1 second'
"""
_ATTEMPTS = """
    INSERT INTO attempt (task_id, epoch, worker, started_at, cpu_s, peak_memory, bytes_in, bytes_out, log_tail)
    SELECT id, 1, 'dead', now(), 0, 0, 0, 0, '' FROM task
"""


def run(folder: Path) -> list[Result]:
    """Every goal of the queue."""
    with Postgres() as server:
        results = [_claims(server), _sweep(server), _first_of_another(server)]
    return [*results, handover.run(folder), *throughput.run(folder)]


def _claims(server: Postgres) -> Result:
    with backlog(server, jobs=LITTLE, owners=OWNERS) as database:
        little = _p95(database)
    with backlog(server, jobs=MUCH, owners=OWNERS) as database:
        much = _p95(database)
    against = f"a backlog of 1,000 ({1000 * little:.1f} ms); here 1,000,000, both over 1,000 owners"
    return Result("claim_p95_with_backlog", much / little, "×", 3.0, against)


def _p95(database: Database) -> float:
    queue = _queue(database)
    took = []
    for _ in range(CLAIMS):
        begun = time.perf_counter()
        assert queue.claim(TRANSCODE, "bench") is not None
        took.append(time.perf_counter() - begun)
    return statistics.quantiles(took, n=20)[-1]


def _sweep(server: Postgres) -> Result:
    with backlog(server, jobs=DEAD, owners=OWNERS) as database:
        with database.write() as session:
            for statement in (_CLAIM_ALL, _ATTEMPTS, "UPDATE job SET status = 'processing', started_at = now()"):
                session.execute(text(statement))
        analyse(database)
        begun = time.perf_counter()
        assert _queue(database).reap_expired() == DEAD
        took = time.perf_counter() - begun
    return Result("sweep_100000_dead_leases", took, "s", 2.0, "a clock; each a job of its own")


def _first_of_another(server: Postgres) -> Result:
    """The claims before another owner's first task, in workers."""
    with backlog(server, jobs=CROWD, owners=1) as database:
        queue = _queue(database)
        for _ in range(WORKERS):
            queue.claim(TRANSCODE, "bench")
        lonely = Job(owner_id="lonely", filename="clip.mp4", source_key="uploads/clip.mp4")
        with database.write() as session:
            session.add(Owner(id="lonely"))
            session.flush()
            enqueue_job(session, lonely, Policy())
        claims = (queue.claim(TRANSCODE, "bench") for _ in range(10 * WORKERS))
        turn = next(number for number, claim in enumerate(claims, 1) if claim and claim.job.id == lonely.id)
    return Result("first_task_beside_100000", turn / WORKERS, "× workers", 2.0, "claims before it, 4 workers")


def _queue(database: Database) -> TaskQueue:
    return TaskQueue(database, Policy(), Dispatcher(open_broker("memory://")))
