"""J6: statistics for an owner; J16: what storage holds of theirs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from api.running import Gateway, complete, submit
from sqlalchemy import update
from sqlmodel import col

from mill_common.models import Job, Owner

STATS = "/api/v1/jobs/stats"
BASE = datetime(2026, 3, 1, 12, tzinfo=UTC)


def write(gateway: Gateway, job_id: str, **values: Any) -> None:
    """Let a job's row say something else."""
    with gateway.resources.database.write() as session:
        session.execute(update(Job).where(col(Job.id) == UUID(job_id)).values(**values))


def test_an_owners_jobs_in_figures(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        for day, seconds in enumerate((10, 30)):
            job_id = submit(ada)
            complete(any_gateway.resources, {"360p.mp4": b"film", "hls/1.m4s": b"x"})
            at = BASE + timedelta(days=day)
            ended = at + timedelta(seconds=seconds + 0.25)
            write(any_gateway, job_id, created_at=at, started_at=at, completed_at=ended)
        for day in (2, 3):
            job_id = submit(ada)
            assert ada.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 200
            write(any_gateway, job_id, created_at=BASE + timedelta(days=day))
        submit(bob)
        found = ada.get(STATS)
        assert found.status_code == 200, found.text
        stats = found.json()
        second_day = ada.get(STATS, params={"from_date": "2026-03-02", "to_date": "2026-03-03T23:59:59Z"}).json()
    assert stats["total_jobs"] == 4
    assert stats["status_breakdown"] == {"queued": 0, "processing": 0, "completed": 2, "failed": 0, "cancelled": 2}
    assert stats["success_rate"] == 50
    assert stats["processing_metrics"] == {
        "total_processing_time_seconds": 40.5,
        "total_processing_time_hours": 0.01,
        "total_video_duration_seconds": 25.0,
        "total_video_duration_hours": 0.01,
        "average_processing_time_seconds": 20.25,
        "processing_efficiency": 61.73,
    }
    assert stats["storage"] == {
        "used_bytes": 4 * len(b"moving pictures") + 10,
        "upload_bytes": 4 * len(b"moving pictures"),
        "output_bytes": 10,
        "quota_bytes": None,
    }
    assert stats["date_range"] == {"from": None, "to": None}
    assert (second_day["total_jobs"], second_day["status_breakdown"]["completed"]) == (2, 1)
    assert second_day["processing_metrics"]["total_processing_time_seconds"] == 30.25
    assert second_day["date_range"] == {"from": "2026-03-02T00:00:00.000Z", "to": "2026-03-03T23:59:59.000Z"}
    assert second_day["storage"] == stats["storage"], "what is used is used now"


def test_who_has_no_jobs_has_no_figures(gateway: Gateway, ada: httpx.Client) -> None:
    with gateway.resources.database.write() as session:
        session.execute(update(Owner).where(col(Owner.id) == "ada").values(storage_quota=1000))
    stats = ada.get(STATS).json()
    assert (stats["total_jobs"], stats["success_rate"]) == (0, 0)
    assert set(stats["processing_metrics"].values()) == {0}
    assert (stats["storage"]["used_bytes"], stats["storage"]["quota_bytes"]) == (0, 1000)


def test_a_range_that_is_none_is_refused(ada: httpx.Client) -> None:
    assert ada.get(STATS, params={"from_date": "yesterday"}).json()["code"] == "invalid_request"
