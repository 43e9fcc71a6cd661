"""Servers and clients for the tests of the SDK and the `mill` command."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from api.running import ADMIN_KEY, Gateway, serving
from client.scripted import JOB, Reply, ScriptedServer, job_view
from pydantic import SecretStr

from mill_client import Client
from mill_client.cli import main
from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.resources import open_resources
from mill_common.settings import Settings


@dataclass(frozen=True)
class Ran:
    """What a run of the `mill` command left."""

    code: int
    out: str
    err: str


Mill = Callable[..., Ran]
LIFE = (("queued", 0), ("processing", 50), ("completed", 100))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    with Client(server.url, "mill_test", timeout_s=5) as connected:
        yield connected


@pytest.fixture
def mill(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Mill:
    """Runs the `mill` command in this process against `server`."""
    monkeypatch.setenv("MILL_URL", server.url)
    monkeypatch.setenv("MILL_API_KEY", "mill_test")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["mill", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


@pytest.fixture
def clip(tmp_path: Path, server: ScriptedServer) -> str:
    """A file that `server` takes, makes a job of, and completes."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"film")
    upload = {"id": "u1", "filename": "clip.mp4", "size": 4, "sha256": hashlib.sha256(b"film").hexdigest()}
    server.on("POST", "/api/v1/uploads", Reply.of({**upload, "status": "complete"}, 201))
    server.on("POST", "/api/v1/jobs", Reply.of(job_view("queued", 0), 201))
    server.on("GET", JOB, *[Reply.of(job_view(*step)) for step in LIFE])
    return str(path)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """The real gateway."""
    settings = Settings(data_dir=tmp_path / "server", admin_key=SecretStr(ADMIN_KEY))
    with closing(Database(settings.database_url)) as database:
        migrate(database)
    with closing(open_resources(settings)) as resources, serving(resources) as running:
        yield running


@pytest.fixture
def admin(gateway: Gateway) -> Iterator[Client]:
    """Its operator."""
    with Client(gateway.url, ADMIN_KEY) as connected:
        yield connected


@pytest.fixture
def ada_key(admin: Client) -> str:
    """The key of somebody who has jobs there."""
    return admin.keys.create("ada's", owner="ada").key or ""


@pytest.fixture
def ada(gateway: Gateway, ada_key: str) -> Iterator[Client]:
    """Somebody who has jobs there."""
    with Client(gateway.url, ada_key) as connected:
        yield connected


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "Ärger & Co.mp4"
    path.write_bytes(b"moving pictures" * 1000)
    return path


@pytest.fixture
def homes(tmp_path: Path) -> dict[str, str]:
    """Folders of a user who has used nothing yet."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}
