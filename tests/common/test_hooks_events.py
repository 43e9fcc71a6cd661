"""What happens to a job is written down for its listeners with the job's own change (requirement J10)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from common.desk import Desk, made
from sqlalchemy import event, select, update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.errors import SourceUnreadable
from mill_common.hooks.payload import BYTES_MAX, body
from mill_common.models import Job, Owner, WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus, PayloadSize, WebhookEvent
from mill_common.queue import NewTask, cancel_job

EVERY = [event.value for event in WebhookEvent]
PUBLISH = NewTask(name="publish", kind="publish")


def _endpoint(desk: Desk, owner: str = "ada", **fields: Any) -> UUID:
    endpoint = WebhookEndpoint(owner_id=owner, url="https://a.example/", secret="whsec_", **{"events": EVERY, **fields})
    with desk.database.write() as session:
        if session.get(Owner, owner) is None:
            session.add(Owner(id=owner))
            session.flush()
        session.add(endpoint)
    return endpoint.id


def _deliveries(desk: Desk, event: str | None = None) -> list[WebhookDelivery]:
    with desk.database.read() as session:
        found = session.scalars(select(WebhookDelivery).order_by(col(WebhookDelivery.id))).all()
    return [delivery for delivery in found if event is None or delivery.event == event]


def _events(desk: Desk) -> list[str]:
    return [delivery.event.value for delivery in _deliveries(desk) if delivery.event != "job.progress"]


def _beat(desk: Desk, claim: Any, progress: float) -> None:
    desk.queue.heartbeat(claim, progress, "encoding")


def test_a_job_that_completes_is_told_of_from_start_to_end(desk: Desk) -> None:
    _endpoint(desk)
    job = desk.planned(PUBLISH)
    desk.finish(desk.claim(), made("360p.mp4"), publish=True)
    assert _events(desk) == ["job.started", "output.ready", "job.completed"]
    completed = _deliveries(desk, "job.completed")[0]
    assert (completed.job_id, completed.status, completed.attempts) == (job, DeliveryStatus.PENDING, 0)
    assert completed.data == {
        "job_id": str(job),
        "status": "completed",
        "progress": 100.0,
        "links": {"job": f"/api/v1/jobs/{job}", "outputs": f"/api/v1/jobs/{job}/outputs"},
    }


def test_a_job_that_fails_is_told_of_once_each_time(desk: Desk) -> None:
    _endpoint(desk)
    job = desk.planned(NewTask(name="a", kind="a"), NewTask(name="b", kind="b"))
    claims = desk.claims(2)
    desk.fail(claims["a"], SourceUnreadable())
    desk.finish(claims["b"])
    assert _events(desk) == ["job.started", "job.failed"]
    assert _deliveries(desk, "job.failed")[0].data["error_code"] == "source_unreadable"
    desk.retry(job)
    desk.fail(desk.claim(), SourceUnreadable())
    assert _events(desk) == ["job.started", "job.failed", "job.failed"]


def test_a_cancelled_job_is_told_of_and_what_its_tasks_still_say_is_not(desk: Desk) -> None:
    _endpoint(desk)
    desk.planned(PUBLISH)
    running = desk.claim()
    desk.cancel(running.job.id)
    desk.queue.acknowledge_cancel(running, _nothing())
    assert _events(desk) == ["job.started", "job.cancelled"]


def _nothing() -> Any:
    from common.desk import NOTHING

    return NOTHING


def test_a_job_handed_back_and_taken_up_again_has_started_once(desk: Desk) -> None:
    _endpoint(desk)
    desk.job()
    desk.queue.release(desk.claim(), _nothing())
    desk.claim()
    assert _events(desk) == ["job.started"]


def test_a_change_that_is_rolled_back_tells_nobody(desk: Desk) -> None:
    _endpoint(desk)
    job = desk.job()
    with pytest.raises(RuntimeError), desk.database.write() as session:
        cancel_job(session, job)
        session.flush()
        assert session.scalars(select(WebhookDelivery)).all()
        raise RuntimeError
    assert _deliveries(desk) == []


def test_only_who_chose_an_event_and_is_enabled_and_owns_the_job_is_told(desk: Desk) -> None:
    chosen = _endpoint(desk, events=["job.cancelled"])
    _endpoint(desk, events=["job.completed"])
    _endpoint(desk, enabled=False)
    _endpoint(desk, "bob")
    _endpoint(desk, job_id=UUID(int=7))
    job = desk.job()
    own = _endpoint(desk, job_id=job)
    desk.cancel(job)
    assert {delivery.endpoint_id for delivery in _deliveries(desk)} == {chosen, own}


def test_where_nobody_listens_a_change_costs_one_more_look(desk: Desk) -> None:
    _endpoint(desk, "bob")
    desk.job()
    statements: list[str] = []
    event.listen(
        desk.database.engine, "before_cursor_execute", lambda c, cursor, statement, *more: statements.append(statement)
    )
    desk.claim()
    assert [statement for statement in statements if "webhook" in statement][1:] == []
    assert len([statement for statement in statements if "webhook_endpoint" in statement]) == 1


def test_outputs_are_told_of_one_for_each_thing_asked_for(desk: Desk) -> None:
    _endpoint(desk, events=["output.ready"])
    job = desk.planned(PUBLISH)
    kinds = {"transcript.txt": "transcript", "transcript.srt": "transcript", "hls/": "hls", "audio.mp3": "audio"}
    kinds |= {"thumbnails/poster.jpg": "thumbnail", "thumbnails/sprite-000.jpg": "thumbnail", "source": "source"}
    outputs = [made("360p.mp4", size=7), made("720p.mp4"), made("chunks/000/360p.mp4", intermediate=True)]
    outputs += [made(name, kind=kind) for name, kind in kinds.items()]
    desk.finish(desk.claim(), *outputs, publish=True)
    told = {delivery.data["output"]["name"]: delivery.data["output"] for delivery in _deliveries(desk)}
    assert sorted(told) == ["360p", "720p", "audio", "hls", "thumbnails", "transcription"]
    downloads = f"/api/v1/jobs/{job}/download"
    assert told["360p"] == {
        "name": "360p",
        "kind": "rendition",
        "size_bytes": 7,
        "links": {"download": f"{downloads}/360p.mp4"},
    }
    assert told["transcription"]["links"] == {
        "srt": f"{downloads}/transcript.srt",
        "txt": f"{downloads}/transcript.txt",
    }
    assert told["thumbnails"]["links"] == {"poster": f"{downloads}/thumbnails/poster.jpg"}
    assert told["hls"]["links"] == {"job": f"/api/v1/jobs/{job}"}


def test_progress_waits_once_and_is_overwritten_until_it_is_sent(desk: Desk) -> None:
    _endpoint(desk, events=["job.progress"])
    desk.planned(PUBLISH)
    running = desk.claim()
    for progress in (0.2, 0.4, 0.6):
        _beat(desk, running, progress)
    [report] = _deliveries(desk)
    assert report.data["progress"] == pytest.approx(100 * desk.row(running.job.id).progress, abs=0.1)
    assert report.data["progress"] > 50


def test_progress_is_told_again_only_after_a_step_and_a_while(desk: Desk) -> None:
    _endpoint(desk, events=["job.progress"])
    desk.planned(PUBLISH)
    running = desk.claim()
    _set_all(desk, status=DeliveryStatus.DELIVERED, epoch=1)
    _beat(desk, running, 0.001)
    assert len(_deliveries(desk)) == 1
    _beat(desk, running, 0.5)
    _, later = _deliveries(desk)
    with desk.database.read() as session:
        wait_s = (later.next_at - session.execute(select(db_now())).scalar_one()).total_seconds()
    assert 0 < wait_s <= 10


def test_a_report_that_may_have_arrived_is_not_overwritten(desk: Desk) -> None:
    _endpoint(desk, events=["job.progress"])
    desk.planned(PUBLISH)
    running = desk.claim()
    before = _deliveries(desk)[0].data
    _set_all(desk, epoch=1)  # its watchdog died after it was sent
    _beat(desk, running, 0.9)
    assert _deliveries(desk)[0].data == before


def test_what_waits_of_progress_is_worthless_once_the_job_has_ended(desk: Desk) -> None:
    _endpoint(desk)
    desk.planned(PUBLISH)
    _beat(desk, desk.claim(), 0.5)
    with desk.database.read() as session:
        job = session.scalars(select(Job)).one().id
    desk.cancel(job)
    assert {report.status for report in _deliveries(desk, "job.progress")} == {DeliveryStatus.SUPERSEDED}


def test_a_full_event_holds_what_a_client_wants_to_know(desk: Desk) -> None:
    _endpoint(desk, payload=PayloadSize.FULL, events=["job.completed"])
    desk.job(user_metadata={"ticket": 7}, source_size=1000)
    desk.finish(desk.claim(), tasks=[PUBLISH], media={"duration_s": 12.5})
    desk.finish(desk.claim(), made("360p.mp4", size=7), publish=True)
    data = _deliveries(desk)[0].data
    assert (data["filename"], data["duration_seconds"], data["size_bytes"]) == ("clip.mp4", 12.5, 1000)
    assert (data["metadata"], data["error"], data["outputs"]["360p"]["size_bytes"]) == ({"ticket": 7}, None, 7)


def test_a_body_stays_under_twenty_kilobytes_and_says_what_it_leaves_out(desk: Desk) -> None:
    _endpoint(desk, payload=PayloadSize.FULL, events=["job.completed", "output.ready"])
    desk.job(user_metadata={f"key {number}": "ß" * 1000 for number in range(50)})
    desk.finish(desk.claim(), tasks=[PUBLISH])
    files = [made(f"{'x' * 200}-{number}.mp4") for number in range(60)]
    desk.finish(desk.claim(), *files, publish=True)
    address = "https://" + "mill." * 40 + "example"
    sizes = [len(body(sent.event, sent.created_at, sent.data, address)) for sent in _deliveries(desk)]
    assert max(sizes) < BYTES_MAX
    assert _deliveries(desk, "job.completed")[0].data["left_out"] == ["metadata", "outputs"]


def test_links_get_the_public_address_and_nothing_else_does(database: Database) -> None:
    with database.read() as session:
        at = session.execute(select(db_now())).scalar_one()
    said = body("job.completed", at, {"links": {"job": "/j"}, "filename": "/etc"}, "https://mill.example/").decode()
    assert '"links":{"job":"https://mill.example/j"}' in said
    assert '"filename":"/etc"' in said


def _set_all(desk: Desk, **values: Any) -> None:
    with desk.database.write() as session:
        session.execute(update(WebhookDelivery).values(**values))
