"""Wake-ups reach workers in memory and over a real Redis, and their loss costs time only."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from common.workshop import NEVER_S, Held, Workshop, plan, until
from server_process import free_port

from mill_common.broker import SharedBroker
from mill_common.queue import TRANSCODE, TRANSCRIBE, NewTask, TaskResult
from mill_common.states import JobStatus


@pytest.fixture(params=["memory", "redis"])
def broker_url(request: pytest.FixtureRequest) -> str:
    """An empty broker of each kind."""
    return "memory://" if request.param == "memory" else str(request.getfixturevalue("redis_url"))


def test_a_wake_up_alone_makes_an_idle_worker_look(sqlite_url: str, broker_url: str, tmp_path: Path) -> None:
    with (
        closing(Workshop(tmp_path / "data", sqlite_url, broker_url, poll_s=NEVER_S)) as shop,
        shop.working({"probe": lambda _: TaskResult()}) as runner,
    ):
        for _ in range(3):
            until(runner.idle.is_set)
            job = shop.desk.job()
            shop.resources.dispatcher.wake(TRANSCODE)
            shop.ends(job, JobStatus.COMPLETED)


def test_a_task_for_another_queue_wakes_that_queue_s_worker(sqlite_url: str, broker_url: str, tmp_path: Path) -> None:
    with closing(Workshop(tmp_path / "data", sqlite_url, broker_url, poll_s=NEVER_S)) as shop, ExitStack() as workers:
        speech = NewTask(name="speech", kind="speech", queue=TRANSCRIBE)
        transcriber = shop.working({"speech": lambda _: TaskResult()}, queue_name=TRANSCRIBE)
        if broker_url == "memory://":
            runner = workers.enter_context(transcriber)
        else:  # a process of its own, as far as Redis can tell
            peer = workers.enter_context(closing(Workshop(tmp_path / "peer", sqlite_url, broker_url, poll_s=NEVER_S)))
            runner = workers.enter_context(peer.working({"speech": lambda _: TaskResult()}, queue_name=TRANSCRIBE))
        until(runner.idle.is_set)
        job = shop.desk.job()
        workers.enter_context(shop.working({"probe": plan(speech)}))
        shop.ends(job, JobStatus.COMPLETED)


def test_a_busy_worker_leaves_wake_ups_to_its_peers(sqlite_url: str, redis_url: str, tmp_path: Path) -> None:
    held = Held()
    with ExitStack() as stack:
        shops = [
            stack.enter_context(closing(Workshop(tmp_path / name, sqlite_url, redis_url, poll_s=NEVER_S)))
            for name in ("busy", "free")
        ]
        blocking = shops[0].desk.job()
        busy = stack.enter_context(shops[0].working({"probe": held}, slots=1))
        assert held.began.wait(30)
        free = stack.enter_context(shops[1].working({"probe": lambda _: TaskResult()}, slots=1))
        for _ in range(5):
            until(free.idle.is_set)
            job = shops[1].desk.job()
            shops[1].resources.dispatcher.wake(TRANSCODE)
            shops[1].ends(job, JobStatus.COMPLETED)
        assert not busy.idle.is_set()
        held.let_go.set()
        shops[0].ends(blocking, JobStatus.COMPLETED)


def test_work_goes_on_while_the_broker_is_gone(sqlite_url: str, tmp_path: Path) -> None:
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    chain = [NewTask(name="first", kind="step"), NewTask(name="second", kind="step", needs=["first"])]
    with (
        closing(Workshop(tmp_path / "data", sqlite_url, nobody)) as shop,
        shop.working({"probe": plan(*chain), "step": lambda _: TaskResult()}) as runner,
    ):
        until(runner.idle.is_set)
        job = shop.desk.job()
        shop.ends(job, JobStatus.COMPLETED)


def test_wake_ups_that_nobody_takes_do_not_fill_redis(sqlite_url: str, redis_url: str, tmp_path: Path) -> None:
    with closing(Workshop(tmp_path / "data", sqlite_url, redis_url)) as shop:
        broker = shop.resources.broker
        assert isinstance(broker, SharedBroker)
        for _ in range(3):
            shop.resources.dispatcher.wake(TRANSCODE, 200)
        assert broker.waiting(TRANSCODE) == 256
