"""`mill doctor` and `mill migrate` on this machine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from standalone.running import KEY, MILL, MillProcess


def _mill(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
    environment = {**kept, "MILL_WHISPER_MODEL": "tiny-digits", "MILL_URL": "http://127.0.0.1:9", **settings}
    command = [str(MILL), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def _checks(folder: Path, **settings: str) -> dict[str, dict[str, str]]:
    done = _mill(folder, "doctor", "--json", "--data", str(folder / "data"), **settings)
    return {check["name"]: check for check in map(json.loads, done.stdout.splitlines())}


def test_looking_makes_nothing(tmp_path: Path) -> None:
    checks = _checks(tmp_path)
    assert {name for name, check in checks.items() if check["status"] != "ok"} == {"server"}
    assert "mill up" in checks["server"]["mend"]
    assert list(tmp_path.iterdir()) == []


def test_everything_is_ok_beside_a_running_server(mill_up: Callable[..., MillProcess], tmp_path: Path) -> None:
    mill = mill_up()
    checks = _checks(tmp_path, MILL_URL=mill.url, MILL_API_KEY=KEY)
    assert {check["status"] for check in checks.values()} == {"ok"}
    assert {"ffmpeg", "packager", "model", "database", "redis", "storage", "scratch", "log_files"} <= checks.keys()
    assert {"server", "ready", "key"} <= checks.keys()


@pytest.mark.parametrize(
    ("check", "setting", "value"),
    [
        ("ffmpeg", "MILL_FFMPEG", "/bin/false"),
        ("ffmpeg", "MILL_FFMPEG", "/bin/true"),
        ("log_files", "MILL_LOG_DIR", "/proc/1/logs"),
        ("packager", "MILL_PACKAGER", "/bin/false"),
        ("model", "MILL_WHISPER_MODEL", "/nowhere/model"),
        ("database", "MILL_DATABASE_URL", "postgresql://mill:hunter2@127.0.0.1:9/mill"),
        ("redis", "MILL_BROKER_URL", "redis://:hunter2@127.0.0.1:9/0"),
        ("storage", "MILL_STORAGE_URL", "s3://key:hunter2@127.0.0.1:9/bucket?secure=false"),
    ],
)
def test_what_is_broken_is_named_with_how_to_mend_it(tmp_path: Path, check: str, setting: str, value: str) -> None:
    found = _checks(tmp_path, **{setting: value})[check]
    assert found["status"] == "failed"
    assert setting in found["mend"]
    assert "hunter2" not in json.dumps(found)


def test_an_ffmpeg_that_names_itself_and_encodes_nothing_is_broken(tmp_path: Path) -> None:
    """As for a worker, a frame is encoded."""
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/sh\n[ "$1" = -version ] && echo ffmpeg version 8 && exit 0\nexit 1\n')
    program.chmod(0o755)
    assert _checks(tmp_path, MILL_FFMPEG=str(program))["ffmpeg"]["status"] == "failed"


def test_scratch_with_less_room_than_a_worker_asks_for_is_told(tmp_path: Path) -> None:
    (tmp_path / "data" / "scratch").mkdir(parents=True)
    found = _checks(tmp_path, MILL_SCRATCH_FREE_BYTES=str(2**60))["scratch"]
    assert (found["status"], "MILL_SCRATCH_DIR" in found["mend"]) == ("failed", True)
    assert _checks(tmp_path, MILL_SCRATCH_FREE_BYTES="0")["scratch"]["status"] == "ok"


def test_migrate_brings_an_old_schema_up_to_date(tmp_path: Path) -> None:
    done = _mill(tmp_path, "migrate", "--data", str(tmp_path / "data"))
    assert done.returncode == 0
    assert "revision" in done.stderr
    assert _checks(tmp_path)["database"]["status"] == "ok"
