"""The four services as processes of their own, on real PostgreSQL, Redis and S3."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from waiting import WAIT_S, wait_for

from mill_client import Client, JobStatus, MillClientError
from mill_common.database import Database
from mill_common.migrations import migrate
from mill_standalone.demo import SAMPLE

KEY = "an-admin-key-for-tests"
SPOKEN = (SAMPLE.parent / "digits.txt").read_text().split()


@pytest.fixture
def client(postgres_url: str, redis_url: str, s3_url: str, tmp_path: Path) -> Iterator[Client]:
    """A client of four running services."""
    database = Database(postgres_url)
    migrate(database)
    database.close()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
    environment = {
        **kept,
        "MILL_DATABASE_URL": postgres_url,
        "MILL_BROKER_URL": redis_url,
        "MILL_STORAGE_URL": s3_url,
        "MILL_ADMIN_KEY": KEY,
        "MILL_SIGNING_KEY": "a-signing-key-for-tests-0123456789",
        "MILL_WHISPER_MODEL": "tiny-digits",
    }
    modules = [["mill_api", "--port", str(port)], ["mill_transcoder"], ["mill_transcriber"], ["mill_watchdog"]]
    processes = [
        # Nothing is shared on disk: each service has a data folder of its own.
        subprocess.Popen(
            [sys.executable, "-m", *module],
            env={**environment, "MILL_DATA_DIR": str(tmp_path / module[0])},
            stdin=subprocess.DEVNULL,
        )
        for module in modules
    ]
    try:
        with Client(f"http://127.0.0.1:{port}", KEY) as client:
            wait_for(lambda: _ready(client))
            yield client
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(WAIT_S) for process in processes]
    assert codes == [0, 0, 0, 0]


def _ready(client: Client) -> bool:
    try:
        client.check_ready()
    except MillClientError:
        return False
    return True


@pytest.mark.slow
def test_a_video_becomes_every_output(client: Client, tmp_path: Path) -> None:
    job = client.jobs.wait(client.submit(SAMPLE).job_id, timeout_s=WAIT_S)

    assert job.status is JobStatus.COMPLETED
    client.download(job.job_id, tmp_path / "out")
    assert (tmp_path / "out" / "transcript.txt").read_text().split() == SPOKEN
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {"360p.mp4", "720p.mp4", "audio.mp3", "hls/master.m3u8", "thumbnails/poster.jpg"} <= found


@pytest.mark.slow
def test_every_service_says_how_its_host_is(client: Client) -> None:
    """P6: the rules about hosts and the time series go by the samples of all four."""

    def said() -> set[str]:
        answer = httpx.get(f"{client.url}/api/v1/monitoring/metrics/system", headers={"X-API-Key": KEY}, timeout=30)
        return {series["service"] for series in answer.json()["series"]}

    wait_for(lambda: said() == {"api", "transcoder", "transcriber", "watchdog"})
