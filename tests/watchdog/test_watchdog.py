"""The watchdog as a process of its own, on real PostgreSQL and Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from common.desk import Desk
from servers import Postgres, Redis
from waiting import WAIT_S, wait_for

from mill_common.broker import listen, open_broker
from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.models import Task
from mill_common.queue import HEARTBEAT_TIMEOUT, TRANSCODE, Policy, expire_leases
from mill_common.states import TaskStatus


@pytest.fixture
def desk(postgres_url: str) -> Iterator[Desk]:
    """A queue on PostgreSQL whose wake-ups are due at once, because a dead dispatcher has sent none."""
    database = Database(postgres_url)
    migrate(database)
    yield Desk(database, Policy(resend_after_s=0.01))
    database.close()


@pytest.fixture
def watchdog(
    desk: Desk, postgres_url: str, redis_url: str, tmp_path: Path
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts watchdog processes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
    environment = {
        **kept,
        "MILL_DATA_DIR": str(tmp_path),
        "MILL_DATABASE_URL": postgres_url,
        "MILL_BROKER_URL": redis_url,
        "MILL_SWEEP_S": "0.05",
    }
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-m", "mill_watchdog"], env=environment, stdin=subprocess.DEVNULL)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def _task(desk: Desk, task_id: object) -> Task:
    with desk.database.read() as session:
        return session.get_one(Task, task_id)


def test_it_sends_the_wake_up_that_an_api_died_before_sending(
    desk: Desk, watchdog: Callable[[], subprocess.Popen[bytes]], redis_url: str
) -> None:
    woken, idle = threading.Event(), threading.Event()
    idle.set()
    broker = open_broker(redis_url)
    worker = listen(broker, wakes={TRANSCODE: woken.set}, idle={TRANSCODE: idle})
    try:
        desk.job()
        assert not woken.is_set()
        watchdog()
        assert woken.wait(WAIT_S)
    finally:
        worker.stop()
        broker.close()


def test_several_take_a_dead_worker_s_task_once(desk: Desk, watchdog: Callable[[], subprocess.Popen[bytes]]) -> None:
    desk.job()
    claim = desk.claim()
    desk.expire(claim)
    for _ in range(3):
        watchdog()
    wait_for(lambda: _task(desk, claim.task_id).status is TaskStatus.RETRYING)
    task = _task(desk, claim.task_id)
    assert (task.crashes, task.error_code, task.stage) == (1, HEARTBEAT_TIMEOUT, "released_stale")


def test_it_goes_on_when_the_database_comes_back(postgres: Postgres, redis_server: Redis, tmp_path: Path) -> None:
    # Its own server: this one is stopped.
    with Postgres() as own, redis_server.database() as redis_url:
        database = Database(own.url)
        migrate(database)
        desk = Desk(database, Policy(resend_after_s=0.01))
        environment = {**os.environ, "MILL_DATABASE_URL": own.url, "MILL_BROKER_URL": redis_url}
        environment |= {"MILL_DATA_DIR": str(tmp_path), "MILL_SWEEP_S": "0.05"}
        process = subprocess.Popen([sys.executable, "-m", "mill_watchdog"], env=environment, stdin=subprocess.DEVNULL)
        try:
            desk.job()
            claim = desk.claim()
            own.stop()
            time.sleep(0.5)  # several sweeps fail
            own.start()
            assert process.poll() is None
            wait_for(lambda: _expired(desk, claim.task_id))
        finally:
            process.kill()
            process.wait()
            database.close()


def _expired(desk: Desk, task_id: object) -> bool:
    desk.database.run(lambda session: expire_leases(session, worker_prefix=""))
    return _task(desk, task_id).status is TaskStatus.RETRYING


def test_sigterm_ends_it_cleanly(watchdog: Callable[[], subprocess.Popen[bytes]], desk: Desk) -> None:
    process = watchdog()
    desk.job()
    claim = desk.claim()
    desk.expire(claim)
    wait_for(lambda: _task(desk, claim.task_id).status is TaskStatus.RETRYING)
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == 0
