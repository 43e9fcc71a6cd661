"""docs/operations.md says what is so: what it prints for a running system is run, what it lists is all there is."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from docs.test_api_examples import run
from pydantic import SecretStr
from server_process import free_port
from sqlalchemy import text
from standalone.running import KEY, MillProcess

from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.settings import Settings
from mill_watchdog.routes import routes_of
from mill_watchdog.rules import all_rules
from mill_watchdog.schedules import SWEEPS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
SHELL = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SQL = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
JSON = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
REQUESTS = [*(block for block in SHELL if "$MILL" in block), *re.findall(r"`(curl [^`]+)`", PAGE)]
COMMANDS = re.findall(r"`(python -m mill_[^`]+)`", PAGE)
ELSEWHERE = ("docker", "kubectl")  # tests/containers runs these
OTHERS = {  # compose's, the client's and that of scripts/secrets
    "MILL_API_KEY",
    "MILL_BIND",
    "MILL_PORT",
    "MILL_SECRETS_DIR",
    "MILL_STORAGE_PORT",
    "MILL_STORAGE_PUBLIC",
}


@pytest.fixture(scope="module")
def signals_port() -> int:
    """Where the server shows its metrics."""
    return free_port()


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory, signals_port: int) -> Iterator[MillProcess]:
    """A server with all its workers."""
    data = tmp_path_factory.mktemp("mill") / "data"
    process = MillProcess(data, free_port(), MILL_SIGNALS_PORT=str(signals_port))
    try:
        process.await_ready()
        yield process
    finally:
        process.stop()


@pytest.mark.parametrize("request_", REQUESTS, ids=[re.sub(r"\W+", " ", text)[-40:] for text in REQUESTS])
def test_a_request_is_taken(mill: MillProcess, tmp_path: Path, request_: str) -> None:
    assert "{" in run(request_, tmp_path, MILL=mill.url, KEY=KEY)


@pytest.mark.parametrize("statement", SQL, ids=range(len(SQL)))
def test_a_statement_is_taken(postgres_url: str, statement: str) -> None:
    with closing(Database(postgres_url)) as database:
        migrate(database)
        with database.engine.connect() as connection:
            assert connection.execute(text(statement)).all() == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_does_what_it_says(tmp_path: Path, command: str) -> None:
    with closing(Database(Settings(data_dir=tmp_path).database_url)) as database:
        migrate(database)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
    argv = [sys.executable, *shlex.split(command)[1:]]
    done = subprocess.run(
        argv, env={**kept, "MILL_DATA_DIR": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert ("--run" in command) == ('"status": "completed"' in done.stdout)


def test_the_routes_of_notices_are_taken() -> None:
    [routes] = JSON
    names = [route.name for route in routes_of(Settings(alert_routes=SecretStr(routes)))]
    assert names == ["pager", "chat", "video-team"]


def test_every_setting_that_is_named_is_one() -> None:
    named = set(re.findall(r"\bMILL_[A-Z0-9_]*[A-Z0-9]\b(?!_|…)", PAGE)) - OTHERS
    assert len(named) > 50
    assert {name.removeprefix("MILL_").lower() for name in named} <= Settings.model_fields.keys()


def test_the_tables_name_every_alert_and_every_schedule() -> None:
    alerts = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (?:warning|error|critical)", PAGE, re.MULTILINE)
    assert set(re.findall(r"\w+", " ".join(alerts))) == {rule.type for rule in all_rules(Settings())}
    swept = PAGE.partition("## What is swept")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", swept, re.MULTILINE)) == SWEEPS.keys()


def test_every_metric_that_is_named_is_shown(mill: MillProcess, signals_port: int) -> None:
    assert mill.process.poll() is None
    shown = httpx.get(f"http://127.0.0.1:{signals_port}/metrics", timeout=60).text
    table = PAGE.partition("| metric | labels | from |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(mill_\w+)`", table))
    assert len(named) > 20
    assert named - set(re.findall(r"^# TYPE (\w+) ", shown, re.MULTILINE)) == set()


def test_no_command_is_left_out() -> None:
    others = [block for block in SHELL if "$MILL" not in block]
    assert all(any(name in block for name in ELSEWHERE) for block in others)
    assert (len(REQUESTS), len(COMMANDS), len(SQL)) == (3, 3, 2)
