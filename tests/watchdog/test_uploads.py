"""Uploads that nobody made a job of are removed, with their objects."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import Session, col
from watchdog.sweeps import latest, sweep

from mill_common.clock import db_now
from mill_common.errors import SourceMissing
from mill_common.models import Job, JobSource, Upload
from mill_common.queue import enqueue_job
from mill_common.resources import Resources
from mill_common.storage import UploadPart


def _upload(resources: Resources, key: str, *, expires_s: float) -> Upload:
    resources.store.put(key, BytesIO(b"bytes"), size=5, content_type="video/mp4")
    with resources.database.write() as session:
        return _row(session, key, completed_at=db_now(), expires_at=db_now(expires_s))


def _row(session: Session, key: str, **fields: Any) -> Upload:
    values: dict[str, Any] = {
        "owner_id": "ada",
        "filename": "clip.mp4",
        "content_type": "video/mp4",
        "object_key": key,
        "size": 5,
    }
    upload = Upload(**values, **fields)
    session.add(upload)
    return upload


def _keys(resources: Resources) -> set[str]:
    with resources.database.read() as session:
        rows = set(session.scalars(select(col(Upload.object_key))))
    stored = {stat.key for stat in resources.store.list("uploads/")}
    assert rows == stored
    return rows


def test_only_an_expired_upload_goes(resources: Resources) -> None:
    _upload(resources, "uploads/old", expires_s=-1)
    _upload(resources, "uploads/new", expires_s=3600)
    assert sweep(resources, "expired_uploads") == {"deleted_count": 1}
    assert _keys(resources) == {"uploads/new"}


def test_an_upload_that_a_job_uses_stays(resources: Resources) -> None:
    upload = _upload(resources, "uploads/used", expires_s=-1)
    with resources.database.write() as session:
        job = Job(owner_id="ada", filename="clip.mp4", source_key="uploads/used", upload_id=upload.id)
        enqueue_job(session, job, resources.queue.policy)
    assert sweep(resources, "expired_uploads") == {"deleted_count": 0}
    assert _keys(resources) == {"uploads/used"}


def test_an_upload_that_is_one_of_several_sources_stays(resources: Resources) -> None:
    upload = _upload(resources, "uploads/used", expires_s=-1)
    with resources.database.write() as session:
        job = Job(owner_id="ada", filename="clip.mp4")
        enqueue_job(session, job, resources.queue.policy)
        session.add(JobSource(job_id=job.id, position=1, upload_id=upload.id, filename="clip.mp4"))
    assert sweep(resources, "expired_uploads") == {"deleted_count": 0}


def test_a_sweep_that_was_killed_between_object_and_row_is_finished_by_the_next(resources: Resources) -> None:
    _upload(resources, "uploads/old", expires_s=-1)
    resources.store.delete(["uploads/old"])
    assert sweep(resources, "expired_uploads") == {"deleted_count": 1}
    assert _keys(resources) == set()


def test_the_parts_of_an_upload_that_was_never_completed_go(resources: Resources) -> None:
    multipart_id = resources.store.start_multipart("uploads/parts", content_type="video/mp4")
    with resources.database.write() as session:
        _row(session, "uploads/parts", multipart_id=multipart_id, expires_at=db_now(-1))
    assert sweep(resources, "expired_uploads") == {"deleted_count": 1}
    with pytest.raises(SourceMissing):
        resources.store.complete_multipart("uploads/parts", multipart_id, [UploadPart(1, "0" * 32)])


def test_more_than_one_batch_goes_in_one_run(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mill_watchdog.uploads.AT_ONCE", 2)
    for number in range(5):
        _upload(resources, f"uploads/{number}", expires_s=-1)
    assert sweep(resources, "expired_uploads") == {"deleted_count": 5}
    run = latest(resources, "expired_uploads")
    assert (run.total_items, run.items_succeeded, run.metadata) == (5, 5, {"deleted_count": 5})
