"""Each check turns red when what it looks at is really broken, and green again. Requirements A14, J14, P4."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from traceback import walk_stack
from types import MappingProxyType
from typing import Any, cast

import pytest
import redis
from servers import S3, Postgres, Redis
from waiting import wait_for

from mill_common.database import Database
from mill_common.errors import StorageUnavailable
from mill_common.health.broker import broker_finding
from mill_common.health.checkup import Checkup
from mill_common.health.database import database_finding
from mill_common.health.log_files import log_files_finding
from mill_common.health.machine import machine_finding
from mill_common.health.readiness import Readiness
from mill_common.health.report import Check, Finding, Report, Result, Status
from mill_common.health.scratch import scratch_finding
from mill_common.health.storage import storage_finding
from mill_common.health.thresholds import Thresholds
from mill_common.machine import CpuMeter
from mill_common.migrations import migrate
from mill_common.resources import open_resources
from mill_common.settings import Settings
from mill_common.storage import open_store
from mill_transcoder.tools import ffmpeg_finding, packager_finding
from mill_transcriber.models import DEMO_MODEL, locate
from mill_transcriber.tools import model_finding

USUAL = Thresholds()
HEALTHY = Finding(status=Status.HEALTHY, message="well")


def _look(look: Callable[[], Finding]) -> Result:
    [result] = Checkup([Check("it", look)], limit_s=30, keep_s=0).report().checks
    return result


def _status(look: Callable[[], Finding]) -> Status:
    return _look(look).status


def test_a_stopped_postgres_is_critical_until_it_is_back() -> None:
    with Postgres() as server, closing(Database(server.url)) as database:
        migrate(database)
        healthy = _look(lambda: database_finding(database, USUAL))
        assert healthy.status is Status.HEALTHY, healthy
        assert healthy.details["pool"]["limit"] == 20
        assert healthy.details["connections"]["max"] == 200
        assert healthy.details["replicas"] == []
        server.stop()
        assert _status(lambda: database_finding(database, USUAL)) is Status.CRITICAL
        server.start()
        assert _status(lambda: database_finding(database, USUAL)) is Status.HEALTHY


def test_a_pool_that_is_nearly_used_up_is_a_warning(database: Database) -> None:
    limit = 20
    with closing(Database(database.engine.url.render_as_string(hide_password=False))) as busy:
        held = [busy.engine.connect() for _ in range(limit - 3)]
        found = database_finding(busy, USUAL)
        assert (found.status, found.details["pool"]["in_use"]) == (Status.WARNING, limit - 3)
        for connection in held:
            connection.close()
        assert database_finding(busy, USUAL).status is Status.HEALTHY


def test_a_schema_of_another_version_is_critical(empty_database: Database) -> None:
    found = database_finding(empty_database, USUAL)
    assert (found.status, "mill migrate" in found.message) == (Status.CRITICAL, True)
    migrate(empty_database)
    assert database_finding(empty_database, USUAL).status is Status.HEALTHY


def test_a_stopped_redis_is_critical_until_it_is_back() -> None:
    with Redis() as server:
        healthy = _look(lambda: broker_finding(server.url, USUAL))
        assert healthy.status is Status.HEALTHY
        assert healthy.details["memory"]["used_bytes"] > 0
        assert healthy.details["persistence"]["append_only_file"] is False
        server.stop()
        assert _status(lambda: broker_finding(server.url, USUAL)) is Status.CRITICAL
        server.start()
        assert _status(lambda: broker_finding(server.url, USUAL)) is Status.HEALTHY


def test_a_redis_that_is_nearly_full_says_so() -> None:
    with Redis() as server, closing(redis.Redis.from_url(server.url)) as client:
        used = client.info("memory")["used_memory"]
        client.config_set("maxmemory", int(used * 1.1))
        assert broker_finding(server.url, USUAL).status in (Status.WARNING, Status.CRITICAL)
        client.config_set("maxmemory", 0)
        assert broker_finding(server.url, USUAL).status is Status.HEALTHY


def test_a_redis_that_cannot_write_its_snapshot_is_degraded() -> None:
    with Redis() as server, closing(redis.Redis.from_url(server.url)) as client:
        client.config_set("stop-writes-on-bgsave-error", "no")
        (server.folder / "dump.rdb").mkdir()  # nothing can be renamed to that
        with suppress(redis.RedisError):
            client.bgsave()
        wait_for(lambda: client.info("persistence")["rdb_last_bgsave_status"] != "ok")
        assert broker_finding(server.url, USUAL).status is Status.DEGRADED
        (server.folder / "dump.rdb").rmdir()
        client.bgsave()
        wait_for(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "ok")
        assert broker_finding(server.url, USUAL).status is Status.HEALTHY


def test_a_wrong_storage_key_is_critical_and_the_right_one_is_not(s3: S3, s3_url: str, tmp_path: Path) -> None:
    wrong = s3_url.replace("tester:testing@", "tester:wrong@").replace("%3Atester:testing@", "%3Atester:wrong@")
    assert wrong != s3_url
    red = open_store(Settings(data_dir=tmp_path, storage_url=wrong))
    green = open_store(Settings(data_dir=tmp_path, storage_url=s3_url))
    assert _status(lambda: storage_finding(red)) is Status.CRITICAL
    assert _status(lambda: storage_finding(green)) is Status.HEALTHY


def test_a_stopped_object_store_is_critical_until_it_is_back(tmp_path: Path) -> None:
    with S3() as server, server.bucket() as url:
        store = open_store(Settings(data_dir=tmp_path, storage_url=url))
        assert _status(lambda: storage_finding(store)) is Status.HEALTHY
        server.stop()
        assert _status(lambda: storage_finding(store)) is Status.CRITICAL
        server.start()
        assert _status(lambda: storage_finding(store)) is Status.HEALTHY


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_scratch_disk_is_critical_until_there_is_room(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    with _small_disk(folder):
        assert scratch_finding(folder, enough=1024).status is Status.HEALTHY
        ballast = folder / "ballast"
        with suppress(OSError):
            ballast.write_bytes(b"x" * 2**20)
        found = scratch_finding(folder, enough=0)
        assert (found.status, found.message) == (
            Status.CRITICAL,
            "scratch space cannot be used: No space left on device",
        )
        ballast.unlink()
        assert scratch_finding(folder, enough=1024).status is Status.HEALTHY


def test_scratch_space_that_is_too_short_for_a_task_is_critical(tmp_path: Path) -> None:
    assert scratch_finding(tmp_path, enough=2**60).status is Status.CRITICAL
    assert scratch_finding(tmp_path, enough=1).status is Status.HEALTHY


def test_a_file_that_was_left_for_a_day_is_a_warning(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.write_text("x")
    os.utime(left, (0, 0))
    assert scratch_finding(tmp_path, enough=1).details["files_older_than_24_hours"] == 1
    assert scratch_finding(tmp_path, enough=1).status is Status.WARNING
    left.unlink()
    assert scratch_finding(tmp_path, enough=1).status is Status.HEALTHY


def test_an_ffmpeg_that_is_gone_is_critical_until_it_is_back(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    real = ffmpeg_finding(Settings(data_dir=tmp_path)).details["program"]
    program.symlink_to(real)
    settings = Settings(data_dir=tmp_path, ffmpeg=program, ffprobe=Path(str(real).replace("ffmpeg", "ffprobe")))
    assert _status(lambda: ffmpeg_finding(settings)) is Status.HEALTHY
    program.unlink()
    assert _status(lambda: ffmpeg_finding(settings)) is Status.CRITICAL
    program.symlink_to(real)
    assert _status(lambda: ffmpeg_finding(settings)) is Status.HEALTHY


def test_an_ffmpeg_that_cannot_encode_is_critical(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/sh\n[ "$1" = -version ] || { echo "Unknown encoder" >&2; exit 1; }\n')
    program.chmod(0o755)
    settings = Settings(data_dir=tmp_path, ffmpeg=program, ffprobe=Path("/bin/true"))
    found = _look(lambda: ffmpeg_finding(settings))
    assert (found.status, "Unknown encoder" in found.message) == (Status.CRITICAL, True)


def test_a_packager_that_does_not_run_is_critical(tmp_path: Path) -> None:
    assert _status(lambda: packager_finding(Settings(data_dir=tmp_path))) is Status.HEALTHY
    broken = Settings(data_dir=tmp_path, packager=Path("/bin/false"))
    assert _status(lambda: packager_finding(broken)) is Status.CRITICAL


def test_a_model_that_is_gone_is_critical_until_it_is_back(tmp_path: Path) -> None:
    shipped = Path(locate(DEMO_MODEL))
    folder = tmp_path / "model"
    settings = Settings(data_dir=tmp_path, whisper_model=str(folder))
    assert _status(lambda: model_finding(settings)) is Status.CRITICAL
    folder.symlink_to(shipped)
    assert _status(lambda: model_finding(settings)) is Status.HEALTHY
    folder.unlink()
    assert _status(lambda: model_finding(settings)) is Status.CRITICAL


def test_a_full_machine_is_judged_by_its_thresholds(tmp_path: Path) -> None:
    """Requirement P7: the thresholds are settings."""
    meter = CpuMeter()
    strict = Thresholds.of(Settings(data_dir=tmp_path, health_warning_percent=0.001, health_critical_percent=0.002))
    lenient = Thresholds(warning=101.0, critical=101.0)  # the tests themselves may keep every core busy
    assert machine_finding(meter, tmp_path, strict).status is Status.CRITICAL
    assert machine_finding(meter, tmp_path, lenient).status is Status.HEALTHY


def test_a_meter_that_is_asked_too_soon_measures_nothing() -> None:
    ready, patient = CpuMeter(), CpuMeter(least_s=3600.0)
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    assert (ready.percent() > 0.0, patient.percent()) == (True, 0.0)


def test_storage_that_is_down_is_asked_once_for_all_who_wait(tmp_path: Path) -> None:
    let_go, asked = threading.Event(), []

    class Down:
        def check(self) -> None:
            asked.append(1)
            let_go.wait()
            raise StorageUnavailable

    with closing(open_resources(Settings(data_dir=tmp_path))) as opened:
        migrate(opened.database)
        readiness = Readiness(replace(opened, store=cast("Any", Down())))
        with ThreadPoolExecutor(5) as threads:
            first = threads.submit(readiness.fault)
            wait_for(lambda: asked)
            others = [threads.submit(readiness.fault) for _ in range(4)]
            wait_for(lambda: _how_many_are_in(Readiness._check_store) == 5)
            time.sleep(0.05)  # from the first line there to the lock
            let_go.set()
            assert {answer.result() for answer in [first, *others]} == {"Storage does not answer."}
    assert len(asked) == 1


def _how_many_are_in(function: Any) -> int:
    """Threads that are in a function, or in what it calls."""
    stacks = (walk_stack(frame) for frame in sys._current_frames().values())
    return sum(any(frame.f_code is function.__code__ for frame, _ in stack) for stack in stacks)


def test_log_files_are_looked_at_where_there_are_any(tmp_path: Path) -> None:
    assert log_files_finding(Settings(data_dir=tmp_path)).status is Status.HEALTHY
    settings = Settings(data_dir=tmp_path, log_dir=tmp_path / "logs")
    assert log_files_finding(settings).status is Status.CRITICAL
    (tmp_path / "logs").mkdir()
    assert log_files_finding(settings).status is Status.HEALTHY
    with (tmp_path / "logs" / "errors.log").open("wb") as sparse:
        sparse.truncate(30 * 2**20)
    found = log_files_finding(settings)
    assert (found.status, found.message) == (Status.WARNING, "not turned over: errors.log")


def test_a_look_that_hangs_is_critical_and_is_not_asked_twice() -> None:
    let_go = threading.Event()
    asked: list[int] = []

    def hang() -> Finding:
        asked.append(1)
        let_go.wait()
        return HEALTHY

    checkup = Checkup([Check("slow", hang), Check("quick", lambda: HEALTHY)], limit_s=0.05, keep_s=0)
    for _ in range(3):
        report = checkup.report()
        assert [check.status for check in report.checks] == [Status.CRITICAL, Status.HEALTHY]
    assert len(asked) == 1
    let_go.set()
    wait_for(lambda: checkup.report().checks[0].status is Status.HEALTHY)


def test_looks_are_taken_all_at_once() -> None:
    together = threading.Barrier(4)

    def meet() -> Finding:
        together.wait(60)
        return HEALTHY

    report = Checkup([Check(str(number), meet) for number in range(4)], limit_s=60).report()
    assert report.overall_status is Status.HEALTHY


def test_a_report_is_kept_and_those_who_ask_at_once_share_one() -> None:
    looks: list[int] = []

    def look() -> Finding:
        looks.append(1)
        return HEALTHY

    checkup = Checkup([Check("it", look)], keep_s=3600)
    reports: list[Report] = []
    threads = [threading.Thread(target=lambda: reports.append(checkup.report())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(looks), len(reports), len({id(report) for report in reports})) == (1, 8, 1)
    checkup.report(fresh=True)
    assert len(looks) == 2


@pytest.mark.parametrize(
    ("found", "overall"),
    [
        ({}, "healthy"),
        ({"redis": "warning"}, "warning"),
        ({"redis": "degraded", "database": "warning"}, "degraded"),
        ({"redis": "critical"}, "degraded"),
        ({"database": "critical"}, "critical"),
    ],
)
def test_only_what_nothing_works_without_takes_the_whole_down(found: dict[str, str], overall: str) -> None:
    statuses = MappingProxyType({"database": "healthy", "redis": "healthy"} | found)

    def look(component: str) -> Callable[[], Finding]:
        return lambda: Finding(status=Status(statuses[component]), message="")

    checks = [Check(name, look(name), essential=name == "database") for name in statuses]
    assert Checkup(checks).report().overall_status == overall


def test_a_secret_in_an_error_does_not_reach_the_report() -> None:
    def look() -> Finding:
        raise RuntimeError("postgresql://mill:s3cr3t@db/mill")

    found = _look(look)
    assert (found.status, found.message) == (Status.CRITICAL, "RuntimeError")
