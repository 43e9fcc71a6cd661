"""deploy/kubernetes, held to the rules of compose.yaml and run against a real database, without a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import yaml
from common.desk import Desk
from containers.compose import OURS, ROOT, read_compose, seconds
from servers import Postgres
from sqlalchemy import text

from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.queue import NewTask

FOLDER = ROOT / "deploy" / "kubernetes"
SERVICES = sorted(set(OURS) - {"migrate"})
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())


def _documents() -> Iterator[dict[str, Any]]:
    for name in KUSTOMIZATION["resources"]:
        yield from yaml.safe_load_all((FOLDER / name).read_text())


BY_NAME = {(document["kind"], document["metadata"]["name"]): document for document in _documents()}


def _pod(service: str) -> dict[str, Any]:
    pod = BY_NAME["Deployment", service]["spec"]["template"]["spec"]
    assert isinstance(pod, dict)
    return pod


def _containers(service: str) -> list[dict[str, Any]]:
    pod = _pod(service)
    return [*pod.get("initContainers", []), *pod["containers"]]


@pytest.fixture
def desk(postgres: Postgres) -> Iterator[Desk]:
    """A queue on PostgreSQL."""
    with postgres.database() as url, closing(Database(url)) as database:
        migrate(database)
        yield Desk(database)


def test_every_file_is_part_of_the_kustomization() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {"kustomization.yaml", *KUSTOMIZATION["resources"]}


def test_no_name_is_given_twice() -> None:
    assert len(BY_NAME) == sum(1 for _ in _documents())


def test_every_service_is_deployed_from_an_image_with_a_tag() -> None:
    deployed = sorted(name for kind, name in BY_NAME if kind == "Deployment")
    tagged = {image["name"]: image["newTag"] for image in KUSTOMIZATION["images"]}

    assert deployed == SERVICES
    assert {container["image"] for name in SERVICES for container in _containers(name)} == set(tagged)
    assert "latest" not in tagged.values()


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_is_closed(service: str) -> None:
    pod = _pod(service)

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == int(read_compose()["services"][service]["user"].split(":")[0])
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    for container in _containers(service):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_are_files_of_a_secret_made_elsewhere(service: str) -> None:
    [secret] = [volume["secret"] for volume in _pod(service)["volumes"] if "secret" in volume]
    settings = BY_NAME["ConfigMap", "mediamill"]["data"]

    assert secret["secretName"] == "mediamill"
    for container in _containers(service):
        mounted = [mount for mount in container["volumeMounts"] if mount["mountPath"] == settings["MILL_SECRETS_DIR"]]
        assert [mount["readOnly"] for mount in mounted] == [True]
        assert "env" not in container
        assert container["envFrom"] == [{"configMapRef": {"name": "mediamill"}}]
    assert not [kind for kind, _ in BY_NAME if kind == "Secret"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_mount_has_its_volume(service: str) -> None:
    volumes = {volume["name"] for volume in _pod(service)["volumes"]}

    assert {mount["name"] for container in _containers(service) for mount in container["volumeMounts"]} == volumes


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_may_take_as_long_to_stop_as_in_compose(service: str) -> None:
    grace = seconds(read_compose()["services"][service]["stop_grace_period"])

    assert _pod(service)["terminationGracePeriodSeconds"] == grace


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_is_asked_whether_it_can_work(service: str) -> None:
    [container] = _pod(service)["containers"]
    ready = container["readinessProbe"]

    if service == "api":
        assert ready["httpGet"]["path"] == "/readyz"
        # A gateway without its database must not be restarted: it lives, and says that it is not ready.
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    else:
        assert ready["exec"]["command"] == ["python", "-m", "mill_common.health"]
        assert "livenessProbe" not in container
        assert "ports" not in container


@pytest.mark.parametrize("service", SERVICES)
def test_a_disruption_leaves_some_and_is_possible(service: str) -> None:
    budget = BY_NAME["PodDisruptionBudget", service]["spec"]

    assert budget["selector"] == BY_NAME["Deployment", service]["spec"]["selector"]
    assert (budget.get("minAvailable"), budget.get("maxUnavailable")) in {(1, None), (None, 1)}
    if "minAvailable" in budget:
        assert BY_NAME["Deployment", service]["spec"]["replicas"] > budget["minAvailable"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_selector_finds_the_pods(service: str) -> None:
    deployment = BY_NAME["Deployment", service]["spec"]

    assert deployment["selector"]["matchLabels"] == deployment["template"]["metadata"]["labels"]


def test_the_gateway_alone_is_a_service() -> None:
    assert [name for kind, name in BY_NAME if kind == "Service"] == ["api"]
    isolated = BY_NAME["NetworkPolicy", "workers"]["spec"]
    assert set(isolated["podSelector"]["matchExpressions"][0]["values"]) == set(SERVICES) - {"api"}
    assert "ingress" not in isolated


@pytest.mark.parametrize("service", ["transcoder", "transcriber"])
def test_workers_are_scaled_by_one_hand(service: str) -> None:
    scaled = BY_NAME["ScaledObject", service]["spec"]

    assert scaled["scaleTargetRef"] == {"name": service}
    assert "replicas" not in BY_NAME["Deployment", service]["spec"]
    assert 1 <= scaled["minReplicaCount"] < scaled["maxReplicaCount"]


def test_workers_are_counted_by_what_runs_and_what_could(desk: Desk) -> None:
    def wanted() -> tuple[int, int]:
        with desk.database.read() as session:
            queries = (_query("transcoder"), _query("transcriber"))
            transcoders, transcribers = (session.execute(text(query)).scalar_one() for query in queries)
            return transcoders, transcribers

    assert wanted() == (0, 0)
    desk.job("ada")
    desk.job("bob")
    assert wanted() == (2, 0)  # queued
    claim = desk.claim()
    assert wanted() == (2, 0)  # one runs
    speech = NewTask(name="transcribe", kind="transcribe", queue="transcribe")
    desk.finish(claim, tasks=[speech, NewTask(name="publish", kind="publish", needs=("transcribe",))])
    assert wanted() == (1, 1)  # publish is blocked
    desk.fail(desk.claim("transcribe"), OSError("later"))
    assert wanted() == (1, 0)  # waits for its turn


def _query(service: str) -> str:
    [trigger] = BY_NAME["ScaledObject", service]["spec"]["triggers"]
    assert trigger["type"] == "postgresql"
    assert trigger["authenticationRef"] == {"name": "database"}
    return str(trigger["metadata"]["query"])
