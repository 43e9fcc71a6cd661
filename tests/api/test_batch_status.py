"""J7: the status of many jobs in one call."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest
from api.running import Gateway, complete, submit

BATCH = "/api/v1/jobs/batch-status"


def test_many_jobs_are_asked_for_at_once(any_gateway: Gateway) -> None:
    unknown = str(uuid4())
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        first = submit(ada, filename="1.mp4")
        complete(any_gateway.resources)
        second, theirs = submit(ada, filename="2.mp4"), submit(bob)
        answer = ada.post(BATCH, json={"job_ids": [second, unknown, first, theirs, second]})
    assert answer.status_code == 200, answer.text
    found = [(job["job_id"], job["filename"], job["status"]) for job in answer.json()["jobs"]]
    assert found == [(second, "2.mp4", "queued"), (first, "1.mp4", "completed")]
    assert answer.json()["not_found"] == [unknown, theirs], "another owner's is as good as none"


def test_five_hundred_at_once_are_enough(ada: httpx.Client) -> None:
    ids = [str(uuid4()) for _ in range(501)]
    assert len(ada.post(BATCH, json={"job_ids": ids[:500]}).json()["not_found"]) == 500
    assert ada.post(BATCH, json={"job_ids": ids}).status_code == 422


@pytest.mark.parametrize("body", [{}, {"job_ids": []}, {"job_ids": ["x"]}, {"job_ids": None}, {"job_ids": [], "a": 1}])
def test_a_batch_that_is_none_is_refused(ada: httpx.Client, body: dict[str, Any]) -> None:
    assert ada.post(BATCH, json=body).json()["code"] == "invalid_request"
