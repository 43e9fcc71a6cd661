"""Schemathesis on a running gateway over PostgreSQL: whatever is sent, the answer is one that the document describes.

Every operation is asked with a key, without one, and with the key of another owner than what it is asked for has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from api.conftest import _migrate
from api.running import ADMIN_KEY, Gateway, complete, serving, submit, upload
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import SecretStr
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok
from servers import Postgres

from mill_api.app import describe
from mill_api.operations import endpoints
from mill_common.resources import open_resources
from mill_common.settings import Settings

load_all_checks()


@schemathesis.serializer("application/offset+octet-stream")
def _as_it_is(_context: Any, value: Any) -> Any:
    return value if isinstance(value, bytes) else getattr(value, "data", None) or str(value).encode(errors="replace")


SCHEMA = schemathesis.openapi.from_dict(describe(endpoints()))
# It ends when the client leaves, and this one would wait.
ENDLESS = {"GET /api/v1/events"}
LABELS = sorted({found.ok().label for found in SCHEMA.get_all_operations() if isinstance(found, Ok)} - ENDLESS)
# They take nothing, or any text at all, so no request to them can be wrong.
ALWAYS_RIGHT = {"GET /health", "GET /livez", "GET /readyz", "GET /objects/{key}", "OPTIONS /api/v1/uploads/tus"}
ALWAYS_RIGHT |= {"GET /api/v1/monitoring/health"}
REQUESTS = [(label, GenerationMode.POSITIVE) for label in LABELS]
REQUESTS += [(label, GenerationMode.NEGATIVE) for label in LABELS if label not in ALWAYS_RIGHT]
# A well-formed request may still name an upload that is not there, or a time that is past: 422, too.
EXCLUDED: list[Any] = list(CHECKS.get_by_names(["positive_data_acceptance"]))
DETERMINISTIC = settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
FEW = settings(DETERMINISTIC, max_examples=3)


@dataclass(frozen=True)
class Busy:
    """A gateway with a completed job, the ids of what is there, and keys by who holds them."""

    gateway: Gateway
    known: dict[str, str]
    keys: dict[str, str]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Busy]:
    """Everything there is belongs to the administrator."""
    folder = tmp_path_factory.mktemp("schemathesis")
    with postgres.database("mill_api", _migrate) as url:
        chosen = Settings(data_dir=folder, admin_key=SecretStr(ADMIN_KEY), rate_limits=False, database_url=url)
        with closing(open_resources(chosen)) as resources, serving(resources) as gateway:
            job_id = submit(gateway.admin)
            complete(resources, {"360p.mp4": b"film", "hls/master.m3u8": b"#EXTM3U"})
            hook = gateway.admin.post("/api/v1/webhooks", json={"url": "https://example.org/hook"}).json()["id"]
            known = {"job_id": job_id, "upload_id": upload(gateway.admin), "name": "360p.mp4", "webhook_id": hook}
            known["delivery_id"] = gateway.admin.post(f"/api/v1/webhooks/{hook}/test").json()["id"]
            with gateway.owner("ada") as ada:
                keys = {"the owner": ADMIN_KEY, "another owner": ada.headers["X-API-Key"]}
                yield Busy(gateway, known, keys)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("who", ["nobody", "another owner"])
def test_every_refusal_is_as_described(busy: Busy, label: str, who: str) -> None:
    _hold(busy, label, GenerationMode.POSITIVE, who, FEW)


@pytest.mark.parametrize(("label", "mode"), REQUESTS)
def test_every_answer_is_as_described(busy: Busy, label: str, mode: GenerationMode) -> None:
    _hold(busy, label, mode, "the owner", DETERMINISTIC)


def _hold(busy: Busy, label: str, mode: GenerationMode, who: str, patience: settings) -> None:
    session = requests.Session()
    if who in busy.keys:
        session.headers["X-API-Key"] = busy.keys[who]
    operation = SCHEMA.find_operation_by_label(label)
    assert operation is not None
    strategies = [operation.as_strategy(mode)]
    names = {parameter.name for parameter in operation.path_parameters}
    if mode is GenerationMode.POSITIVE and names & busy.known.keys() and not label.startswith("DELETE"):
        there: dict[str, Any] = {name: value for name, value in busy.known.items() if name in names}
        strategies.append(operation.as_strategy(mode, path_parameters=there))

    for strategy in strategies:

        @patience
        @given(case=strategy)
        def holds(case: Case[Any]) -> None:
            case.call_and_validate(base_url=busy.gateway.url, session=session, excluded_checks=EXCLUDED)

        holds()
    session.close()
