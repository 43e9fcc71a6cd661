"""Every other operation of the SDK on the real gateway; J-numbers name the requirement that a test shows."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from api.running import Gateway, claim, complete

from mill_client import (
    AudioSpec,
    Client,
    Forbidden,
    IdempotencyMismatch,
    JobSpec,
    JobWebhook,
    SourceRefused,
    ThumbnailsSpec,
    TranscriptSpec,
    Unauthenticated,
)
from mill_common.errors import SourceUnreadable
from mill_common.queue import Spent

NOBODY = "00000000-0000-7000-8000-000000000000"
HOOK = "https://hooks.example.org/mill"


def test_j1_a_job_has_everything_that_was_asked(ada: Client, video: Path) -> None:
    spec = JobSpec(
        renditions=[360],
        hls=False,
        audio=AudioSpec(formats=["opus"], bitrate_kbps=64),
        thumbnails=ThumbnailsSpec(times=[1.5], sprites=False),
        transcript=TranscriptSpec(task="translate", formats=["vtt"], words=False),
    )
    made = ada.submit(video, spec=spec, deadline=3600, collection="Alps", webhook=JobWebhook(url=HOOK))
    job = ada.jobs.get(made.job_id)
    assert job.spec["audio"] == {"formats": ["opus"], "bitrate_kbps": 64}
    assert (job.spec["thumbnails"]["times"], job.spec["thumbnails"]["sprites"]) == ([1.5], False)
    assert job.spec["transcript"] == {"language": None, "task": "translate", "formats": ["vtt"], "words": False}
    assert (job.collection, (made.webhook_secret or "")[:6]) == ("Alps", "whsec_")


def test_q1_the_same_video_is_the_same_job_where_that_is_wanted(ada: Client, video: Path) -> None:
    first, again, other = ada.submit(video), ada.submit(video, reuse=True), ada.submit(video)
    assert (again.job_id, again.already_existed) == (first.job_id, True)
    assert (other.job_id != first.job_id, other.already_existed) == (True, False)


def test_a_key_used_for_another_request_has_its_own_error(ada: Client, video: Path) -> None:
    upload = ada.uploads.send(video)
    ada.jobs.create(upload_id=upload.id, idempotency_key="k")
    with pytest.raises(IdempotencyMismatch):
        ada.jobs.create(upload_id=upload.id, idempotency_key="k", priority=1)


def test_a_source_that_is_not_there_has_its_own_error(ada: Client) -> None:
    with pytest.raises(SourceRefused):
        ada.jobs.create(upload_id=NOBODY)


def test_j2_jobs_are_listed_by_several_values_of_a_filter(ada: Client, video: Path) -> None:
    made = [ada.submit(video, force=True, priority=n, collection=f"c{n}", metadata={"n": n}) for n in range(4)]
    chosen = [job.job_id for job in ada.jobs.each(priority=[1, 3], sort_by="priority", sort_order="asc", per_page=1)]
    assert chosen == [made[1].job_id, made[3].job_id]
    assert [job.job_id for job in ada.jobs.each(collection=["c0"], status=["queued", "failed"])] == [made[0].job_id]
    assert [job.job_id for job in ada.jobs.each(metadata=["n=2"])] == [made[2].job_id]
    later = datetime.now(UTC) + timedelta(hours=1)
    assert list(ada.jobs.each(from_date=later)) == []


def test_j6_stats_count_the_owners_jobs(gateway: Gateway, ada: Client, video: Path) -> None:
    ada.submit(video)
    complete(gateway.resources)
    ada.submit(video, force=True)
    stats = ada.jobs.stats()
    assert (stats.total_jobs, stats.status_breakdown["completed"], stats.status_breakdown["queued"]) == (2, 1, 1)
    assert stats.storage.used_bytes >= video.stat().st_size


def test_j7_many_jobs_are_asked_about_at_once(ada: Client, video: Path) -> None:
    made = ada.submit(video)
    answer = ada.jobs.batch_status([made.job_id, NOBODY])
    assert ([job.job_id for job in answer.jobs], answer.not_found) == ([made.job_id], [NOBODY])


def test_j7_more_jobs_than_one_request_takes_are_asked_about(ada: Client, video: Path) -> None:
    made = ada.submit(video)
    ids = [f"00000000-0000-7000-8000-{number:012d}" for number in range(700)]
    answer = ada.jobs.batch_status([*ids, made.job_id])
    assert ([job.job_id for job in answer.jobs], sorted(answer.not_found)) == ([made.job_id], ids)


def test_j8_a_failed_job_is_tried_again_and_has_a_history(gateway: Gateway, ada: Client, video: Path) -> None:
    job_id = ada.submit(video).job_id
    gateway.resources.queue.fail(claim(gateway.resources), SourceUnreadable(), Spent())
    job = ada.jobs.get(job_id)
    assert (job.status, job.error and job.error.code) == ("failed", "source_unreadable")
    assert [attempt.error_code for attempt in ada.jobs.attempts(job_id)] == ["source_unreadable"]
    assert "source_unreadable" in {entry.error_code for entry in ada.jobs.logs(job_id, level="warning", per_page=1)}
    assert ada.jobs.retry(job_id).status == "queued"


def test_j9_priority_collection_and_metadata_can_be_changed(ada: Client, video: Path) -> None:
    job_id = ada.submit(video, collection="a", metadata={"x": 1}).job_id
    assert ada.jobs.change(job_id, priority=9).priority == 9
    changed = ada.jobs.change(job_id, collection="", metadata={"y": 2})
    assert (changed.priority, changed.collection, changed.user_metadata) == (9, None, {"y": 2})


def test_j10_a_webhook_is_made_changed_tested_and_deleted(ada: Client) -> None:
    made = ada.webhooks.create(HOOK, events=["job.failed"], description="ours")
    assert (made.secret or "").startswith("whsec_")
    assert [hook.secret for hook in ada.webhooks.all()] == [None]
    assert ada.webhooks.change(made.id, payload="full", events=["job.completed"]).events == ["job.completed"]
    assert ada.webhooks.rotate_secret(made.id, grace_seconds=60).secret != made.secret
    sent = ada.webhooks.test(made.id)
    (listed,) = ada.webhooks.deliveries(made.id, per_page=1)
    assert (listed.id, listed.event) == (sent.id, "webhook.test")
    assert ada.webhooks.delivery(made.id, sent.id).body["type"] == "webhook.test"
    assert ada.webhooks.recover(made.id, datetime.now(UTC) - timedelta(days=1)) == 0
    assert ada.webhooks.redeliver(made.id, sent.id).id == sent.id
    ada.webhooks.delete(made.id)
    assert ada.webhooks.all() == []


def test_j10_a_job_tells_what_its_webhooks_were_sent(gateway: Gateway, ada: Client, video: Path) -> None:
    hook = ada.webhooks.create(HOOK)
    job_id = ada.submit(video).job_id
    complete(gateway.resources)
    assert [(sent.webhook_id, sent.event) for sent in ada.jobs.deliveries(job_id)] == [(hook.id, "job.completed")]


def test_j11_the_list_is_exported_in_every_format(ada: Client, video: Path) -> None:
    made = {ada.submit(video, force=True).job_id for _ in range(3)}
    told = {kind: b"".join(ada.jobs.export(kind)).decode() for kind in ("csv", "json", "ndjson")}
    assert {row["job_id"] for row in csv.DictReader(io.StringIO(told["csv"]))} == made
    assert {row["job_id"] for row in json.loads(told["json"])} == made
    assert {json.loads(line)["job_id"] for line in told["ndjson"].splitlines()} == made
    assert b"".join(ada.jobs.export("ndjson", status="failed")) == b""


def test_j12_usage_is_counted(ada: Client) -> None:
    usage = ada.usage(group_by=["day", "route"])
    assert usage.totals.requests >= 0
    assert usage.from_date < usage.to_date


def test_j14_health_needs_no_key(gateway: Gateway) -> None:
    with Client(gateway.url, "") as stranger:
        assert stranger.health().status == "healthy"
        with pytest.raises(Unauthenticated):
            stranger.jobs.page()


def test_collections_are_counted(ada: Client, video: Path) -> None:
    for name in ("a", "a", "b"):
        ada.submit(video, force=True, collection=name)
    assert {found.name: found.jobs for found in ada.collections.each(per_page=1)} == {"a": 2, "b": 1}


def test_a_rotated_key_is_another_one_at_once(gateway: Gateway, admin: Client) -> None:
    made = admin.keys.create("ci", owner="ci", scopes=["jobs:read"])
    rotated = admin.keys.rotate(made.id, overlap_seconds=0)
    with Client(gateway.url, made.key) as old, pytest.raises(Unauthenticated):
        old.jobs.page()
    with Client(gateway.url, rotated.key) as new:
        assert new.jobs.page().total == 0
        with pytest.raises(Forbidden):
            new.jobs.create(url="https://example.org/a.mp4")


def test_a_ticket_names_what_a_browser_opens(ada: Client, video: Path) -> None:
    job_id = ada.submit(video).job_id
    assert job_id in ada.events.ticket(job_id).url
    assert "ticket=" in ada.events.ticket().url


def test_a_stream_cookie_names_what_is_played(gateway: Gateway, ada: Client, video: Path) -> None:
    job_id = ada.submit(video).job_id
    complete(gateway.resources, {"hls/master.m3u8": b"#EXTM3U\n"})
    assert ada.jobs.stream_cookie(job_id).master_url.endswith("master.m3u8")


def test_deleting_an_upload_leaves_nothing_to_make_a_job_of(gateway: Gateway, ada: Client, video: Path) -> None:
    upload = ada.uploads.send(video)
    ada.uploads.delete(upload.id)
    with pytest.raises(SourceRefused):
        ada.jobs.create(upload_id=upload.id)
