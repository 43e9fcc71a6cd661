"""`mill up`: what a crash, a stop and a cancellation leave of a job."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from standalone.running import KEY, MILL, MillProcess
from waiting import wait_for

from mill_client import Job, JobSpec, JobStatus
from mill_common.settings import Settings
from mill_common.storage import open_store

MillUp = Callable[..., MillProcess]
SLOW = {"MILL_ENCODE_PRESET": "veryslow"}
NO_TRANSCRIPT = JobSpec(transcript=None)


def test_a_killed_server_goes_on_where_it_was(mill_up: MillUp, long_video: Path, tmp_path: Path) -> None:
    mill = mill_up(**SLOW)
    job = _submit(mill, long_video)
    encoder = _await_encoder(mill, job)
    mill.kill()
    wait_for(lambda: not encoder.is_running() or encoder.status() == psutil.STATUS_ZOMBIE)

    again = mill_up()
    ended = again.client.jobs.wait(job.job_id, timeout_s=240)

    assert ended.status is JobStatus.COMPLETED
    epochs = dict(_rows(tmp_path, "SELECT name, epoch FROM task"))
    assert epochs == {"probe": 1, "audio": 1, "encode-000": 2, "package": 1, "thumbnails": 1, "publish": 1}
    # Each output belongs to the one epoch that completed its task, and to no other.
    published = _rows(
        tmp_path, "SELECT o.epoch, t.epoch, o.name FROM output o JOIN task t ON t.id = o.task_id WHERE NOT intermediate"
    )
    assert published
    assert all(made == completed for made, completed, _ in published)
    assert _rows(tmp_path, "SELECT outcome FROM attempt WHERE outcome != 'completed'") == [("lease_expired",)]


def test_nothing_but_the_outputs_and_the_source_is_left_in_storage(
    mill_up: MillUp, long_video: Path, tmp_path: Path
) -> None:
    mill = mill_up(**SLOW)
    job = _submit(mill, long_video)
    _await_encoder(mill, job)
    mill.kill()
    again = mill_up()
    again.client.jobs.wait(job.job_id, timeout_s=240)
    listed = {file.name for file in again.client.jobs.outputs(job.job_id)}
    again.stop()

    store = open_store(Settings(data_dir=tmp_path / "data"))
    prefix = f"jobs/{job.job_id}/"
    stored = [stat.key.removeprefix(prefix).partition("/")[2] for stat in store.list(prefix)]
    assert sorted(stored) == sorted(listed)
    assert not list((tmp_path / "data" / "scratch").glob("*"))


def test_a_stopped_server_hands_its_task_back_without_counting_the_attempt(
    mill_up: MillUp, long_video: Path, tmp_path: Path
) -> None:
    mill = mill_up(**SLOW)
    job = _submit(mill, long_video)
    encoder = _await_encoder(mill, job)
    assert mill.stop() == 0
    assert not encoder.is_running()
    assert _rows(tmp_path, "SELECT status, attempts FROM task WHERE kind = 'encode'") == [("queued", 0)]

    again = mill_up()
    assert again.client.jobs.wait(job.job_id, timeout_s=240).status is JobStatus.COMPLETED


def test_a_cancelled_job_stops_its_encoder(mill_up: MillUp, long_video: Path, tmp_path: Path) -> None:
    mill = mill_up(**SLOW)
    job = _submit(mill, long_video)
    encoder = _await_encoder(mill, job)
    mill.client.jobs.cancel(job.job_id)

    wait_for(lambda: not encoder.is_running())
    wait_for(lambda: _rows(tmp_path, "SELECT 1 FROM task WHERE status = 'running'") == [])
    assert mill.client.jobs.get(job.job_id).status is JobStatus.CANCELLED


def test_two_servers_never_share_a_data_folder(mill_up: MillUp, tmp_path: Path) -> None:
    mill_up()
    command = [str(MILL), "up", "--port", "0", "--data", str(tmp_path / "data")]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 1
    assert "Another `mill up` uses" in second.stderr


def test_a_port_in_use_is_a_plain_sentence(mill_up: MillUp, tmp_path: Path) -> None:
    mill = mill_up()
    port = mill.url.rpartition(":")[2]
    command = [str(MILL), "up", "--port", port, "--data", str(tmp_path / "other")]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in second.stderr
    assert "Traceback" not in second.stderr


def test_no_secret_reaches_the_log(mill_up: MillUp, long_video: Path) -> None:
    mill = mill_up()
    job = _submit(mill, long_video)
    mill.client.jobs.cancel(job.job_id)
    mill.stop()
    log = mill.log.read_text()
    assert job.job_id in log
    assert KEY not in log


def _submit(mill: MillProcess, video: Path) -> Job:
    return mill.client.submit(video, spec=NO_TRANSCRIPT)


def _await_encoder(mill: MillProcess, job: Job) -> psutil.Process:
    """The ffmpeg that encodes, once the job says that it encodes."""
    wait_for(lambda: mill.client.jobs.get(job.job_id).progress.current_task == "encode-000")
    found: psutil.Process = wait_for(lambda: next(iter(_encoders(mill)), None))
    return found


def _encoders(mill: MillProcess) -> list[psutil.Process]:
    children = psutil.Process(mill.process.pid).children(recursive=True)
    return [child for child in children if "ffmpeg" in child.name()]


def _rows(tmp_path: Path, query: str) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(tmp_path / "data" / "mill.db")
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()
