"""A task that takes longer than it may is put down, and taken from a worker that cannot put it down."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from common.workshop import NEVER_S, Held, Workshop, until

from mill_common.database import Database
from mill_common.models import Outcome
from mill_common.queue import TaskResult
from mill_common.worker import TaskContext, running


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Workshop]:
    """A worker whose tasks are over time at once."""
    url = database.engine.url.render_as_string(hide_password=False)
    waits: dict[str, Any] = {"lease_s": 3.0, "heartbeat_s": 0.1, "task_deadline_s": 0.05, "retry_base_s": NEVER_S}
    with closing(Workshop(tmp_path / "data", url, retry_cap_s=NEVER_S, **waits)) as shop:
        yield shop


def test_a_task_over_its_time_is_put_down_and_tried_again_later(shop: Workshop) -> None:
    held = Held()
    task = shop.desk.tasks(shop.desk.job())["probe"].id
    with shop.working({"probe": held}):
        until(lambda: [one.outcome for one in shop.desk.attempts(task)] == [Outcome.RETRYING])
    assert (held.reasons, shop.desk.task(task).error_code) == (["DeadlineExceeded"], "deadline_exceeded")


def test_a_handler_that_takes_longer_than_a_lease_to_stop_keeps_its_task(shop: Workshop) -> None:
    id_ = shop.desk.tasks(shop.desk.job())["probe"].id
    kept_s: list[float] = []

    def heard() -> datetime:
        at = shop.desk.task(id_).heartbeat_at
        assert at is not None
        return at

    def slow(task: TaskContext) -> TaskResult:
        assert task.stop.wait(120)
        stopped = heard()
        until(lambda: (heard() - stopped).total_seconds() > 2 * shop.settings.lease_s)
        kept_s.append((heard() - stopped).total_seconds())
        task.raise_if_stopped()
        raise AssertionError("it was stopped")

    with shop.working({"probe": slow}):
        until(lambda: shop.desk.attempts(id_)[:1] != [] and shop.desk.attempts(id_)[0].outcome is not None)
    assert kept_s
    assert [one.outcome for one in shop.desk.attempts(id_)] == [Outcome.RETRYING]


def test_a_handler_that_does_not_stop_loses_its_task(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STOPPING_S", 0.1)
    let_go = threading.Event()

    def deaf(_: TaskContext) -> TaskResult:
        assert let_go.wait(120)
        return TaskResult()

    task = shop.desk.tasks(shop.desk.job())["probe"].id
    with shop.working({"probe": deaf}):
        try:
            until(lambda: shop.desk.queue.reap_expired() == 1)
        finally:
            let_go.set()
    first = shop.desk.attempts(task)[0]
    assert (first.outcome, first.error_code) == (Outcome.LEASE_EXPIRED, "HEARTBEAT_TIMEOUT")
