"""compose.yaml, held to its rules without an engine."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from containers.compose import OURS, ROOT, read_compose, seconds

from mill_api.server import GRACE_S
from mill_common.broker import SharedBroker, open_broker
from mill_common.settings import Settings
from mill_common.storage.s3_client import S3Address
from mill_transcoder.process import TERMINATE_S

COMPOSE = read_compose()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVERS = {"postgres", "redis", "storage"}
PUBLISHED = {"api", "storage"}
SECRET_SETTINGS = {"MILL_DATABASE_URL", "MILL_BROKER_URL", "MILL_STORAGE_URL", "MILL_SIGNING_KEY", "MILL_ADMIN_KEY"}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that scripts/secrets makes."""
    folder = tmp_path_factory.mktemp("made") / "secrets"
    _make_secrets(folder)
    return folder


def test_there_are_our_services_and_the_servers_they_need() -> None:
    assert set(SERVICES) == {*OURS, *SERVERS}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_closed(name: str) -> None:
    service = SERVICES[name]

    assert service["user"].split(":")[0] not in {"", "0", "root"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.keys() & {"privileged", "cap_add", "pid", "ipc", "network_mode", "devices"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_can_be_started_many_times(name: str) -> None:
    service = SERVICES[name]

    assert "container_name" not in service
    assert "hostname" not in service
    assert bool(service.get("ports")) == (name in PUBLISHED)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_published_port_is_bound_to_loopback_unless_said_otherwise(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_a_service_waits_for_is_healthy_or_has_ended(name: str) -> None:
    for needed, condition in SERVICES[name].get("depends_on", {}).items():
        wanted = "service_completed_successfully" if needed == "migrate" else "service_healthy"
        assert condition == {"condition": wanted}
        if needed in SERVERS:
            assert SERVICES[needed]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize("name", sorted(set(OURS) - {"migrate"}))
def test_a_service_starts_after_the_migration(name: str) -> None:
    assert {"migrate", "redis", "storage"} == set(SERVICES[name]["depends_on"])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_secrets_are_files_and_never_variables(name: str) -> None:
    service = SERVICES[name]
    variables: dict[str, str] = service.get("environment", {})

    assert service["secrets"]
    assert not variables.keys() & SECRET_SETTINGS
    assert not [key for key in variables if key.endswith(("PASSWORD", "SECRET", "KEY", "TOKEN"))]
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])
    if name in OURS:
        assert variables["MILL_SECRETS_DIR"] == "/run/secrets"


def test_only_the_gateway_knows_the_admin_key() -> None:
    assert [name for name, service in SERVICES.items() if "mill_admin_key" in service["secrets"]] == ["api"]


def test_the_servers_are_apart_from_the_world() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert SERVICES["postgres"]["networks"] == SERVICES["redis"]["networks"] == ["inside"]


@pytest.mark.parametrize("name", ["transcoder", "transcriber"])
def test_a_worker_has_longer_to_stop_than_its_children(name: str) -> None:
    assert seconds(SERVICES[name]["stop_grace_period"]) > 2 * TERMINATE_S


def test_the_gateway_has_longer_to_stop_than_its_requests() -> None:
    assert seconds(SERVICES["api"]["stop_grace_period"]) > GRACE_S


def test_the_card_is_reserved_for_the_transcriber_alone() -> None:
    services = read_compose("compose.gpu.yaml")["services"]

    assert set(services) == {"transcriber"}
    devices = services["transcriber"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    assert services["transcriber"]["build"]["target"] == "transcriber-gpu"


def test_every_secret_is_made_and_kept(secrets: Path) -> None:
    wanted = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    assert before.keys() >= wanted
    assert all(before.values())

    _make_secrets(secrets)

    assert {path.name: path.read_text() for path in secrets.iterdir()} == before


def test_nobody_else_reaches_the_secrets_on_the_host(secrets: Path) -> None:
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    # A container's own user, whoever that is, must be able to read what is mounted.
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o444}


def test_two_folders_get_different_secrets(secrets: Path, tmp_path: Path) -> None:
    _make_secrets(tmp_path / "other")

    for name in ("postgres_password", "redis_password", "s3_secret_key", "mill_admin_key", "mill_signing_key"):
        assert (tmp_path / "other" / name).read_text() != (secrets / name).read_text()


def test_the_services_understand_the_secrets(secrets: Path) -> None:
    settings = Settings(_secrets_dir=secrets)  # type: ignore[call-arg]  # pydantic-settings takes it, its types don't say so

    address = S3Address.parse(settings.storage_url)
    assert (address.endpoint, address.bucket, address.public) == ("storage:9000", "mill", "http://localhost:9000")
    assert address.secret_key == (secrets / "s3_secret_key").read_text()
    assert (secrets / "postgres_password").read_text() in settings.database_url
    assert isinstance(open_broker(settings.broker_url), SharedBroker)
    assert settings.admin_key is not None
    assert settings.signing_key is not None


def test_redis_keeps_what_it_is_told_and_drops_nothing(secrets: Path) -> None:
    lines = (secrets / "redis_conf").read_text().splitlines()

    assert {"appendonly yes", "maxmemory-policy noeviction"} <= set(lines)
    assert f"requirepass {(secrets / 'redis_password').read_text()}" in lines


def _make_secrets(folder: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
    subprocess.run([ROOT / "scripts" / "secrets", folder], env=kept, check=True, stdout=subprocess.DEVNULL)


def test_monitoring_shows_every_service_to_prometheus_and_publishes_none_of_it() -> None:
    """Requirement A11."""
    watched = read_compose("compose.monitoring.yaml")
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"][0]
    [where] = scraped["dns_sd_configs"]
    for name in ("api", "transcoder", "transcriber", "watchdog"):
        assert watched["services"][name]["environment"]["MILL_SIGNALS_PORT"] == str(where["port"])
        assert "ports" not in watched["services"][name]
    assert set(where["names"]) == {"api", "transcoder", "transcriber", "watchdog"}
    assert watched["services"]["prometheus"]["networks"] == ["inside"]
    assert all((ROOT / volume.split(":")[0]).is_dir() for volume in _mounted(watched))


def test_grafana_finds_its_dashboards_and_its_source() -> None:
    """Requirement A11."""
    grafana = read_compose("compose.monitoring.yaml")["services"]["grafana"]
    places = {volume.split(":")[1]: volume.split(":")[0] for volume in grafana["volumes"]}
    provisioning = ROOT / "deploy/grafana/provisioning"
    [provider] = yaml.safe_load((provisioning / "dashboards/mediamill.yml").read_text())["providers"]
    [source] = yaml.safe_load((provisioning / "datasources/mediamill.yml").read_text())["datasources"]
    boards = [yaml.safe_load(path.read_text()) for path in (ROOT / places[provider["options"]["path"]]).glob("*.json")]
    assert len({board["uid"] for board in boards}) == 4
    assert {panel["datasource"]["uid"] for board in boards for panel in board["panels"]} == {source["uid"]}


def _mounted(compose: dict[str, Any]) -> list[str]:
    volumes = [volume for service in compose["services"].values() for volume in service.get("volumes", [])]
    return [volume for volume in volumes if volume.startswith("./")]
