"""What every process shows of itself, on a port of its own. Requirements A11, A14, P4."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed
from server_process import free_port
from waiting import wait_for

from mill_common.database import Database
from mill_common.health.report import Status
from mill_common.observing import observed
from mill_common.resources import Resources, open_resources
from mill_common.settings import Settings
from mill_common.signs import Signs, signs_of
from mill_common.signs_port import SignsPort


@pytest.fixture
def resources(database: Database, tmp_path: Path) -> Iterator[Resources]:
    """A process's connections."""
    url = database.engine.url.render_as_string(hide_password=False)
    with closing(open_resources(Settings(data_dir=tmp_path, database_url=url, signals_port=free_port()))) as opened:
        yield opened


@pytest.fixture
def watched(resources: Resources) -> Iterator[httpx.Client]:
    """A client of an observed process's port."""
    with (
        observed("watchdog", resources, signs_of(resources, whole=True), lambda: 0),
        httpx.Client(base_url=f"http://127.0.0.1:{resources.settings.signals_port}", timeout=60) as client,
    ):
        yield client


def test_the_port_answers_every_question(watched: httpx.Client) -> None:
    assert watched.get("/livez").json() == {"status": "healthy"}
    assert watched.get("/health").json() == {"status": "healthy"}
    assert watched.get("/readyz").json() == {"status": "ready"}
    report = watched.get("/health/detailed").json()
    assert {check["component"] for check in report["checks"]} >= {"database", "redis", "storage", "queues", "schedules"}
    assert watched.get("/elsewhere").status_code == 404
    assert watched.head("/livez").content == b""


def test_the_port_says_what_keeps_it_from_work(watched: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "objects").rename(tmp_path / "elsewhere")
    refused = watched.get("/readyz")
    assert (refused.status_code, refused.json()["detail"]) == (503, "Storage does not answer.")
    assert watched.get("/livez").status_code == 200
    (tmp_path / "elsewhere").rename(tmp_path / "objects")
    assert watched.get("/readyz").status_code == 200


def test_metrics_can_be_read_and_name_no_ids(watched: httpx.Client) -> None:
    wait_for(lambda: 'mill_health_status{component="database"}' in watched.get("/metrics").text)
    page = watched.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in parsed(page.text)}
    assert {sample.value for sample in families["mill_database_up"].samples} == {1.0}
    assert "process_cpu_seconds" in families
    labels = {label for family in families.values() for sample in family.samples for label in sample.labels}
    assert not [label for label in labels if label.endswith("id") or label in ("owner", "job", "task")]


def test_a_port_that_is_taken_costs_nothing_but_the_port(resources: Resources) -> None:
    signs = signs_of(resources)
    first = SignsPort(signs, "127.0.0.1", 0)
    first.start()
    assert first.port is not None
    second = SignsPort(signs, "127.0.0.1", first.port)
    second.start()
    assert second.port is None
    second.stop()
    first.stop()


def test_a_checkup_of_a_whole_system_is_done_in_one_go(resources: Resources) -> None:
    signs: Signs = signs_of(resources, whole=True)
    report = signs.checkup.report()
    statuses = {check.component: check.status for check in report.checks}
    assert statuses["database"] is Status.HEALTHY, report
    assert statuses["storage"] is Status.HEALTHY, report
    assert statuses["transcoder"] is Status.CRITICAL  # nobody is there
    assert report.overall_status is Status.DEGRADED
    assert report.summary["total_checks"] == len(report.checks)
