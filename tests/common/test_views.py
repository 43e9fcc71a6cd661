"""The same answers about the queue on both databases; on PostgreSQL, views give them to `psql`, too."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import timedelta
from uuid import UUID

import pytest
from common.desk import Desk
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect, select, text, update
from sqlmodel import col

from mill_common import views
from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.errors import ChildFailed, SourceUnreadable
from mill_common.models import Job, Task
from mill_common.queue import TRANSCODE, TRANSCRIBE, NewTask
from mill_common.views_on_sqlite import percentile


def _took(desk: Desk, job: UUID, seconds: float) -> None:
    with desk.database.write() as session:
        started = session.get_one(Job, job).started_at
        assert started is not None
        ended = update(Job).where(col(Job.id) == job).values(completed_at=started + timedelta(seconds=seconds))
        session.execute(ended)


def _ended(desk: Desk, seconds: float, *, fails: bool = False) -> UUID:
    job = desk.job()
    claim = desk.claim()
    if fails:
        desk.fail(claim, SourceUnreadable("Not a video."))
    else:
        desk.finish(claim)
    _took(desk, job, seconds)
    return job


def test_timings_are_by_status_with_interpolated_percentiles(desk: Desk) -> None:
    for seconds in (10.0, 20.0, 30.0, 80.0):
        _ended(desk, seconds)
    _ended(desk, 7.0, fails=True)
    desk.cancel(desk.job())  # never started
    with desk.database.read() as session:
        found = views.job_timing_stats(session)
    assert [(row.status, row.count) for row in found] == [("completed", 4), ("failed", 1)]
    completed, failed = found
    assert completed.avg_duration_seconds == pytest.approx(35.0, abs=0.01)
    assert completed.p50_seconds == pytest.approx(25.0, abs=0.01)
    assert completed.p95_seconds == pytest.approx(72.5, abs=0.01)
    assert [failed.p50_seconds, failed.p95_seconds] == pytest.approx([7.0, 7.0], abs=0.01)


def test_dead_letters_say_what_failed_and_why_the_latest_first(desk: Desk) -> None:
    first, second = _ended(desk, 1.0, fails=True), _ended(desk, 1.0, fails=True)
    with desk.database.write() as session:
        session.execute(update(Task).where(col(Task.job_id) == first).values(finished_at=db_now(-60.0)))
    _ended(desk, 1.0)
    with desk.database.read() as session:
        found = views.dead_letter_jobs(session)
        assert views.dead_letter_jobs(session, limit=1) == found[:1]
    assert [row.id for row in found] == [second, first]
    row = found[0]
    assert (row.task, row.queue, row.owner_id, row.filename) == ("probe", TRANSCODE, "ada", "clip.mp4")
    assert (row.error_code, row.last_error, row.attempts, row.max_attempts) == (
        "source_unreadable",
        "Not a video.",
        1,
        5,
    )
    assert row.created_at == desk.row(second).created_at
    assert row.failed_at == desk.task(row.task_id).finished_at


def test_depths_are_by_queue_and_status(desk: Desk) -> None:
    desk.planned(
        NewTask(name="encode", kind="encode"),
        NewTask(name="audio", kind="audio"),
        NewTask(name="words", kind="transcribe", queue=TRANSCRIBE),
    )
    desk.fail(desk.claim(), ChildFailed())
    with desk.database.read() as session:
        found = views.job_queue_stats(session)
        oldest = session.scalars(select(Task).where(col(Task.queue) == TRANSCRIBE)).one().created_at
    assert [(row.queue, row.status, row.count, row.avg_attempts) for row in found] == [
        (TRANSCODE, "completed", 1, 1.0),
        (TRANSCODE, "queued", 1, 0.0),
        (TRANSCODE, "retrying", 1, 1.0),
        (TRANSCRIBE, "queued", 1, 0.0),
    ]
    assert found[-1].oldest_at == oldest
    assert all(row.oldest_seconds >= 0 for row in found)


def test_the_monitor_shows_what_runs_the_longest_first(desk: Desk) -> None:
    desk.job()
    short = desk.job()
    claims = [desk.claim(worker="ada:1"), desk.claim(worker="ada:2")]
    desk.queue.heartbeat(claims[0], 0.25, "probing")
    with desk.database.write() as session:
        this = update(Task).where(col(Task.id) == claims[0].task_id)
        session.execute(this.values(started_at=db_now(-120.0), heartbeat_at=db_now(-5.0), progress_at=db_now(-60.0)))
    with desk.database.read() as session:
        found = views.running_jobs_monitor(session)
    assert [(row.id, row.task_id, row.worker) for row in found] == [
        (claims[0].job.id, claims[0].task_id, "ada:1"),
        (short, claims[1].task_id, "ada:2"),
    ]
    longest = found[0]
    assert (longest.stage, longest.progress, longest.attempts) == ("probing", 0.25, 1)
    ages = longest.running_seconds, longest.progress_age_seconds, longest.heartbeat_age_seconds
    assert 120 <= ages[0] < 3600
    assert 60 <= ages[1] < ages[0]
    assert 5 <= ages[2] < ages[1]


def test_stages_count_what_has_not_ended_the_most_crowded_first(desk: Desk) -> None:
    desk.planned(*(NewTask(name=f"encode-{number}", kind="encode") for number in range(4)))
    claims = [desk.claim(), desk.claim()]
    desk.queue.heartbeat(claims[0], 0.5, "encoding")
    desk.queue.heartbeat(claims[1], 0.25, "encoding")
    desk.claim()
    with desk.database.read() as session:
        found = views.stage_distribution(session)
    assert [(row.kind, row.stage, row.count, row.avg_progress) for row in found] == [
        ("encode", "encoding", 2, 0.375),
        ("encode", "claimed", 1, 0.0),
        ("encode", "queued", 1, 0.0),
    ]


@pytest.mark.parametrize("name", views.VIEWS)
def test_an_empty_queue_has_no_rows(desk: Desk, name: str) -> None:
    with desk.database.read() as session:
        assert views.VIEWS[name](session) == []


@pytest.mark.parametrize("name", views.VIEWS)
def test_the_columns_of_a_view_are_those_of_its_rows(migrated_postgres_url: str, name: str) -> None:
    database = Database(migrated_postgres_url)
    try:
        shown = {column["name"] for column in inspect(database.engine).get_columns(name)}
        rows = {"dead_letter_jobs": views.DeadLetter, "job_queue_stats": views.QueueDepth}
        rows |= {"running_jobs_monitor": views.RunningTask, "job_timing_stats": views.JobTiming}
        rows |= {"stage_distribution": views.StageDepth}
        assert shown == {field.name for field in fields(rows[name])}
    finally:
        database.close()


def test_psql_sees_what_the_functions_say(migrated_postgres_url: str) -> None:
    database = Database(migrated_postgres_url)
    try:
        desk = Desk(database)
        _ended(desk, 12.5)
        _ended(desk, 1.0, fails=True)
        with database.read() as session:
            shown = [dict(row) for row in session.execute(text("SELECT * FROM job_timing_stats")).mappings()]
            assert shown == [asdict(row) for row in views.job_timing_stats(session)]
            letters = session.execute(text("SELECT id, error_code FROM dead_letter_jobs LIMIT 10")).all()
            assert [tuple(row) for row in letters] == [
                (row.id, row.error_code) for row in views.dead_letter_jobs(session)
            ]
    finally:
        database.close()


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_lies_within_its_values_and_rises(values: list[float], fraction: float) -> None:
    assert min(values) <= percentile(values, fraction) <= max(values) * (1 + 1e-12)
    assert percentile(values, fraction / 2) <= percentile(values, fraction) * (1 + 1e-12)
