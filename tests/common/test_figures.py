"""Figures that were added up are those of the rows, whatever the past was."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from random import Random

import pytest
from common.past import Past, Seen
from sqlalchemy import Float, func, literal, select
from sqlmodel import col

from mill_common.database import Database
from mill_common.figures import (
    Ended,
    Totals,
    attempt_totals,
    fold_attempts,
    forget_figures,
    job_counts,
    marks,
    recount,
    successes,
    task_counts,
    upload_bytes,
)
from mill_common.figures.marks import settled
from mill_common.figures.spans import pieces
from mill_common.histogram import bucket_of, percentile_ms
from mill_common.intervals import duration_bucket
from mill_common.models import Attempt, AttemptFigures, FiguresMark, Job, Outcome, Stock, Task, Upload
from mill_common.removal import remove_job, remove_jobs
from mill_common.runs.ledger import now

SEEDS = range(2)
STEPS = 40
FAR_S = 7200.0  # at most so long from one job to the next: days in all


def past(database: Database, seed: int) -> Past:
    """A past that begins so early that it is over by now."""
    with database.read() as session:
        at = now(session)
    return Past(database, Random(seed), at - timedelta(seconds=STEPS * FAR_S + 600))


def fold_all(database: Database, latest: datetime) -> None:
    """Add up everything before a time."""
    while fold_attempts(database, latest):
        pass


def by_rows(seen: Iterable[Seen], since: datetime) -> dict[Ended, list[Seen]]:
    """What ended since, as it was noted down."""
    found = defaultdict(list)
    for one in seen:
        if one.ended_at >= since:
            found[Ended(one.kind, one.outcome, one.code)].append(one)
    return found


def read_totals(database: Database, since: datetime) -> dict[Ended, Totals]:
    """As whoever asks for statistics reads them."""
    with database.snapshot() as session:
        return attempt_totals(session, since)


@pytest.mark.parametrize("seed", SEEDS)
def test_attempts_added_up_are_those_that_ended(database: Database, seed: int) -> None:
    then = past(database, seed)
    first = then.at
    for _ in range(STEPS):
        then.go_on(FAR_S)
        if then.random.random() < 0.2:
            fold_all(database, then.at - timedelta(seconds=then.random.uniform(0, 7200)))
        if then.random.random() < 0.2:
            since = (first + then.random.random() * (then.at - first)).replace(second=0, microsecond=0)
            found, expected = read_totals(database, since), by_rows(then.seen, since)
            assert {alike: totals.attempts for alike, totals in found.items()} == {
                alike: len(ones) for alike, ones in expected.items()
            }
            for alike, ones in expected.items():
                assert found[alike].took_s == pytest.approx(sum(one.took_s for one in ones), abs=0.01)
                assert found[alike].cpu_s == pytest.approx(sum(one.took_s for one in ones), abs=0.01)
                assert (found[alike].bytes_in, found[alike].bytes_out) == (3 * len(ones), 5 * len(ones))
                assert found[alike].durations.total() == len(ones)
    peaks = {alike: totals.peak_memory for alike, totals in read_totals(database, first.replace(second=0)).items()}
    numbers = by_rows(then.seen, first - timedelta(1))
    assert peaks == {alike: max(then.seen.index(one) + 1 for one in ones) for alike, ones in numbers.items()}
    with database.read() as session:
        assert {minutes for (minutes,) in session.execute(select(col(AttemptFigures.minutes)))} == {1, 60, 1440}


@pytest.mark.parametrize("seed", SEEDS)
def test_percentiles_of_what_was_added_up_are_right_to_five_per_cent(database: Database, seed: int) -> None:
    then = past(database, seed)
    first = then.at.replace(second=0, microsecond=0)
    for _ in range(STEPS):
        then.go_on(FAR_S)
    fold_all(database, then.at - timedelta(hours=1))
    for alike, ones in by_rows(then.seen, first).items():
        ordered = sorted(one.took_s for one in ones)
        for share in (0.5, 0.95):
            exact_ms = 1000 * ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
            assert percentile_ms(read_totals(database, first)[alike].durations, share) == pytest.approx(
                exact_ms, rel=0.05, abs=0.2
            )


@pytest.mark.parametrize("seed", SEEDS)
def test_successes_are_counted_in_their_part_of_the_time(database: Database, seed: int) -> None:
    then = past(database, seed)
    since = then.at.replace(second=0, microsecond=0)
    for _ in range(STEPS):
        then.go_on(FAR_S)
    for folded in (None, then.at - timedelta(hours=5), then.at):
        if folded:
            fold_all(database, folded)
        for minutes in (1, 7, 744):
            expected = Counter(
                int((one.ended_at - since) / timedelta(minutes=minutes))
                for one in then.seen
                if one.outcome is Outcome.COMPLETED
            )
            with database.snapshot() as session:
                assert successes(session, since, minutes) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_counted_is_what_there_is(database: Database, seed: int) -> None:
    then = past(database, seed)
    taken_off = 0
    for _ in range(STEPS):
        then.go_on(FAR_S)
        if then.random.random() < 0.2:
            recount(database, then.at - timedelta(seconds=then.random.uniform(0, 7200)))
        if then.random.random() < 0.3 and (job_id := then.some_job()):
            if then.random.random() < 0.5:
                database.run(partial(remove_job, job_id=job_id))
            else:
                assert list(database.run(partial(remove_jobs, job_ids=[job_id]))) == [job_id]
        with database.snapshot() as session:
            tasks = Counter((task.status, task.kind) for task in session.scalars(select(Task)))
            assert task_counts(session) == tasks
            assert {status: counted.jobs for status, counted in job_counts(session).items() if counted.jobs} == Counter(
                job.status for job in session.scalars(select(Job))
            )
            counts = job_counts(session).values()
            rows = session.scalar(select(func.count()).select_from(Job))
            assert (sum(counted.video_s for counted in counts), sum(counted.stored_bytes for counted in counts)) == (
                12.5 * (rows or 0),
                7 * (rows or 0),
            )
            assert upload_bytes(session) == session.scalar(select(func.sum(Upload.size)))
            taken_off += len(session.scalars(select(Stock).where(col(Stock.tasks) < 0)).all())
    assert taken_off, "jobs were deleted that had been counted"


def test_what_was_added_up_outlives_its_job(database: Database) -> None:
    then = past(database, 1)
    first = then.at.replace(second=0, microsecond=0)
    for _ in range(10):
        then.go_on(60.0)
    fold_all(database, then.at + timedelta(minutes=1))
    before = read_totals(database, first)
    while job_id := then.some_job():
        database.run(partial(remove_job, job_id=job_id))
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Attempt)) == 0
    assert read_totals(database, first) == before != {}


def test_several_who_add_up_at_once_add_up_once(database: Database) -> None:
    then = past(database, 2)
    first = then.at.replace(second=0, microsecond=0)
    for _ in range(30):
        then.go_on(1200.0)
    with ThreadPoolExecutor(4) as threads:
        for added in [threads.submit(fold_all, database, then.at) for _ in range(4)]:
            added.result()
    found = read_totals(database, first)
    expected = by_rows(then.seen, first)
    assert {alike: totals.attempts for alike, totals in found.items()} == {
        alike: len(ones) for alike, ones in expected.items()
    }


def test_what_nobody_may_ask_for_is_forgotten(database: Database) -> None:
    with database.write() as session:
        at = now(session).replace(second=0, microsecond=0)
        for days in (32, 34):
            session.add(
                AttemptFigures(
                    minutes=1,
                    begins_at=at - timedelta(days=days),
                    kind="probe",
                    outcome=Outcome.COMPLETED,
                    error_code="",
                    durations={},
                    **dict.fromkeys(("attempts", "took_s", "cpu_s", "peak_memory", "bytes_in", "bytes_out"), 1),
                )
            )
    assert database.run(forget_figures) == 1
    with database.read() as session:
        assert session.scalars(select(col(AttemptFigures.begins_at))).all() == [at - timedelta(days=32)]


def test_what_is_not_committed_yet_is_not_passed_by(
    migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that takes long may commit later than many that began after it."""
    monkeypatch.setattr(marks, "MARGIN_S", -3600.0)
    with closing(Database(migrated_postgres_url)) as slow, closing(Database(migrated_postgres_url)) as quick:
        with slow.write() as writing:
            writing.add(FiguresMark(name="of another", at=now(writing)))
            writing.flush()
            with quick.read() as session:
                began = now(session)
                assert settled(session) <= began
        with quick.read() as session:
            assert settled(session) > began


def test_a_time_is_filled_with_the_longest_spans() -> None:
    since, until = datetime.fromisoformat("2026-03-01T22:58:00Z"), datetime.fromisoformat("2026-03-04T01:02:00Z")
    found = [
        (piece.minutes, (piece.until - piece.since) / timedelta(minutes=piece.minutes))
        for piece in pieces(since, until)
    ]
    assert found == [(1, 2), (60, 1), (1440, 2), (60, 1), (1, 2)]


def test_the_database_finds_the_bucket_that_the_program_finds(database: Database) -> None:
    lengths = [-1.0, 0.0, 0.00005, 0.0001, 0.00012, 0.5, 3.0, 59.9, 3600.0, 86400.0, 1e9]
    with database.read() as session:
        found = [session.scalar(select(duration_bucket(literal(length, Float)))) for length in lengths]
    assert found == [bucket_of(length) for length in lengths]
