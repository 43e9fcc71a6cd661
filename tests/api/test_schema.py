"""Schemathesis on a running gateway: whatever is sent, the answer is one that the document describes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from api.running import ADMIN_KEY, Gateway, complete, serving, submit, upload
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import SecretStr
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok

from mill_api.app import describe
from mill_api.operations import endpoints
from mill_common.resources import open_resources
from mill_common.settings import Settings

load_all_checks()
SCHEMA = schemathesis.openapi.from_dict(describe(endpoints()))
# It ends when the client leaves, and this one would wait.
ENDLESS = {"GET /api/v1/events"}
LABELS = sorted({found.ok().label for found in SCHEMA.get_all_operations() if isinstance(found, Ok)} - ENDLESS)
# They take nothing, or any text at all, so no request to them can be wrong.
ALWAYS_RIGHT = {"GET /health", "GET /livez", "GET /readyz", "GET /objects/{key}"}
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


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, empty_schema: Path) -> Iterator[tuple[Gateway, dict[str, str]]]:
    """A gateway with a completed job, and the ids of what is there."""
    folder = tmp_path_factory.mktemp("schemathesis")
    shutil.copy(empty_schema, folder / "mill.db")
    chosen = Settings(data_dir=folder, admin_key=SecretStr(ADMIN_KEY), rate_limits=False)
    with closing(open_resources(chosen)) as resources, serving(resources) as gateway:
        job_id = submit(gateway.admin)
        complete(resources, {"360p.mp4": b"film", "hls/master.m3u8": b"#EXTM3U"})
        known = {"job_id": job_id, "upload_id": upload(gateway.admin), "name": "360p.mp4"}
        yield gateway, known


@pytest.mark.parametrize(("label", "mode"), REQUESTS)
def test_every_answer_is_as_described(busy: tuple[Gateway, dict[str, str]], label: str, mode: GenerationMode) -> None:
    gateway, known = busy
    session = requests.Session()
    session.headers["X-API-Key"] = ADMIN_KEY
    operation = SCHEMA.find_operation_by_label(label)
    assert operation is not None
    strategies = [operation.as_strategy(mode)]
    names = {parameter.name for parameter in operation.path_parameters}
    if mode is GenerationMode.POSITIVE and names & known.keys() and not label.startswith("DELETE"):
        there: dict[str, Any] = {name: value for name, value in known.items() if name in names}
        strategies.append(operation.as_strategy(mode, path_parameters=there))

    for strategy in strategies:

        @DETERMINISTIC
        @given(case=strategy)
        def holds(case: Case[Any]) -> None:
            case.call_and_validate(base_url=gateway.url, session=session, excluded_checks=EXCLUDED)

        holds()
    session.close()
