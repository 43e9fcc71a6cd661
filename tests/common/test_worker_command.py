"""The worker's command line, in real processes on PostgreSQL and Redis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from common.desk import Desk
from common.worker_process import Gatekeeper, Workplace, terminate
from sqlalchemy import select, update
from waiting import WAIT_S, wait_for

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.models import Attempt, Outcome, Task
from mill_common.queue import HEARTBEAT_TIMEOUT, TRANSCRIBE
from mill_common.settings import Settings
from mill_common.spec import JobSpec
from mill_common.states import JobStatus, TaskStatus
from mill_common.storage import open_store
from mill_common.workers import Worker, WorkerState
from mill_transcoder.binaries import find_binaries

NO_TRANSCRIPT = JobSpec(transcript=None).model_dump()


@pytest.fixture
def desk(migrated_postgres_url: str) -> Iterator[Desk]:
    """Hands in jobs, and looks at rows, beside the workers."""
    with closing(Database(migrated_postgres_url)) as database:
        yield Desk(database)


@pytest.fixture
def place(desk: Desk, migrated_postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[Workplace]:
    """Storage with one object that is no video; workers start here."""
    settings = Settings(data_dir=tmp_path / "data")
    settings.data_dir.mkdir()
    (tmp_path / "clip.mp4").write_text("this is no video")
    open_store(settings).put_file("uploads/clip.mp4", tmp_path / "clip.mp4", content_type="video/mp4")
    place = Workplace(settings.data_dir, migrated_postgres_url, redis_url, settings.storage_url)
    yield place
    place.close()


@pytest.fixture
def gate(tmp_path: Path) -> Gatekeeper:
    return Gatekeeper(tmp_path, find_binaries(Settings()).ffprobe)


def worker_rows(desk: Desk) -> list[Worker]:
    with desk.database.read() as session:
        return list(session.scalars(select(Worker)).all())


def attempts(desk: Desk) -> list[Attempt]:
    with desk.database.read() as session:
        return list(session.scalars(select(Attempt)).all())


def write(desk: Desk, **values: object) -> None:
    with desk.database.write() as session:
        session.execute(update(Task).values(**values))


def test_once_works_until_the_queue_is_empty(place: Workplace, desk: Desk) -> None:
    jobs = [desk.job(spec=NO_TRANSCRIPT) for _ in range(3)]
    place.ask("--once")
    assert [desk.status(job) for job in jobs] == [JobStatus.FAILED] * 3  # for it was no video
    assert {desk.row(job).error_code for job in jobs} == {"source_unreadable"}
    (row,) = worker_rows(desk)
    assert (row.service, row.state, row.slots) == ("transcoder", WorkerState.STOPPED, 1)
    assert re.match(r"\D*\d+\.\d+", row.capability["ffmpeg"])
    assert row.capability["packager"].startswith("v")


def test_once_on_an_empty_queue_ends_at_once(place: Workplace, desk: Desk) -> None:
    place.ask("--once", service="transcriber", whisper_model="tiny-digits", whisper_device="cpu")
    (row,) = worker_rows(desk)
    assert (row.service, row.queue) == ("transcriber", TRANSCRIBE)
    assert (row.capability["model"], row.capability["device"]) == ("tiny-digits", "cpu")


def test_a_limit_ends_the_worker_after_so_many_tasks(place: Workplace, desk: Desk) -> None:
    for _ in range(3):
        desk.job(spec=NO_TRANSCRIPT)
    place.ask("--once", "--limit", "2")
    assert len(attempts(desk)) == 2
    assert place.start("--limit", "1").wait(WAIT_S) == 0
    assert len(attempts(desk)) == 3


def test_concurrency_is_how_many_tasks_run_at_a_time(place: Workplace, desk: Desk) -> None:
    for _ in range(5):
        desk.job(spec=NO_TRANSCRIPT)
    place.ask("--once", "--concurrency", "2", transcoder_threads=4)
    assert [row.slots for row in worker_rows(desk)] == [2]
    ended = attempts(desk)
    assert len(ended) == 5
    assert max(sum(_overlap(one, other) for other in ended) for one in ended) == 2


def test_workers_side_by_side_never_take_the_same_task(place: Workplace, desk: Desk) -> None:
    processes = [place.start("--poll-interval", "0.05") for _ in range(2)]
    wait_for(lambda: len(worker_rows(desk)) == 2)
    jobs = [desk.job(spec=NO_TRANSCRIPT) for _ in range(12)]
    wait_for(lambda: {desk.status(job) for job in jobs} == {JobStatus.FAILED})
    assert [desk.tasks(job)["probe"].attempts for job in jobs] == [1] * 12
    assert len({attempt.worker for attempt in attempts(desk)}) == 2
    for process in processes:
        terminate(process)
    assert [process.wait(WAIT_S) for process in processes] == [0, 0]
    assert {row.state for row in worker_rows(desk)} == {WorkerState.STOPPED}


def test_show_running_tells_what_runs(place: Workplace, desk: Desk) -> None:
    assert place.ask("--show-running") == "Running tasks: 0\n"
    desk.job()
    claim = desk.claim(worker="box:transcoder:7")
    desk.queue.heartbeat(claim, 0.6, "reading")
    write(desk, started_at=db_now(-120.0), heartbeat_at=db_now(-60.0))
    said = place.ask("--show-running")
    found = re.fullmatch(
        rf"Running tasks: 1\n  {claim.task_id}: kind=probe stage=reading progress=60% running=(\d+)s"
        r" heartbeat_age=(\d+)s worker=box:transcoder:7\n",
        said,
    )
    assert found, said
    assert int(found[1]) >= 120
    assert 60 <= int(found[2]) < int(found[1])


def test_release_stale_takes_tasks_from_workers_that_fell_silent(place: Workplace, desk: Desk) -> None:
    desk.job()
    silent = desk.claim(worker="crashed-worker")
    write(desk, heartbeat_at=db_now(-600.0), stage="encode")  # its lease, as it says, goes on
    desk.job()
    alive = desk.claim()
    assert place.ask("--release-stale") == "Released 1 stale task\n"
    task = desk.task(silent.task_id)
    assert (task.status, task.stage, task.error_code) == (TaskStatus.RETRYING, "released_stale", HEARTBEAT_TIMEOUT)
    assert "worker timed out: crashed-worker" in (task.error_message or "")
    assert desk.task(alive.task_id).status is TaskStatus.RUNNING
    assert place.ask("--release-stale") == "Released 0 stale tasks\n"


def test_release_stale_takes_a_task_that_is_running_without_any_lease(place: Workplace, desk: Desk) -> None:
    desk.job()
    write(desk, status=TaskStatus.RUNNING, worker="crashed-worker", started_at=db_now(-3600.0))
    assert place.ask("--release-stale") == "Released 1 stale task\n"


def test_a_stopped_worker_waits_for_a_short_task_and_takes_no_other(
    place: Workplace, desk: Desk, gate: Gatekeeper
) -> None:
    jobs = [desk.job(spec=NO_TRANSCRIPT) for _ in range(2)]
    worker = place.start(ffprobe=gate.path, stop_grace_s=3600)
    wait_for(gate.asked)
    terminate(worker)
    wait_for(lambda: [row.state for row in worker_rows(desk)] == [WorkerState.DRAINING])
    gate.open()
    assert worker.wait(WAIT_S) == 0
    assert [desk.status(job) for job in jobs] == [JobStatus.FAILED, JobStatus.QUEUED]
    assert [attempt.outcome for attempt in attempts(desk)] == [Outcome.FAILED]


def test_a_second_sigterm_hands_the_task_back_at_once(place: Workplace, desk: Desk, gate: Gatekeeper) -> None:
    job = desk.job(spec=NO_TRANSCRIPT)
    worker = place.start(ffprobe=gate.path, stop_grace_s=3600)
    wait_for(gate.asked)
    terminate(worker)
    wait_for(lambda: [row.state for row in worker_rows(desk)] == [WorkerState.DRAINING])
    terminate(worker)
    assert worker.wait(WAIT_S) == 0
    assert [attempt.outcome for attempt in attempts(desk)] == [Outcome.HANDED_BACK]
    task = desk.tasks(job)["probe"]
    assert (task.status, task.attempts) == (TaskStatus.QUEUED, 0)
    assert list((place.folder / "scratch").iterdir()) == []


def test_scratch_of_a_killed_worker_is_swept_by_the_next(place: Workplace, desk: Desk, gate: Gatekeeper) -> None:
    desk.job(spec=NO_TRANSCRIPT)
    worker = place.start(ffprobe=gate.path)
    wait_for(gate.asked)
    worker.kill()
    worker.wait()
    (left,) = (place.folder / "scratch").iterdir()
    with desk.database.write() as session:
        session.execute(update(Task).values(lease_until=db_now(-1.0)))
    assert desk.queue.reap_expired() == 1
    place.start("--poll-interval", "3600")
    wait_for(lambda: not left.exists())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--limit", "0"], "--limit: at least 1"),
        (["--concurrency", "65"], "transcoder_threads: Input should be less than or equal to 64"),
        (["--poll-interval", "0"], "poll_s: Input should be greater than 0"),
        (["--show-running", "--release-stale"], "not allowed with"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(place: Workplace, arguments: list[str], words: str) -> None:
    status, said = place.refuses(*arguments)
    assert status == 2
    assert words in said
    assert "Traceback" not in said


def test_a_database_that_does_not_answer_is_a_sentence(place: Workplace) -> None:
    status, said = place.refuses("--show-running", database_url="postgresql://mill@127.0.0.1:1/mill")
    assert (status, said) == (1, "the database does not answer: OperationalError\n")


def _overlap(one: Attempt, other: Attempt) -> bool:
    """Whether `other` was running when `one` began."""
    assert one.ended_at and other.ended_at
    began: datetime = one.started_at
    return other.started_at <= began < other.ended_at
