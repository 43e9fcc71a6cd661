from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from api.running import ADMIN_KEY
from server_process import free_port

from mill_common.settings import Settings

Process = subprocess.Popen[str]


def command(data_dir: Path, port: int) -> Process:
    """The gateway as a process of its own."""
    environment = {**os.environ, "MILL_DATA_DIR": str(data_dir), "MILL_ADMIN_KEY": ADMIN_KEY}
    argv = [sys.executable, "-m", "mill_api", "--port", str(port)]
    return subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def running(settings: Settings) -> Iterator[tuple[Process, str]]:
    """A gateway process on a migrated database, and its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with command(settings.data_dir, port) as process:
        try:
            while True:
                assert process.poll() is None
                try:
                    httpx.get(f"{url}/readyz").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.05)
            yield process, url
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_gateway_well_and_no_secret_was_logged(
    running: tuple[Process, str], number: signal.Signals
) -> None:
    process, url = running
    with httpx.Client(base_url=url, headers={"X-API-Key": ADMIN_KEY}) as admin:
        begun = admin.post("/api/v1/uploads/direct", json={"filename": "a.mp4", "size": 1}).json()
        assert httpx.put(url + begun["url"], content=b"x").status_code == 200
        assert admin.get(f"/stream/{begun['id']}/123.a-secret-token/master.m3u8").status_code == 403
    process.send_signal(number)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert "/api/v1/uploads/direct" in log
    signature = begun["url"].partition("signature=")[2]
    for secret in (ADMIN_KEY, signature, "a-secret-token"):
        assert secret not in log


def test_a_gateway_does_not_start_on_an_outdated_schema(tmp_path: Path) -> None:
    with command(tmp_path / "empty", free_port()) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "mill migrate" in told
