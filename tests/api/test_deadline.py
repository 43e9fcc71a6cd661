"""By when a job is wanted, and where it is filed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from api.running import Gateway, submit, upload

from mill_common.models import Job

JOBS = "/api/v1/jobs"


def row(gateway: Gateway, job_id: str) -> Job:
    """The job's row."""
    with gateway.resources.database.read() as session:
        return session.get_one(Job, UUID(job_id))


def test_a_deadline_is_a_time_or_seconds_from_now(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        soon = row(any_gateway, submit(ada, deadline=3600))
        assert soon.deadline_at is not None
        assert abs(soon.deadline_at - soon.created_at - timedelta(hours=1)) < timedelta(minutes=1)
        at = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
        assert row(any_gateway, submit(ada, deadline=at.isoformat())).deadline_at == at
        assert row(any_gateway, submit(ada)).deadline_at is None


@pytest.mark.parametrize("deadline", [0, -5, True, "soon", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", [1]])
def test_a_deadline_that_cannot_be_kept_is_refused_at_its_field(ada: httpx.Client, deadline: object) -> None:
    answer = ada.post(JOBS, json={"source": {"upload_id": upload(ada)}, "deadline": deadline})
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["errors"]] == [["body", "deadline"]]


def test_a_job_is_filed_under_its_collection(gateway: Gateway, ada: httpx.Client) -> None:
    assert row(gateway, submit(ada, collection="Ferien 2026")).collection == "Ferien 2026"
    for collection in ("", "x" * 65, "two\nlines"):
        answer = ada.post(JOBS, json={"source": {"upload_id": upload(ada)}, "collection": collection})
        assert answer.json()["errors"][0]["loc"] == ["body", "collection"]
