"""`scripts/soak --minutes M --seed N`: random faults against a steady stream of jobs, and the oracle at the end.

The seed gives the same faults in the same order; what they meet is up to the machine.
"""

from __future__ import annotations

import argparse
import random
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import psutil
import redis
from faults.clip import make_clip
from faults.cluster import Cluster
from faults.grounds import Grounds, migrated
from faults.invariants import History, check
from faults.processes import Process
from sqlalchemy.exc import SQLAlchemyError
from wire import Wire

from mill_common.errors import MillError
from mill_common.queue import JobEnded
from mill_common.states import JobStatus

# A task that is unlucky a hundred times is not what a soak looks for: every job must end as its client wants it.
TRIES = {"MILL_MAX_ATTEMPTS": "100", "MILL_MAX_CRASHES": "100"}
OWNERS = ("ada", "grace", "mary")
WAITING_JOBS = 4


class Soak:
    """A cluster, a stream of jobs, and what has been done to them."""

    def __init__(self, cluster: Cluster, wire: Wire, chance: random.Random) -> None:
        self.cluster, self.wire, self.chance = cluster, wire, chance
        self.jobs: list[UUID] = []
        self.cancelled: set[UUID] = set()
        self.done: Counter[str] = Counter()
        cluster.desk.policy = replace(cluster.desk.policy, max_attempts=100)
        for service in ("watchdog", "transcoder", "transcoder"):
            cluster.start(service, keep=True, settings=TRIES)
        # One of them reaches its database by a wire that can be cut.
        cluster.start("transcoder", keep=True, settings={**TRIES, "MILL_DATABASE_URL": wire.url})
        self._faults: list[Callable[[], None]] = [
            self.kill_worker,
            self.freeze_worker,
            self.stop_worker,
            self.kill_child,
            self.kill_watchdog,
            self.flush_redis,
            self.stop_redis,
            self.crash_postgres,
            self.cut_wire,
            self.lose_answer,
            self.stop_storage,
            self.cancel,
        ]

    def run(self, seconds: float) -> None:
        """Hand in jobs and break things for so long, then wait until every job has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._feed()
            fault = self.chance.choice(self._faults)
            fault()
            self.done[fault.__name__] += 1
            self._sleep(0.5, 3)
        self.cluster.until_ended()
        self.cluster.stop()

    def verdict(self) -> str:
        """What came of it. Raises AssertionError if an invariant is broken or a job ended as nobody wanted."""
        check(History(self.cluster.database, self.cluster.store), self.cluster.folder)
        statuses = {job: self.cluster.status(job) for job in self.jobs}
        wanted = {job: JobStatus.CANCELLED if job in self.cancelled else JobStatus.COMPLETED for job in self.jobs}
        assert statuses == wanted, {job: status for job, status in statuses.items() if status is not wanted[job]}
        outcomes = Counter(str(attempt.outcome) for attempt in self.cluster.attempts())
        ends = Counter(map(str, statuses.values()))
        return f"jobs {dict(ends)}, attempts {dict(outcomes)}, faults {dict(self.done)}"

    def _feed(self) -> None:
        with suppress(SQLAlchemyError, MillError):
            waiting = sum(self.cluster.status(job) in (JobStatus.QUEUED, JobStatus.PROCESSING) for job in self.jobs)
            for _ in range(WAITING_JOBS - waiting):
                self.jobs.append(self.cluster.job(self.chance.choice(OWNERS)))

    # What can happen

    def kill_worker(self) -> None:
        if worker := self._one("transcoder"):
            worker.kill()

    def freeze_worker(self) -> None:
        if worker := self._one("transcoder"):
            worker.signal(signal.SIGSTOP)
            self._sleep(0.5, 6)
            worker.signal(signal.SIGCONT)

    def stop_worker(self) -> None:
        if worker := self._one("transcoder"):
            worker.signal(signal.SIGTERM)

    def kill_child(self) -> None:
        worker = self._one("transcoder")
        for child in worker.children()[:1] if worker else []:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(child).kill()

    def kill_watchdog(self) -> None:
        if watchdog := self._one("watchdog"):
            watchdog.kill()

    def flush_redis(self) -> None:
        with redis.Redis.from_url(self.cluster.broker_url) as client:
            client.flushall()

    def stop_redis(self) -> None:
        self.cluster.grounds.redis.stop(kill=True)
        self._sleep(0.5, 5)
        self.cluster.grounds.redis.start()

    def crash_postgres(self) -> None:
        self.cluster.grounds.postgres.crash()
        self._sleep(0, 4)
        self.cluster.grounds.postgres.start()

    def cut_wire(self) -> None:
        self.wire.cut()
        self._sleep(0, 5)
        self.wire.mend()

    def lose_answer(self) -> None:
        self.wire.stop_at(b"COMMIT", after=True)

    def stop_storage(self) -> None:
        self.cluster.grounds.s3.stop(kill=True)
        self._sleep(0, 2)
        self.cluster.grounds.s3.start()

    def cancel(self) -> None:
        if not self.jobs:
            return
        job = self.chance.choice(self.jobs[-WAITING_JOBS:])
        with suppress(JobEnded):
            self.cluster.desk.cancel(job)
            self.cancelled.add(job)

    def _one(self, service: str) -> Process | None:
        alive = [process for process in self.cluster.processes if process.service == service and process.alive]
        return self.chance.choice(alive) if alive else None

    def _sleep(self, least_s: float, most_s: float) -> None:
        time.sleep(self.chance.uniform(least_s, most_s))


def main() -> None:
    """Soak, and say what came of it."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description="Random faults against a stream of jobs.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    arguments = parser.parse_args()
    sys.stdout.write(f"seed {arguments.seed}\n")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mill-soak-")))
        grounds = Grounds()
        stack.callback(grounds.close)
        grounds.start()
        urls = [
            stack.enter_context(grounds.postgres.database("migrated", migrated)),
            stack.enter_context(grounds.redis.database()),
            stack.enter_context(grounds.s3.bucket()),
        ]
        cluster = Cluster(folder / "mill", grounds, urls, make_clip(folder))
        stack.callback(cluster.close)
        soak = Soak(cluster, stack.enter_context(Wire(cluster.database_url)), random.Random(arguments.seed))
        soak.run(arguments.minutes * 60)
        sys.stdout.write(f"no invariant broken: {soak.verdict()}\n")


if __name__ == "__main__":
    main()
