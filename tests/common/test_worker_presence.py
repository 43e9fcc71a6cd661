"""What a worker's row says of it while it lives, pauses and stops."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from common.workshop import NEVER_S, Held, Workshop, until
from sqlalchemy import delete, select
from sqlmodel import col

from mill_common.database import Database
from mill_common.errors import ChildFailed
from mill_common.queue import TRANSCODE, TaskResult
from mill_common.states import JobStatus, TaskStatus
from mill_common.worker import TaskContext, worker_name
from mill_common.workers import Worker, WorkerState


class Shops:
    """Workers with one setting or another on one database."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._url = database.engine.url.render_as_string(hide_password=False)
        self._folder = folder
        self.open: list[Workshop] = []

    def __call__(self, **settings: Any) -> Workshop:
        shop = Workshop(self._folder, self._url, **{"heartbeat_s": 0.05} | settings)
        self.open.append(shop)
        return shop


@pytest.fixture
def shops(database: Database, tmp_path: Path) -> Iterator[Shops]:
    shops = Shops(database, tmp_path)
    yield shops
    for shop in shops.open:
        shop.close()


def rows(shop: Workshop) -> list[Worker]:
    with shop.database().read() as session:
        return list(session.scalars(select(Worker).order_by(col(Worker.id))).all())


def state(shop: Workshop) -> tuple[WorkerState, str | None] | None:
    """Of the latest worker."""
    return (row.state, row.reason) if (row := next(reversed(rows(shop)), None)) else None


def test_a_worker_s_row_says_who_it_is_and_what_it_can_do(shops: Shops) -> None:
    shop = shops()
    runner = shop.runner({}, slots=3)
    with shop.working({}, slots=3, capability=lambda: {"ffmpeg": "8.1"}):
        until(lambda: len(rows(shop)) == 1)
        (row,) = rows(shop)
    assert (row.name, row.service, row.queue, row.slots) == (worker_name("test"), "test", TRANSCODE, 3)
    assert (row.host, row.pid, row.state, row.stopped_at) == (socket.gethostname(), os.getpid(), "running", None)
    assert row.version == "0.1.0"
    assert row.capability["ffmpeg"] == "8.1"
    assert row.capability["cores"] >= 1
    assert runner.name == row.name  # as in the rows of the tasks that it runs


def test_a_worker_says_again_and_again_that_it_lives_and_at_last_that_it_stopped(shops: Shops) -> None:
    shop = shops()
    with shop.working({}):
        until(lambda: len(rows(shop)) == 1)
        (first,) = rows(shop)
        until(lambda: rows(shop)[0].heartbeat_at > first.heartbeat_at)
    (last,) = rows(shop)
    assert last.state is WorkerState.STOPPED
    assert last.stopped_at is not None
    assert first.started_at <= first.heartbeat_at < last.stopped_at


def test_what_a_worker_cannot_find_out_does_not_keep_it_from_working(shops: Shops) -> None:
    def broken() -> dict[str, str]:
        raise OSError

    shop = shops()
    job = shop.desk.job()
    with shop.working({"probe": lambda _: TaskResult()}, capability=broken):
        shop.ends(job, JobStatus.COMPLETED)
        until(lambda: len(rows(shop)) == 1)
    assert "cores" in rows(shop)[0].capability


def test_a_new_worker_closes_the_row_of_a_dead_one_of_its_name(shops: Shops) -> None:
    shop = shops()
    with shop.database().write() as session:
        dead: dict[str, Any] = {
            "service": "test",
            "queue": TRANSCODE,
            "host": "here",
            "pid": 1,
            "version": "0",
            "slots": 1,
        }
        session.add(Worker(name=worker_name("test"), **dead))
        session.add(Worker(name="somebody else", **dead))
    with shop.working({}):
        until(lambda: len(rows(shop)) == 3)
        assert [row.state for row in rows(shop)] == ["stopped", "running", "running"]


def test_a_row_that_was_removed_comes_back(shops: Shops) -> None:
    shop = shops()
    with shop.working({}):
        until(lambda: len(rows(shop)) == 1)
        before = rows(shop)[0].id
        with shop.database().write() as session:
            session.execute(delete(Worker))
        until(lambda: len(rows(shop)) == 1)
        assert rows(shop)[0].id != before


def test_a_worker_that_keeps_failing_pauses_and_says_so(shops: Shops) -> None:
    def probe(task: TaskContext) -> TaskResult:
        raise ChildFailed

    shop = shops(pause_after_failures=3, pause_s=NEVER_S, pause_cap_s=NEVER_S, retry_base_s=60.0, retry_cap_s=60.0)
    jobs = [shop.desk.job() for _ in range(5)]
    with shop.working({"probe": probe}, slots=1) as runner:
        until(lambda: state(shop) == ("paused", "3 tasks failed in a row, the last with child_failed"))
        assert not runner.idle.is_set()  # wake-ups are for others
    tried = [shop.desk.tasks(job)["probe"].attempts for job in jobs]
    assert sorted(tried) == [0, 0, 1, 1, 1]


def test_a_worker_that_has_recovered_goes_on_after_one_trial(shops: Shops) -> None:
    shop = shops(pause_after_failures=2, pause_s=0.3, pause_cap_s=0.3)
    failures = iter([True, True, True])

    def probe(task: TaskContext) -> TaskResult:
        if next(failures, False):
            raise ChildFailed
        return TaskResult()

    jobs = [shop.desk.job() for _ in range(5)]
    with shop.working({"probe": probe}, slots=1):
        for job in jobs:
            shop.ends(job, JobStatus.COMPLETED)
        until(lambda: state(shop) == ("running", None))
    attempts = sum(shop.desk.tasks(job)["probe"].attempts for job in jobs)
    assert attempts == 5 + 3


def test_a_worker_without_room_claims_nothing_and_says_so(shops: Shops) -> None:
    shop = shops(scratch_free_bytes=2**62)
    job = shop.desk.job()
    with shop.working({"probe": lambda _: TaskResult()}):
        until(lambda: (now := state(shop)) is not None and now[0] is WorkerState.PAUSED)
        found = state(shop)
    assert found is not None
    assert found[1] == "scratch space is short: less than 4.29e+09 GiB are free"
    assert shop.desk.statuses(job) == {"probe": TaskStatus.QUEUED}
    with closing(shops(scratch_free_bytes=0)) as roomy, roomy.working({"probe": lambda _: TaskResult()}):
        roomy.ends(job, JobStatus.COMPLETED)


def test_a_worker_that_drains_says_so(shops: Shops) -> None:
    shop = shops()
    held = Held()
    shop.desk.job()
    with shop.working({"probe": held}) as runner:
        assert held.began.wait(30)
        runner.drain()
        until(lambda: state(shop) == ("draining", None))
        held.let_go.set()
