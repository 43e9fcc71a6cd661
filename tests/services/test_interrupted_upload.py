"""An upload outlives the gateway that takes it. `MILL_TEST_UPLOAD_MIB` says how large it is."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from random import Random

import httpx
import psutil
import pytest
from server_process import free_port
from waiting import WAIT_S, wait_for

from mill_common.database import Database
from mill_common.migrations import migrate

KEY = "an-admin-key-for-tests"
TUS = {"Tus-Resumable": "1.0.0"}
SIZE = int(os.environ.get("MILL_TEST_UPLOAD_MIB", "48")) * 2**20 + 4321
BLOCK = 2**20
KILLS = 3


class Gateway:
    """A gateway process on a port of its own, killed and started again at will."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.port = free_port()
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self.most_memory = 0  # bytes resident

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mill_api", "--port", str(self.port)],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._answers)

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def weigh(self) -> None:
        """Look at its memory."""
        if self._process is not None:
            with suppress(psutil.NoSuchProcess):
                self.most_memory = max(self.most_memory, psutil.Process(self._process.pid).memory_info().rss)

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}/livez").status_code == 200
        return False


@pytest.fixture(params=["one machine", "many machines"])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gateway]:
    """A running gateway on SQLite and files, then on PostgreSQL and S3."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
    environment = {**kept, "MILL_ADMIN_KEY": KEY, "MILL_DATA_DIR": str(tmp_path)}
    url = f"sqlite:///{tmp_path}/mill.db"
    if request.param == "many machines":
        url = request.getfixturevalue("postgres_url")
        environment |= {"MILL_DATABASE_URL": url, "MILL_STORAGE_URL": request.getfixturevalue("s3_url")}
    database = Database(url)
    migrate(database)
    database.close()
    gateway = Gateway(environment)
    gateway.start()
    yield gateway
    gateway.kill()


def content(start: int) -> Iterator[bytes]:
    """The source's bytes from `start`, in blocks; never the whole at once."""
    at = start
    while at < SIZE:
        block = Random(at // BLOCK).randbytes(BLOCK)[at % BLOCK : SIZE - at // BLOCK * BLOCK]
        yield block
        at += len(block)


def digest() -> str:
    """SHA-256 of the source."""
    whole = hashlib.sha256()
    for block in content(0):
        whole.update(block)
    return whole.hexdigest()


class Upload:
    """A client that goes on wherever the server is."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{gateway.port}", headers={"X-API-Key": KEY, **TUS}, timeout=WAIT_S
        )
        begun = self.client.post("/api/v1/uploads/tus", headers={"Upload-Length": str(SIZE)})
        self.at = begun.headers["location"]
        self.id = self.at.rpartition("/")[2]

    def offset(self) -> int:
        """How much the server has acknowledged."""
        return int(self.client.head(self.at).headers["upload-offset"])

    def send(self, kill_at: int | None = None) -> int | None:
        """Go on from where it is; the answer's status, or None if the gateway was killed on the way."""
        offset = self.offset()
        headers = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
        with suppress(httpx.TransportError):
            body = self._watched(offset, kill_at)
            return self.client.patch(self.at, content=body, headers=headers).status_code
        return None

    def _watched(self, offset: int, kill_at: int | None) -> Iterator[bytes]:
        sent = offset
        for block in content(offset):
            if kill_at is not None and sent >= kill_at:
                self.gateway.kill()
                kill_at = None
            yield block
            sent += len(block)
            self.gateway.weigh()


def _killed(upload: Upload, at: int) -> bool:
    """Whether the gateway was killed as it took what lies there. Until a dead one's hold ends, nothing is taken."""
    upload.send(kill_at=at)
    return not upload.gateway.alive


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_an_upload_whose_gateway_is_killed_three_times_arrives_whole(gateway: Gateway) -> None:
    upload = Upload(gateway)
    offsets = [0]
    with closing(upload.client):
        for kill in range(1, KILLS + 1):
            wait_for(partial(_killed, upload, SIZE * kill // (KILLS + 1)))
            gateway.start()
            offsets.append(upload.offset())
        assert offsets == sorted(offsets), "what was acknowledged is here to stay"
        assert offsets[-1] > 0
        wait_for(lambda: upload.send() == 204)

        view = upload.client.get(f"/api/v1/uploads/{upload.id}").json()
        assert (view["status"], view["size"], view["sha256"]) == ("complete", SIZE, digest())
        job = upload.client.post("/api/v1/jobs", json={"source": {"upload_id": upload.id}})
        assert job.status_code == 201
    assert gateway.most_memory < 400 * 2**20
    print(f"{SIZE} bytes, offsets {offsets}, at most {gateway.most_memory // 2**20} MiB resident")
