"""What a soak can do to the services and their servers."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import psutil
import redis
from faults.cluster import Cluster
from faults.customers import Customers
from faults.moments import COMMIT
from faults.processes import Process
from wire import Wire


@dataclass(frozen=True)
class Trouble:
    """One fault: the seed says all of it."""

    name: str
    which: float  # in [0, 1): which of those that it can hit
    strength: float  # in [0, 1): how long it lasts, as a share of the longest
    pause_s: float  # until the next one


@dataclass(frozen=True)
class Scene:
    """What can be broken."""

    cluster: Cluster
    customers: Customers
    database: Wire  # of one transcoder
    storage: Wire  # of every service

    def one(self, service: str, which: float) -> Process | None:
        """One of a service's processes that live."""
        alive = [process for process in self.cluster.processes if process.service == service and process.alive]
        return alive[int(which * len(alive))] if alive else None


def troubles(seed: int) -> Iterator[Trouble]:
    """The faults of a seed, for ever."""
    chance = random.Random(seed)
    names = sorted(TROUBLES)
    while True:
        yield Trouble(chance.choice(names), chance.random(), chance.random(), chance.uniform(0.2, 2.0))


def _signalled(service: str, number: signal.Signals) -> Callable[[Scene, Trouble], None]:
    def happen(scene: Scene, trouble: Trouble) -> None:
        if process := scene.one(service, trouble.which):
            process.signal(number)

    return happen


def _frozen(service: str, longest_s: float) -> Callable[[Scene, Trouble], None]:
    def happen(scene: Scene, trouble: Trouble) -> None:
        if process := scene.one(service, trouble.which):
            process.signal(signal.SIGSTOP)
            time.sleep(trouble.strength * longest_s)
            process.signal(signal.SIGCONT)

    return happen


def _child_killed(service: str) -> Callable[[Scene, Trouble], None]:
    def happen(scene: Scene, trouble: Trouble) -> None:
        process = scene.one(service, trouble.which)
        for child in process.children()[:1] if process else []:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(child).kill()

    return happen


def _redis_flushed(scene: Scene, _: Trouble) -> None:
    with redis.Redis.from_url(scene.cluster.broker_url) as client:
        client.flushall()


def _redis_read_only(scene: Scene, trouble: Trouble) -> None:
    with redis.Redis.from_url(scene.cluster.broker_url) as client:
        client.replicaof("127.0.0.1", "1")
        time.sleep(trouble.strength * 5)
        client.replicaof("NO", "ONE")


def _redis_down(scene: Scene, trouble: Trouble) -> None:
    scene.cluster.grounds.redis.stop(kill=True)
    time.sleep(trouble.strength * 5)
    scene.cluster.grounds.redis.start()


def _postgres_down(scene: Scene, trouble: Trouble) -> None:
    scene.cluster.grounds.postgres.crash()
    time.sleep(trouble.strength * 4)
    scene.cluster.grounds.postgres.start()


def _postgres_cut(scene: Scene, trouble: Trouble) -> None:
    scene.database.cut()
    time.sleep(trouble.strength * 5)
    scene.database.mend()


def _postgres_silent(scene: Scene, trouble: Trouble) -> None:
    scene.database.freeze()
    time.sleep(trouble.strength * 6)
    scene.database.thaw()


def _commit_unanswered(scene: Scene, _: Trouble) -> None:
    scene.database.stop_at(COMMIT, after=True)


def _s3_down(scene: Scene, trouble: Trouble) -> None:
    scene.cluster.grounds.s3.stop(kill=True)
    time.sleep(trouble.strength * 2)
    scene.cluster.grounds.s3.start()


def _s3_cut(scene: Scene, trouble: Trouble) -> None:
    scene.storage.cut()
    time.sleep(trouble.strength * 5)
    scene.storage.mend()


def _s3_slow(scene: Scene, trouble: Trouble) -> None:
    scene.storage.bytes_per_s = 400_000
    time.sleep(trouble.strength * 8)
    scene.storage.bytes_per_s = 0


def _s3_busy(scene: Scene, trouble: Trouble) -> None:
    scene.storage.unavailable = True
    time.sleep(trouble.strength * 5)
    scene.storage.unavailable = False


def _s3_truncates(scene: Scene, trouble: Trouble) -> None:
    scene.storage.truncate_puts = 1 + int(trouble.strength * 8)


def _cancelled(scene: Scene, trouble: Trouble) -> None:
    scene.customers.cancel(trouble.which)


TROUBLES: dict[str, Callable[[Scene, Trouble], None]] = {
    "kill transcoder": _signalled("transcoder", signal.SIGKILL),
    "stop transcoder": _signalled("transcoder", signal.SIGTERM),
    "freeze transcoder": _frozen("transcoder", 6),
    "kill ffmpeg": _child_killed("transcoder"),
    "kill transcriber": _signalled("transcriber", signal.SIGKILL),
    "stop transcriber": _signalled("transcriber", signal.SIGTERM),
    "freeze transcriber": _frozen("transcriber", 6),
    "kill model": _child_killed("transcriber"),
    "kill watchdog": _signalled("watchdog", signal.SIGKILL),
    "stop watchdog": _signalled("watchdog", signal.SIGTERM),
    "freeze watchdog": _frozen("watchdog", 4),
    "kill gateway": _signalled("api", signal.SIGKILL),
    "stop gateway": _signalled("api", signal.SIGTERM),
    "freeze gateway": _frozen("api", 4),
    "Redis flushed": _redis_flushed,
    "Redis read-only": _redis_read_only,
    "Redis down": _redis_down,
    "PostgreSQL down": _postgres_down,
    "PostgreSQL cut off": _postgres_cut,
    "PostgreSQL silent": _postgres_silent,
    "COMMIT unanswered": _commit_unanswered,
    "S3 down": _s3_down,
    "S3 cut off": _s3_cut,
    "S3 slow": _s3_slow,
    "S3 answers 503": _s3_busy,
    "S3 cuts uploads off": _s3_truncates,
    "cancel": _cancelled,
}
