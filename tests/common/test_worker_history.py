"""P2: whatever becomes of an attempt, its row says who ran it, when, how it ended and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from common.workshop import NEVER_S, Held, Workshop, store_text, until

from mill_common.database import Database
from mill_common.errors import ChildFailed, SourceUnreadable
from mill_common.models import Attempt, Outcome
from mill_common.queue import HEARTBEAT_TIMEOUT, TaskResult, expire_silent, reap
from mill_common.states import TaskStatus
from mill_common.worker import TaskContext, worker_name

SOURCE = b"a source of thirty-six bytes, all told"


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Workshop]:
    """A worker that tells of itself often, and that nobody takes for dead."""
    url = database.engine.url.render_as_string(hide_password=False)
    waits: dict[str, Any] = {"lease_s": NEVER_S, "retry_base_s": NEVER_S, "retry_cap_s": NEVER_S}
    with closing(Workshop(tmp_path / "data", url, heartbeat_s=0.05, **waits)) as shop:
        (tmp_path / "source").write_bytes(SOURCE)
        shop.resources.store.put_file("uploads/clip.mp4", tmp_path / "source", content_type="video/mp4")
        yield shop


def spend(task: TaskContext) -> None:
    """Cost something of everything."""
    task.source()
    store_text(task, "out.txt")
    task.used(cpu_s=1.0, peak_memory=2000, log_tail="first child")
    task.used(cpu_s=0.5, peak_memory=1000, log_tail="second child: \x00 \udcff")


def attempt(shop: Workshop, job: UUID) -> Attempt:
    (only,) = shop.desk.attempts(shop.desk.tasks(job)["probe"].id)
    return only


def assert_cost(row: Attempt) -> None:
    assert (row.cpu_s, row.peak_memory) == (1.5, 2000)
    assert (row.bytes_in, row.bytes_out) == (len(SOURCE), len("out.txt"))
    assert row.log_tail == "second child:  ?"
    assert row.worker == worker_name("test")


@pytest.mark.parametrize(
    ("error", "outcome", "code", "message"),
    [
        (None, Outcome.COMPLETED, None, None),
        (ChildFailed("signal 9"), Outcome.RETRYING, "child_failed", "signal 9"),
        (ZeroDivisionError(), Outcome.RETRYING, "internal_error", "ZeroDivisionError in probe"),
        (SourceUnreadable("no picture"), Outcome.FAILED, "source_unreadable", "no picture"),
    ],
    ids=["completed", "retrying", "defect", "failed"],
)
def test_an_attempt_that_ended_by_itself(
    shop: Workshop, error: Exception | None, outcome: Outcome, code: str | None, message: str | None
) -> None:
    def probe(task: TaskContext) -> TaskResult:
        spend(task)
        if error:
            raise error
        return TaskResult()

    job = shop.desk.job()
    with shop.working({"probe": probe}):
        until(lambda: shop.desk.statuses(job)["probe"] not in (TaskStatus.QUEUED, TaskStatus.RUNNING))
    row = attempt(shop, job)
    assert (row.outcome, row.error_code, row.error_message) == (outcome, code, message)
    assert row.ended_at is not None
    assert row.started_at <= row.ended_at
    assert_cost(row)


def _cancel(shop: Workshop, job: UUID) -> None:
    shop.desk.cancel(job)
    until(lambda: shop.desk.statuses(job)["probe"] is TaskStatus.CANCELLED)


def _nothing(shop: Workshop, job: UUID) -> None:
    """The end of the worker is the end of the attempt."""


@pytest.mark.parametrize(
    ("end", "outcome"),
    [(_cancel, Outcome.CANCELLED), (_nothing, Outcome.HANDED_BACK)],
    ids=["cancelled", "handed back"],
)
def test_an_attempt_that_was_put_down(shop: Workshop, end: Callable[[Workshop, UUID], None], outcome: Outcome) -> None:
    held = Held()
    job = shop.desk.job()
    with shop.working({"probe": _costly(held)}):
        assert held.began.wait(30)
        end(shop, job)
    row = attempt(shop, job)
    assert (row.outcome, row.error_code) == (outcome, None)
    assert row.ended_at is not None
    assert (row.cpu_s, row.peak_memory, row.bytes_in) == (1.5, 2000, len(SOURCE))


def test_an_attempt_whose_worker_fell_silent_keeps_what_was_last_heard(shop: Workshop) -> None:
    held = Held()
    job = shop.desk.job()
    with shop.working({"probe": _costly(held)}, slots=1):
        assert held.began.wait(30)
        until(lambda: attempt(shop, job).bytes_out > len("out.txt"))
        claimed = shop.desk.tasks(job)["probe"]
        with shop.database().write() as session:  # in one transaction, or a heartbeat might come in between
            assert expire_silent(session, silent_s=-60.0) == 1
            reap(session, shop.desk.policy)
        until(lambda: held.reasons == ["LeaseLost"])
    row = shop.desk.attempts(claimed.id)[0]
    assert (row.outcome, row.error_code) == (Outcome.LEASE_EXPIRED, HEARTBEAT_TIMEOUT)
    assert row.error_message == f"The worker timed out: {row.worker} was not heard of; crash 1 of 3."
    assert row.ended_at is not None
    assert (row.cpu_s, row.peak_memory, row.log_tail) == (1.5, 2000, "second child:  ?")


def _costly(held: Held) -> Callable[[TaskContext], TaskResult]:
    def probe(task: TaskContext) -> TaskResult:
        spend(task)
        return held(task)

    return probe
