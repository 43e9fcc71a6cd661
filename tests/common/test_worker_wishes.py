"""What operators tell a worker and its queue, and what the worker then does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from common.workshop import Workshop, until
from sqlalchemy import select
from sqlmodel import col

from mill_common.control import WorkerStopped, pause_queue, resume_queue, tell_worker
from mill_common.database import Database
from mill_common.queue import TRANSCODE, TaskResult
from mill_common.states import JobStatus
from mill_common.worker import Handler, TaskContext
from mill_common.worker.shift import Shift
from mill_common.workers import Worker, WorkerState, WorkerWish


def probe(_context: TaskContext) -> TaskResult:
    return TaskResult()


HANDLERS: dict[str, Handler] = {"probe": probe}


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Workshop]:
    url = database.engine.url.render_as_string(hide_password=False)
    shop = Workshop(tmp_path, url, heartbeat_s=0.05, poll_s=0.05)
    yield shop
    shop.close()


def row(shop: Workshop) -> Worker | None:
    with shop.database().read() as session:
        return session.scalars(select(Worker).order_by(col(Worker.id).desc())).first()


def tell(shop: Workshop, wish: WorkerWish | None) -> None:
    worker = row(shop)
    assert worker is not None
    shop.database().run(lambda session: tell_worker(session, worker.id, wish))


def test_nothing_of_a_paused_queue_is_claimed_until_it_goes_on(shop: Workshop) -> None:
    database = shop.database()
    database.run(lambda session: pause_queue(session, TRANSCODE, by="user:otto", reason="a new disk"))
    job = shop.desk.job()
    with shop.working(HANDLERS):
        until(lambda: (found := row(shop)) is not None and found.state is WorkerState.PAUSED)
        assert row(shop).reason == "the queue transcode is paused"  # type: ignore[union-attr]
        assert shop.desk.status(job) is JobStatus.QUEUED
        assert database.run(lambda session: resume_queue(session, TRANSCODE))
        until(lambda: shop.desk.status(job) is JobStatus.COMPLETED)


def test_a_paused_worker_claims_nothing_until_it_goes_on(shop: Workshop) -> None:
    with shop.working(HANDLERS):
        until(lambda: row(shop) is not None)
        tell(shop, WorkerWish.PAUSE)
        until(lambda: (found := row(shop)) is not None and found.state is WorkerState.PAUSED)
        job = shop.desk.job()
        assert shop.desk.status(job) is JobStatus.QUEUED
        tell(shop, None)
        until(lambda: shop.desk.status(job) is JobStatus.COMPLETED)


def test_a_drained_worker_comes_to_an_end_and_is_told_nothing_more(shop: Workshop) -> None:
    import threading

    over = threading.Event()
    with shop.working(HANDLERS, shift=Shift(over=over.set)):
        until(lambda: row(shop) is not None)
        tell(shop, WorkerWish.DRAIN)
        assert over.wait(20)
        with pytest.raises(WorkerStopped):
            tell(shop, None)
