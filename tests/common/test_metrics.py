"""What a worker counts, and what it writes on its lines. Requirements A11, P2, P5."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog
from common.counted import Counted
from common.workshop import Held, Workshop, store_text, until
from prometheus_client.parser import text_string_to_metric_families as parsed

from mill_common.database import Database
from mill_common.errors import SourceUnreadable
from mill_common.metrics.rows import RowsCollector
from mill_common.queue import TaskResult
from mill_common.signs import signs_of
from mill_common.states import JobStatus
from mill_common.worker import TaskContext


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Workshop]:
    url = database.engine.url.render_as_string(hide_password=False)
    with closing(Workshop(tmp_path, url, slow_step_s=0.001)) as shop:
        yield shop


def _store(task: TaskContext) -> TaskResult:
    store_text(task, "text.txt")
    task.used(cpu_s=2.5)
    structlog.get_logger("mill_transcoder.test").info("said")
    return TaskResult()


def _refuse(task: TaskContext) -> TaskResult:
    raise SourceUnreadable


def test_a_completed_attempt_is_counted_with_what_it_took(shop: Workshop) -> None:
    counted = {
        "claims": Counted("mill_task_claims_total", queue="transcode"),
        "attempts": Counted("mill_task_attempts_total", queue="transcode", kind="probe", outcome="completed", code=""),
        "observed": Counted(
            "mill_task_attempt_duration_seconds_count", queue="transcode", kind="probe", outcome="completed"
        ),
    }
    bytes_out = Counted("mill_task_bytes_total", kind="probe", direction="out")
    cpu = Counted("mill_task_cpu_seconds_total", kind="probe")
    with shop.working({"probe": _store}) as runner:
        shop.ends(shop.desk.job(), JobStatus.COMPLETED)
        until(lambda: runner.running == 0)
    assert {name: one.rise() for name, one in counted.items()} == {"claims": 1, "attempts": 1, "observed": 1}
    assert (bytes_out.rise(), cpu.rise()) == (len("text.txt"), 2.5)


def test_a_failed_attempt_is_counted_by_its_code(shop: Workshop) -> None:
    labels = {"queue": "transcode", "kind": "probe", "outcome": "failed", "code": "source_unreadable"}
    failed = Counted("mill_task_attempts_total", **labels)
    with shop.working({"probe": _refuse}) as runner:
        shop.ends(shop.desk.job(), JobStatus.FAILED)
        until(lambda: runner.running == 0)
    assert failed.rise() == 1


def test_a_lease_that_was_lost_is_counted(shop: Workshop) -> None:
    lost = Counted("mill_leases_lost_total", queue="transcode")
    running = Counted("mill_worker_running_tasks", queue="transcode")
    held = Held()
    with shop.working({"probe": held}, slots=1) as runner:
        shop.desk.job()
        until(held.began.is_set)
        assert running.rise() == 1
        [task] = runner._tasks()
        shop.desk.crash(task.claim)
        held.began.clear()
        until(lambda: lost.rise() == 1)
        held.let_go.set()
    assert running.rise() == 0


def test_every_line_of_an_attempt_names_it(shop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    lines: list[dict[str, Any]] = []

    def keep(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        lines.append(dict(event))
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.contextvars.merge_contextvars, keep])
    try:
        with shop.working({"probe": _store}) as runner:
            job = shop.desk.job()
            shop.ends(job, JobStatus.COMPLETED)
            until(lambda: runner.running == 0)
    finally:
        structlog.reset_defaults()
    said = {line["event"]: line for line in lines}
    for event in ("task_started", "said", "task_completed", "slow_step"):
        assert (said[event]["job"], said[event]["attempt"], said[event]["trace_id"]) == (str(job), 1, job.hex)
        assert said[event]["task"] == "probe"
        assert "task_id" in said[event]
    assert said["slow_step"]["duration_seconds"] > 0
    assert logging.getLogger("mill.performance").name == "mill.performance"


def test_the_page_tells_of_the_queues_and_of_the_pool(shop: Workshop) -> None:
    shop.desk.job()
    page = signs_of(shop.resources, whole=True).exposition.page().decode()
    values = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in parsed(page)
        for sample in family.samples
    }
    assert values["mill_queue_tasks", "transcode", "waiting"] == 1
    assert values["mill_queue_oldest_task_age_seconds", "transcode"] >= 0
    assert values[("mill_database_pool_limit",)] == 20
    assert ("process_resident_memory_bytes",) in values


def test_without_a_database_the_page_says_so_and_nothing_else_of_it(tmp_path: Path) -> None:
    gone = Database("postgresql://mill@127.0.0.1:9/mill")
    [up] = list(RowsCollector(gone).collect())
    assert (up.name, [sample.value for sample in up.samples]) == ("mill_database_up", [0.0])
    gone.close()
