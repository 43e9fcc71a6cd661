"""Prometheus reads what the mill shows, and every dashboard has something to draw. Requirement A11."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from server_process import ServerProcess, free_port, program
from standalone.running import MillProcess
from waiting import wait_for

from mill_client import JobSpec
from mill_standalone.demo import SAMPLE

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy/prometheus"
PUBLISHED = 'mill_task_attempts_total{kind="publish",outcome="completed"}'
SPEC = JobSpec(renditions=(180,), transcript=None)


def _promtool(*arguments: str | Path, given: str = "") -> str:
    command = [str(program("promtool")), *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, cwd=DEPLOY)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_rules_and_the_configuration_are_valid() -> None:
    _promtool("check", "rules", *sorted((DEPLOY / "rules").glob("*.yml")))
    _promtool("check", "config", "prometheus.yml")


def test_the_rules_fire_when_they_should_and_not_before() -> None:
    _promtool("test", "rules", "tests.yml")


def test_the_dashboards_are_as_they_are_generated() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.dashboards", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _queries() -> dict[str, str]:
    boards = [json.loads(path.read_text()) for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")]
    return {
        f"{board['uid']}: {panel['title']}: {target['legendFormat']}": target["expr"]
        for board in boards
        for panel in board["panels"]
        for target in panel["targets"]
    }


@contextmanager
def _prometheus(folder: Path, target: str) -> Iterator[httpx.Client]:
    """A Prometheus as it is configured for compose, but for its targets and its haste."""
    settings: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    settings["rule_files"] = [str(DEPLOY / "rules/*.yml")]
    labelled = [{"targets": [target], "labels": {"service": "mill"}}]
    settings["scrape_configs"] = [
        {"job_name": scrape["job_name"], "static_configs": labelled} for scrape in settings["scrape_configs"][:1]
    ]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    port = free_port()
    argv = [str(program("prometheus")), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        server = ServerProcess([*argv, f"--web.listen-address=127.0.0.1:{port}"], folder / "prometheus.log")
        try:
            server.wait_until(lambda: _ready(client))
            yield client
        finally:
            server.stop()


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def _found(client: httpx.Client, query: str) -> list[Any]:
    answer = client.get("/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", answer
    found: list[Any] = answer["data"]["result"]
    return found


@pytest.mark.slow
def test_every_query_of_every_dashboard_finds_something(mill_up: Callable[..., MillProcess], tmp_path: Path) -> None:
    port = free_port()
    mill = mill_up(MILL_SIGNALS_PORT=str(port))
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with _prometheus(folder, f"127.0.0.1:{port}") as prometheus:
        # What rises must have been seen before it rose, so there are two jobs.
        for _ in range(2):
            job = mill.client.submit(SAMPLE, spec=SPEC)
            mill.client.jobs.wait(job.job_id)
            wait_for(lambda: _found(prometheus, PUBLISHED))
        queries = _queries()
        assert len(queries) > 30
        missing = dict(queries)

        def all_found() -> bool:
            for name in [name for name, query in missing.items() if _found(prometheus, query)]:
                del missing[name]
            return not missing

        try:
            wait_for(all_found)
        except AssertionError:
            pytest.fail(f"nothing is found for {missing}")
    page = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    _promtool("check", "metrics", given=page)
