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
