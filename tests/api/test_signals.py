"""Health, metrics, samples and the log level over HTTP. Requirements J14, A11, A14, P4, P5, P6."""

from __future__ import annotations

import logging
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx
import pytest
from api.running import Gateway, serving, submit
from api.signing_in import audit
from waiting import wait_for

from mill_common.metrics import REGISTRY
from mill_common.observing import observed
from mill_common.resources import open_resources
from mill_common.samples import Sampler
from mill_common.settings import Settings

BEHIND = [
    ("GET", "/health/detailed"),
    ("GET", "/api/v1/monitoring/health/detailed"),
    ("GET", "/api/v1/monitoring/metrics/system"),
    ("GET", "/api/v1/admin/log-level"),
    ("PUT", "/api/v1/admin/log-level"),
    ("GET", "/metrics"),
]


@pytest.mark.parametrize(("method", "path"), BEHIND)
def test_a_key_for_jobs_sees_nothing_behind_the_scenes(
    gateway: Gateway, ada: httpx.Client, method: str, path: str
) -> None:
    with gateway.client() as nobody:
        assert nobody.request(method, path).status_code == 401
    assert ada.request(method, path, json={"level": None}).status_code == 403


def test_anybody_may_ask_whether_it_lives(gateway: Gateway) -> None:
    with gateway.client() as anyone:
        assert anyone.get("/api/v1/monitoring/health").json() == {"status": "healthy"}


def test_the_detailed_report_has_the_fields_of_its_document(any_gateway: Gateway) -> None:
    report = any_gateway.admin.get("/health/detailed").json()
    assert report.keys() == {"overall_status", "timestamp", "total_check_time_ms", "checks", "summary"}
    checks = {check["component"]: check for check in report["checks"]}
    assert checks["database"].keys() == {"component", "status", "message", "details", "response_time_ms"}
    assert checks["database"]["status"] == checks["storage"]["status"] == "healthy"
    assert checks["system_resources"]["details"]["memory_usage_percent"] > 0
    assert checks["transcoder"]["status"] == "critical"
    assert report["overall_status"] == "degraded"
    counted = report["summary"]
    assert counted["total_checks"] == len(checks)
    assert counted["critical"] == sum(check["status"] == "critical" for check in checks.values())
    assert {"ffmpeg", "packager", "scratch", "queues", "pipeline", "schedules", "redis", "log_files"} <= checks.keys()


def test_a_report_is_kept_for_a_while(gateway: Gateway) -> None:
    first = gateway.admin.get("/health/detailed").json()
    again = gateway.admin.get("/api/v1/monitoring/health/detailed").json()
    assert first == again


def test_broken_storage_makes_the_whole_critical_and_mended_storage_does_not(
    settings: Settings, tmp_path: Path
) -> None:
    uncached = settings.model_copy(update={"health_cache_s": 0.0})
    with closing(open_resources(uncached)) as resources, serving(resources) as gateway:
        (tmp_path / "objects").rename(tmp_path / "elsewhere")
        assert gateway.admin.get("/health/detailed").json()["overall_status"] == "critical"
        (tmp_path / "elsewhere").rename(tmp_path / "objects")
        assert gateway.admin.get("/health/detailed").json()["overall_status"] == "degraded"


def test_requests_are_counted_by_route_and_not_by_what_was_asked_for(gateway: Gateway, ada: httpx.Client) -> None:
    job = submit(ada)
    labels = {"method": "GET", "route": "/api/v1/jobs/{job_id}", "status": "2xx"}
    name = "mill_http_request_duration_seconds_count"
    before = REGISTRY.get_sample_value(name, labels) or 0
    assert ada.get(f"/api/v1/jobs/{job}").status_code == 200
    wait_for(lambda: (REGISTRY.get_sample_value(name, labels) or 0) == before + 1)
    ada.get(f"/nowhere/{job}")
    ada.request("BREW", "/health")
    page = gateway.admin.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=")
    assert job not in page.text
    assert "BREW" not in page.text
    assert 'route="other"' in page.text


def test_samples_are_shown_as_time_series(any_gateway: Gateway) -> None:
    resources = any_gateway.resources
    sampler = Sampler(resources.database, resources.settings, "transcoder", lambda: 2)
    sampler.sample()
    shown = any_gateway.admin.get("/api/v1/monitoring/metrics/system", params={"hours": 24}).json()
    assert (shown["hours"], shown["step_seconds"]) == (24, 300)
    [series] = shown["series"]
    [sample] = series["samples"]
    assert (series["service"], sample["active_sessions"]) == ("transcoder", 2)
    assert sample.keys() == {
        "timestamp",
        "cpu_usage_percent",
        "memory_usage_percent",
        "disk_usage_percent",
        "active_sessions",
        "temp_directory_size_bytes",
    }
    none = any_gateway.admin.get("/api/v1/monitoring/metrics/system", params={"service": "watchdog"}).json()
    assert none["series"] == []


def _has_level(level: str) -> bool:
    return bool(logging.getLevelName(logging.getLogger().level) == level)


def test_every_process_follows_the_chosen_log_level(any_gateway: Gateway) -> None:
    root = logging.getLogger()
    before = root.level
    resources, admin = any_gateway.resources, any_gateway.admin
    try:
        with observed("api", resources, any_gateway.app.state.signs, lambda: 0):
            for level in ("ERROR", "DEBUG"):
                chosen = admin.put("/api/v1/admin/log-level", json={"level": level})
                assert (chosen.status_code, chosen.json()) == (200, {"level": level})
                wait_for(partial(_has_level, level))
                assert admin.get("/api/v1/admin/log-level").json() == {"level": level}
            admin.put("/api/v1/admin/log-level", json={"level": None})
            wait_for(partial(_has_level, "INFO"))
        latest = audit(any_gateway, action="set_log_level")[0]
        assert (latest["before"], latest["after"]) == ({"level": "DEBUG"}, {"level": None})
    finally:
        root.setLevel(before)
        for name in ("dramatiq", "urllib3", "httpx", "httpcore", "alembic", "faster_whisper", "uvicorn.access"):
            logging.getLogger(name).setLevel(logging.NOTSET)


def test_a_level_that_is_none_is_refused(gateway: Gateway) -> None:
    refused = gateway.admin.put("/api/v1/admin/log-level", json={"level": "LOUD"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
