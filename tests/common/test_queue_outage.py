"""The database goes away at the worst moment, on a real PostgreSQL behind a wire that is cut."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from common.desk import NOTHING, Desk, made
from common.workshop import NEVER_S, Held, Workshop, until
from sqlalchemy.exc import OperationalError
from wire import Wire

from mill_common.database import Database
from mill_common.errors import ChildFailed, LeaseLost
from mill_common.models import Outcome, Output
from mill_common.queue import NewTask, TaskResult
from mill_common.states import JobStatus, TaskStatus
from mill_common.worker import TaskContext


@pytest.fixture
def wire(migrated_postgres_url: str) -> Iterator[Wire]:
    """The wire to a fresh database."""
    with Wire(migrated_postgres_url) as proxy:
        yield proxy


@pytest.fixture
def far_desk(wire: Wire) -> Iterator[Desk]:
    """A queue at the other end of the wire."""
    with closing(Database(wire.url)) as database:
        yield Desk(database)


def test_a_completion_whose_commit_was_not_answered_is_written_once(wire: Wire, far_desk: Desk) -> None:
    job = far_desk.job()
    claim = far_desk.claim()
    stop = wire.stop_at(b"COMMIT", after=True)
    far_desk.finish(claim, made("360p.mp4"), tasks=[NewTask(name="next", kind="x")])
    assert stop.reached.wait(30)
    assert far_desk.statuses(job) == {"probe": TaskStatus.COMPLETED, "next": TaskStatus.QUEUED}
    assert (far_desk.count(Output), far_desk.woken.counts.total()) == (1, 1)


def test_a_failure_whose_commit_was_not_answered_counts_once(wire: Wire, far_desk: Desk) -> None:
    far_desk.job()
    claim = far_desk.claim()
    stop = wire.stop_at(b"COMMIT", after=True)
    assert far_desk.fail(claim, ChildFailed()) is TaskStatus.RETRYING
    assert stop.reached.wait(30)
    assert len(far_desk.attempts(claim.task_id)) == 1


def test_a_hand_back_whose_commit_was_not_answered_refunds_once(wire: Wire, far_desk: Desk) -> None:
    far_desk.job()
    claim = far_desk.claim()
    stop = wire.stop_at(b"COMMIT", after=True)
    far_desk.queue.release(claim, NOTHING)
    assert stop.reached.wait(30)
    assert (far_desk.task(claim.task_id).status, far_desk.task(claim.task_id).attempts) == (TaskStatus.QUEUED, 0)


def test_an_unanswered_commit_gives_a_lost_lease_no_second_life(wire: Wire, far_desk: Desk) -> None:
    far_desk.job()
    late = far_desk.claim()
    far_desk.crash(late)
    far_desk.claim()
    with pytest.raises(LeaseLost):
        far_desk.finish(late)


def test_a_completion_waits_for_a_database_that_comes_back(wire: Wire, far_desk: Desk) -> None:
    job = far_desk.job()
    claim = far_desk.claim()
    wire.cut()
    finishing = threading.Thread(target=far_desk.finish, args=(claim,))
    finishing.start()
    with pytest.raises(OperationalError):
        far_desk.status(job)
    assert finishing.is_alive()
    wire.mend()
    finishing.join(60)
    assert far_desk.status(job) is JobStatus.COMPLETED


def test_a_task_is_put_down_when_no_heartbeat_was_written_for_a_whole_lease(
    wire: Wire, migrated_postgres_url: str, tmp_path: Path
) -> None:
    held = Held()
    with closing(Workshop(tmp_path / "data", wire.url, lease_s=1.5, heartbeat_s=0.3)) as shop:
        job = shop.desk.job()
        with shop.working({"probe": held}, slots=1):
            assert held.began.wait(30)
            wire.cut()
            until(lambda: held.reasons == ["LeaseLost"])
            until(lambda: (shop.objects(), shop.scratch()) == ([], []))
            wire.mend()
        with closing(Database(migrated_postgres_url)) as database:
            assert Desk(database).statuses(job) == {"probe": TaskStatus.RUNNING}
            until(lambda: shop.resources.queue.reap_expired() == 1)


def test_a_worker_whose_claim_was_not_answered_finds_what_it_holds(wire: Wire, tmp_path: Path) -> None:
    def probe(task: TaskContext) -> TaskResult:
        return TaskResult()

    with closing(Workshop(tmp_path / "data", wire.url, lease_s=NEVER_S)) as shop:
        stop = wire.stop_at(b"EXECUTE mill_claim(", then=b"COMMIT", after=True)
        job = shop.desk.job()
        with shop.working({"probe": probe}):
            shop.ends(job, JobStatus.COMPLETED)
        assert stop.reached.is_set()
        outcomes = [attempt.outcome for attempt in shop.desk.attempts(shop.desk.tasks(job)["probe"].id)]
    assert outcomes == [Outcome.HANDED_BACK, Outcome.COMPLETED]


def test_a_worker_goes_on_when_the_database_is_back(wire: Wire, tmp_path: Path) -> None:
    def probe(task: TaskContext) -> TaskResult:
        return TaskResult()

    with closing(Workshop(tmp_path / "data", wire.url)) as shop, shop.working({"probe": probe}) as runner:
        until(runner.idle.is_set)
        wire.cut()
        with pytest.raises(OperationalError):
            shop.database().check()
        wire.mend()
        job = shop.desk.job()
        shop.ends(job, JobStatus.COMPLETED)
