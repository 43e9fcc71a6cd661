"""Samples of machines over time, and a log level that changes while a process runs. Requirements P5, P6."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from sqlmodel import col

from mill_common.database import Database
from mill_common.models import SystemSample
from mill_common.runtime_settings import LOG_LEVEL, LogLevel, choose, chosen
from mill_common.samples import Sampler, forget_samples, sample_history, step_s
from mill_common.settings import Settings


def _sample(database: Database, *, minutes_ago: float, cpu: float, service: str = "transcoder") -> None:
    values = {
        "taken_at": datetime.now(UTC) - timedelta(minutes=minutes_ago),
        "service": service,
        "host": "h",
        "pid": 1,
        "cpu_percent": cpu,
        "memory_percent": 50.0,
        "disk_percent": 60.0,
        "active_tasks": 2,
        "scratch_bytes": 1000,
    }
    with database.write() as session:
        session.execute(insert(SystemSample).values(**values))


def test_a_process_samples_its_machine(database: Database, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    settings.scratch.mkdir()
    (settings.scratch / "clip").write_bytes(b"x" * 5000)
    sampler = Sampler(database, settings, "transcoder", lambda: 3)
    sampler.sample()
    sampler.sample()
    sampler.write()
    with database.read() as session:
        [series] = sample_history(session, hours=1, step=3600)
    assert series.service == "transcoder"
    assert {(point.active_tasks, point.scratch_bytes) for point in series.points} == {(3.0, 5000)}
    assert all(0 < point.memory_percent < 100 for point in series.points)
    assert all(0 <= point.cpu_percent <= 100 for point in series.points)


def test_samples_wait_for_a_database_that_is_gone(database: Database, tmp_path: Path) -> None:
    sampler = Sampler(database, Settings(data_dir=tmp_path), "api", lambda: 0)
    sampler.sample()
    for _ in range(3):
        sampler.sample()
    with database.read() as session:
        assert (
            session.scalar(select(func.count()).select_from(SystemSample)) == 1
        )  # the others are written together, a minute later
    sampler.write()
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(SystemSample)) == 4


def test_a_sample_that_waited_stands_at_the_databases_time_of_when_it_was_taken(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules go by samples, and a machine's clock may be wrong."""
    sampler = Sampler(database, Settings(data_dir=tmp_path), "api", lambda: 0)
    sampler.sample()
    sampler.sample()
    later = time.monotonic() + 600.0
    monkeypatch.setattr("mill_common.samples.sampler.time.monotonic", lambda: later)
    sampler.write()
    with database.read() as session:
        waited, written_at_once = session.scalars(select(SystemSample).order_by(col(SystemSample.taken_at))).all()
    assert 540.0 < (written_at_once.taken_at - waited.taken_at).total_seconds() < 660.0


def test_a_point_is_the_mean_of_its_step_and_each_process_has_its_own(database: Database) -> None:
    for minutes_ago, cpu in ((1.0, 10.0), (1.01, 30.0), (30.0, 90.0), (600.0, 99.0)):
        _sample(database, minutes_ago=minutes_ago, cpu=cpu)
    _sample(database, minutes_ago=1.0, cpu=5.0, service="api")
    with database.read() as session:
        everything = sample_history(session, hours=1, step=86_400 * 365 * 100)
        transcoders = sample_history(session, hours=1, step=1, service="transcoder")
    assert [(series.service, [point.cpu_percent for point in series.points]) for series in everything] == [
        ("api", [5.0]),
        ("transcoder", [43.3]),
    ]
    [series] = transcoders
    assert [point.at for point in series.points] == sorted(point.at for point in series.points)
    assert series.points[0].cpu_percent == 90.0


def test_a_day_and_a_month_have_as_many_points() -> None:
    assert step_s(24, 30.0) == 300
    assert step_s(24 * 30, 30.0) == 9000
    assert step_s(1, 30.0) == 30


def test_old_samples_go(database: Database) -> None:
    """Requirement P6: kept for as long as the settings say."""
    _sample(database, minutes_ago=1.0, cpu=1.0)
    _sample(database, minutes_ago=25 * 60.0, cpu=1.0)
    with database.write() as session:
        assert forget_samples(session, keep_hours=24) == 1
        assert forget_samples(session, keep_hours=24) == 0


def test_a_process_follows_the_level_that_was_chosen_and_goes_back_to_its_own(database: Database) -> None:
    root = logging.getLogger()
    before = root.level
    follower = LogLevel(database, "WARNING")
    try:
        database.run(lambda session: choose(session, LOG_LEVEL, "DEBUG"))
        follower.follow()
        assert root.level == logging.DEBUG
        database.run(lambda session: choose(session, LOG_LEVEL, "ERROR"))
        follower.follow()
        assert root.level == logging.ERROR
        database.run(lambda session: choose(session, LOG_LEVEL, None))
        follower.follow()
        assert root.level == logging.WARNING
        with database.read() as session:
            assert chosen(session, LOG_LEVEL) is None
    finally:
        root.setLevel(before)
        for name in ("dramatiq", "urllib3", "httpx", "httpcore", "alembic", "faster_whisper", "uvicorn.access"):
            logging.getLogger(name).setLevel(logging.NOTSET)
