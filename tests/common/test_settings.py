"""Settings come from the environment or from files, and one machine needs none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from mill_common.queue import Policy
from mill_common.settings import Settings


def test_one_machine_needs_no_settings(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/mill.db"
    assert settings.storage_url == f"file://{tmp_path}/objects"
    assert settings.broker_url == "memory://"
    assert settings.scratch == tmp_path / "scratch"


def test_the_environment_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILL_LEASE_S", "90")
    monkeypatch.setenv("MILL_DATABASE_URL", "postgresql://db/mill")
    settings = Settings()
    assert (settings.lease_s, settings.database_url) == (90.0, "postgresql://db/mill")


def test_a_secrets_folder_sets(tmp_path: Path) -> None:
    # In a process of its own: where the folder is, is read once.
    (tmp_path / "MILL_ADMIN_KEY").write_text("from a file\n")
    code = "from mill_common.settings import Settings; print(Settings().admin_key.get_secret_value())"
    environment = {"MILL_SECRETS_DIR": str(tmp_path), "PATH": ""}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "from a file"


@pytest.mark.parametrize(
    ("name", "default", "other"),
    [
        ("alert_error_rate", 0.1, 0.2),
        ("alert_slow_s", 300.0, 60.0),
        ("alert_cpu_percent", 80.0, 70.0),
        ("alert_memory_percent", 80.0, 70.0),
        ("alert_disk_percent", 90.0, 70.0),
        ("alert_stuck_s", 1800.0, 600.0),
        ("alert_keep", 500, 50),
        ("log_level", "INFO", "DEBUG"),
        ("log_rotation_bytes", None, 5_000_000),
        ("log_backup_count", None, 2),
        ("health_cache_s", 60.0, 5.0),
        ("health_limit_s", 10.0, 5.0),
        ("health_warning_percent", 80.0, 70.0),
        ("health_critical_percent", 95.0, 90.0),
        ("samples_keep_hours", 24, 48),
    ],
)
def test_every_threshold_of_monitoring_is_set_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, default: object, other: object
) -> None:
    """P7, with the defaults of document 003."""
    assert getattr(Settings(), name) == default
    monkeypatch.setenv(f"MILL_{name.upper()}", str(other))
    assert getattr(Settings(), name) == other


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILL_POLL_S", "")
    monkeypatch.setenv("MILL_ADMIN_KEY", "")
    settings = Settings()
    assert (settings.poll_s, settings.admin_key) == (5.0, None)


@pytest.mark.parametrize(
    ("name", "value"), [("lease_s", 0), ("heartbeat_s", 31), ("max_attempts", 0), ("log_format", "x")]
)
def test_a_value_out_of_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings(**{name: value})  # type: ignore[arg-type]  # a name that varies


def test_secrets_are_not_shown() -> None:
    settings = Settings(admin_key="s3cr3t", signing_key="s3cr3t", sentry_dsn="s3cr3t")  # type: ignore[arg-type]  # as read
    assert "s3cr3t" not in repr(settings)


def test_rungs_are_sorted_and_single() -> None:
    assert Settings(ladder="720, 360,720").rungs == (360, 720)


def test_the_queue_is_as_patient_as_the_settings_say() -> None:
    policy = Policy.from_settings(Settings(lease_s=7, max_attempts=2, retry_base_s=3))
    assert (policy.lease_s, policy.max_attempts, policy.retry_base_s) == (7, 2, 3)
