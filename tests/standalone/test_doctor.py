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
    assert {"ffmpeg", "packager", "model", "database", "broker", "storage", "disk", "server", "key"} <= checks.keys()


@pytest.mark.parametrize(
    ("check", "setting", "value"),
    [
        ("ffmpeg", "MILL_FFMPEG", "/bin/false"),
        ("packager", "MILL_PACKAGER", "/bin/false"),
        ("model", "MILL_WHISPER_MODEL", "/nowhere/model"),
        ("database", "MILL_DATABASE_URL", "postgresql://mill:hunter2@127.0.0.1:9/mill"),
        ("broker", "MILL_BROKER_URL", "redis://:hunter2@127.0.0.1:9/0"),
        ("storage", "MILL_STORAGE_URL", "s3://key:hunter2@127.0.0.1:9/bucket?secure=false"),
    ],
)
def test_what_is_broken_is_named_with_how_to_mend_it(tmp_path: Path, check: str, setting: str, value: str) -> None:
    found = _checks(tmp_path, **{setting: value})[check]
    assert found["status"] == "failed"
    assert setting in found["mend"]
    assert "hunter2" not in json.dumps(found)


def test_migrate_brings_an_old_schema_up_to_date(tmp_path: Path) -> None:
    done = _mill(tmp_path, "migrate", "--data", str(tmp_path / "data"))
    assert done.returncode == 0
    assert "revision" in done.stderr
    assert _checks(tmp_path)["database"]["status"] == "ok"
