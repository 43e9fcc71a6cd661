"""A8: every route of administrators refuses whom it must, and every refusal is in the audit log.

The routes come from the OpenAPI document, so that none can be forgotten.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from api.running import ADMIN_KEY, Gateway, serving
from api.signing_in import audit, person
from pydantic import SecretStr

from mill_api.app import describe
from mill_api.callers import ADMIN, OPERATOR, RUNS_THE_MILL, VIEWER
from mill_api.operations import endpoints
from mill_common.resources import open_resources
from mill_common.settings import Settings

ID = "018f0000-0000-7000-8000-000000000000"
SCOPES: dict[tuple[str, str], str] = {
    (method.upper(), path): scope
    for path, methods in describe(endpoints())["paths"].items()
    for method, operation in methods.items()
    for scope in (operation["security"] or [{"": [""]}])[0].popitem()[1]
    if scope in RUNS_THE_MILL
}
READS = sorted(route for route in SCOPES if route[0] == "GET")
ADMINISTRATORS_ONLY = {("GET", "/api/v1/admin/audit"), ("GET", "/api/v1/keys")}
CHANGES = sorted(route for route in SCOPES if route[0] != "GET")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, empty_schema: Path) -> Iterator[Gateway]:
    """One gateway for all of them, which limits nothing."""
    folder = tmp_path_factory.mktemp("refusals")
    shutil.copy(empty_schema, folder / "mill.db")
    settings = Settings(data_dir=folder, admin_key=SecretStr(ADMIN_KEY), rate_limits=False)
    with closing(open_resources(settings)) as resources, serving(resources) as running:
        yield running


@pytest.fixture(scope="module")
def callers(gateway: Gateway) -> Iterator[dict[str, Any]]:
    """Somebody of each kind."""
    with (
        gateway.client() as nobody,
        gateway.owner("ada") as ada,
        person(gateway, "vera", VIEWER) as vera,
        person(gateway, "otto", OPERATOR) as otto,
    ):
        yield {"nobody": nobody, "jobs": ada, VIEWER: vera, OPERATOR: otto}


def refusals(scope: str) -> list[str]:
    """Who must not pass a route of this scope."""
    return ["nobody", "jobs", *([VIEWER] if scope != VIEWER else []), *([OPERATOR] if scope == ADMIN else [])]


def url_of(path: str) -> str:
    """The path with something in each place."""
    for name in ("queue", "owner", "schedule"):
        path = path.replace(f"{{{name}}}", "transcode")
    return re.sub(r"{\w+}", ID, path)


@pytest.mark.parametrize("route", sorted(SCOPES), ids=" ".join)
def test_a_route_of_administrators_refuses_and_the_refusal_is_in_the_log(
    gateway: Gateway, callers: dict[str, Any], route: tuple[str, str]
) -> None:
    method, url = route[0], url_of(route[1])
    before = {entry["id"] for entry in audit(gateway, outcome="refused")}
    for who in refusals(SCOPES[route]):
        answer = callers[who].request(method, url)
        assert answer.status_code == (401 if who == "nobody" else 403), (who, answer.text)
    new = [entry for entry in audit(gateway, outcome="refused") if entry["id"] not in before]
    assert len(new) == len(refusals(SCOPES[route]))
    assert {entry["status"] for entry in new} == {401, 403}
    assert "nobody" in {entry["actor"] for entry in new}


def test_every_route_below_admin_and_monitoring_is_of_administrators() -> None:
    """Health, which load balancers ask for, apart."""
    below = {
        (method.upper(), path)
        for path, methods in describe(endpoints())["paths"].items()
        for method in methods
        if path.startswith(("/api/v1/admin/", "/api/v1/monitoring/")) and path != "/api/v1/monitoring/health"
    }
    assert below <= SCOPES.keys()
    assert {scope for route, scope in SCOPES.items() if route in CHANGES} <= {OPERATOR, ADMIN}, (
        "a viewer changes nothing"
    )


@pytest.mark.parametrize("route", READS, ids=" ".join)
def test_a_viewer_may_look_at_everything_but_keys_and_the_audit_log(
    callers: dict[str, Any], route: tuple[str, str]
) -> None:
    answer = callers[VIEWER].request(route[0], url_of(route[1]))
    assert (answer.status_code == 403) == (route in ADMINISTRATORS_ONLY), answer.text
    assert answer.status_code in (200, 403, 404), answer.text
