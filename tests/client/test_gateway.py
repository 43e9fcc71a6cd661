"""The SDK and the real gateway: whether both speak of the same interface."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
from api.running import ADMIN_KEY, Gateway, claim, plan, serving
from client.processes import environment, mill
from client.scripted import lines
from pydantic import SecretStr
from sqlmodel import col, select
from waiting import wait_for

from mill_client import (
    Client,
    Conflict,
    Forbidden,
    Invalid,
    JobFailed,
    JobSpec,
    JobStatus,
    NotFound,
    TranscriptSpec,
    Unauthenticated,
)
from mill_client import JobSource as SourcePlace
from mill_client._body import name_of
from mill_client.doctor import server_checks
from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.models import JobSource
from mill_common.queue import NewOutput, Spent, TaskResult
from mill_common.resources import Resources, open_resources
from mill_common.settings import Settings

FILES = {
    "360p.mp4": b"small" * 100_000,
    "audio.mp3": b"sound",
    "transcript.txt": b"one two three\n",
    "hls/master.m3u8": b"#EXTM3U\n",
    "hls/360p/1 a.m4s": b"segment",
}
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    settings = Settings(data_dir=tmp_path / "server", admin_key=SecretStr(ADMIN_KEY), max_source_bytes=2**20)
    with closing(Database(settings.database_url)) as database:
        migrate(database)
    with closing(open_resources(settings)) as resources, serving(resources) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    with Client(gateway.url, ADMIN_KEY) as connected:
        yield connected


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "Ärger & Co.mp4"
    path.write_bytes(b"moving pictures" * 1000)
    return path


def publish(resources: Resources, files: Mapping[str, bytes]) -> UUID:
    """Take the next job to its end with these files as its outputs."""
    plan(resources)
    claimed = claim(resources)
    prefix = f"jobs/{claimed.job.id}/{claimed.task_id}-{claimed.epoch}/"
    for name, content in files.items():
        resources.store.put(prefix + name, BytesIO(content), size=len(content), content_type="text/plain")
    tree = {name.removeprefix("hls/"): content for name, content in files.items() if name.startswith("hls/")}
    outputs = [output(prefix, name, content) for name, content in files.items() if not name.startswith("hls/")]
    if tree:
        outputs.append(output(prefix, "hls/", b"".join(tree.values()), {name: len(tree[name]) for name in tree}))
    resources.queue.finish(claimed, TaskResult(publish=True), outputs, Spent())
    return claimed.job.id


def output(prefix: str, name: str, content: bytes, files: Mapping[str, int] | None = None) -> NewOutput:
    return NewOutput(
        name=name,
        kind="hls" if files else "made",
        object_key=prefix + name,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content_type="text/plain",
        files=files or {},
    )


def test_a_file_becomes_a_job_with_everything_that_was_asked(client: Client, video: Path) -> None:
    spec = JobSpec(renditions=[360], hls=False, transcript=TranscriptSpec(language="en"))
    made = client.submit(video, spec=spec, priority=8, metadata={"course": "7", "part": 2})
    job = client.jobs.get(made.job_id)
    assert (job.status, job.priority, job.already_existed) == (JobStatus.QUEUED, 8, False)
    assert (job.source.filename, job.source.size_bytes) == (video.name, 15_000)
    assert job.source.file_hash == hashlib.sha256(video.read_bytes()).hexdigest()
    assert job.user_metadata == {"course": "7", "part": 2}
    assert (job.spec["renditions"], job.spec["hls"], job.spec["transcript"]["language"]) == ([360], False, "en")
    assert job.outputs.hls.reason == "not_requested"


def test_several_videos_become_one_job(client: Client, gateway: Gateway, video: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.mp4"
    second.write_bytes(b"more of it")
    told: list[tuple[int, int]] = []
    made = client.submit([video, second, video], collection="trip", on_bytes=lambda *bytes_: told.append(bytes_))
    job = client.jobs.get(made.job_id)
    assert (job.source.filename, job.source.video_count, job.source.segments) == (video.name, 3, None)
    assert told == sorted(told)
    assert told[-1] == (30_010, 30_010)
    with gateway.resources.database.read() as session:
        rows = session.exec(select(JobSource).order_by(col(JobSource.position))).all()
    assert [row.filename for row in rows] == [video.name, "second.mp4", video.name]


def test_uploads_and_urls_are_merged_in_the_order_given(client: Client, video: Path) -> None:
    upload = client.uploads.send(video)
    places = [SourcePlace(url="https://media.example.org/a.mp4"), SourcePlace(upload_id=upload.id)]
    job = client.jobs.create(sources=places)
    assert (job.source.filename, job.source.video_count) == ("a.mp4", 2)


def test_a_job_is_of_one_source_or_of_several(client: Client) -> None:
    for places in ({}, {"url": "https://media.example.org/a.mp4", "sources": [SourcePlace(upload_id=NOBODY)] * 2}):
        with pytest.raises(ValueError, match="exactly one"):
            client.jobs.create(**places)  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="at least 2"):
        client.jobs.create(sources=[SourcePlace(upload_id=NOBODY)])


def test_following_a_job_that_is_deleted_ends(client: Client, gateway: Gateway, video: Path) -> None:
    job_id = client.submit(video).job_id

    def delete() -> None:
        wait_for(lambda: gateway.app.state.hub.watching)
        client.jobs.delete(job_id)

    with ThreadPoolExecutor() as pool:
        deleted = pool.submit(delete)
        with pytest.raises(NotFound):
            list(client.jobs.follow(job_id))
        deleted.result()


def test_a_server_that_sends_browsers_to_storage_is_downloaded_from(tmp_path: Path, video: Path) -> None:
    settings = Settings(data_dir=tmp_path / "other", admin_key=SecretStr(ADMIN_KEY), download_redirects=True)
    with closing(Database(settings.database_url)) as database:
        migrate(database)
    with (
        closing(open_resources(settings)) as resources,
        serving(resources) as running,
        Client(running.url, ADMIN_KEY) as client,
    ):
        job_id = client.submit(video).job_id
        publish(resources, FILES)
        done = client.download(job_id, tmp_path / "out")
    assert {file.name: file.path.read_bytes() for file in done} == FILES


@pytest.mark.parametrize("name", [b"\xff\xfe.mp4", b"a\nb.mp4", b"back\\slash.mp4"])
@pytest.mark.parametrize("resumable", [False, True])
def test_a_file_may_have_any_name(client: Client, tmp_path: Path, name: bytes, resumable: bool) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"moving pictures")
    send = client.uploads.send_resumable if resumable else client.uploads.send
    assert send(path).filename == name_of(path)


def test_the_same_request_is_the_same_job(client: Client, video: Path) -> None:
    upload = client.uploads.send(video)
    first = client.jobs.create(upload_id=upload.id, idempotency_key="k1")
    again = client.jobs.create(upload_id=upload.id, idempotency_key="k1")
    assert (again.job_id, first.already_existed, again.already_existed) == (first.job_id, False, True)
    with pytest.raises(Invalid) as caught:
        client.jobs.create(upload_id=upload.id, idempotency_key="k1", priority=1)
    assert caught.value.code == "idempotency_mismatch"


def test_a_completed_job_is_downloaded_byte_for_byte(
    client: Client, gateway: Gateway, video: Path, tmp_path: Path
) -> None:
    job_id = client.submit(video).job_id
    publish(gateway.resources, FILES)
    assert client.jobs.wait(job_id, timeout_s=10).outputs.audio.available
    done = client.download(job_id, tmp_path / "out")
    assert {file.name: file.path.read_bytes() for file in done} == FILES
    assert {file.name: file.outcome for file in client.download(job_id, tmp_path / "out", ["*.mp?", "*.txt"])} == {
        "360p.mp4": "present",
        "audio.mp3": "present",
        "transcript.txt": "present",
    }


def test_a_broken_download_is_gone_on_with(client: Client, gateway: Gateway, video: Path, tmp_path: Path) -> None:
    job_id = client.submit(video).job_id
    publish(gateway.resources, FILES)
    body = FILES["360p.mp4"]
    part = tmp_path / f".360p.mp4.{hashlib.sha256(body).hexdigest()[:16]}.part"
    part.write_bytes(body[:400_000])
    told: list[int] = []
    client.download(job_id, tmp_path, ["360p"], on_file=lambda _file, done: told.append(done))
    assert (tmp_path / "360p.mp4").read_bytes() == body
    assert min(told) > 400_000
    assert not part.exists()


def test_jobs_are_listed_page_after_page(client: Client, video: Path) -> None:
    made = [client.submit(video, priority=number).job_id for number in range(5)]
    listed = [job.job_id for job in client.jobs.each(per_page=2, sort_by="priority", sort_order="asc")]
    assert listed == made
    assert [job.priority for job in client.jobs.each(priority=3, status=JobStatus.QUEUED, search="CO.MP4")] == [3]


def test_a_cancelled_job_fails_the_wait_and_can_be_deleted(client: Client, video: Path) -> None:
    job_id = client.submit(video).job_id
    assert client.jobs.cancel(job_id).status == "cancelled"
    with pytest.raises(JobFailed, match="was cancelled"):
        client.jobs.wait(job_id, timeout_s=10)
    with pytest.raises(Conflict) as caught:
        client.jobs.cancel(job_id)
    assert caught.value.code == "job_ended"
    with pytest.raises(Conflict):
        client.jobs.retry(job_id)
    assert client.jobs.delete(job_id).deleted
    with pytest.raises(NotFound):
        client.jobs.get(job_id)


def test_an_upload_can_be_looked_at_and_deleted(client: Client, video: Path) -> None:
    upload = client.uploads.send(video, filename="other.mp4")
    assert client.uploads.get(upload.id).filename == "other.mp4"
    client.uploads.delete(upload.id)
    with pytest.raises(NotFound):
        client.uploads.get(upload.id)


def test_a_file_that_is_too_large_is_refused(client: Client, tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(2**20 + 1))
    with pytest.raises(Invalid) as caught:
        client.uploads.send(large)
    assert caught.value.status == 413


def test_a_key_does_what_its_scopes_say_until_it_is_revoked(client: Client, gateway: Gateway) -> None:
    key = client.keys.create("ci", owner="ann")
    assert key.key
    assert [(other.owner, other.scopes) for other in client.keys.all() if other.id == key.id] == [("ann", ["jobs"])]
    with Client(gateway.url, key.key) as ann:
        assert ann.jobs.page().total == 0
        with pytest.raises(Forbidden):
            ann.keys.all()
        client.keys.revoke(key.id)
        with pytest.raises(Unauthenticated):
            ann.jobs.page()


def test_a_wrong_request_says_what_is_wrong_where(client: Client) -> None:
    with pytest.raises(Invalid) as caught:
        client.jobs.create(url="https://example.org/a.mp4", priority=77)
    assert any("priority" in where for where, _ in caught.value.errors)


@pytest.mark.parametrize(("key", "verdict"), [(ADMIN_KEY, "ok"), ("mill_nobody", "failed"), ("", "failed")])
def test_the_doctor_tells_a_good_key_from_a_bad_one(gateway: Gateway, key: str, verdict: str) -> None:
    checks = {check.name: check.status for check in server_checks(gateway.url, key)}
    assert checks == {"server": "ok", "ready": "ok", "key": verdict}


def test_the_command_takes_a_video_from_submission_to_files(gateway: Gateway, video: Path, tmp_path: Path) -> None:
    env = environment(gateway.url, MILL_API_KEY=ADMIN_KEY)
    job_id = mill("submit", str(video), env=env).stdout.strip()
    publish(gateway.resources, FILES)
    followed = mill("get", job_id, "--wait", "--json", env=env)
    assert (followed.returncode, lines(followed.stdout)[-1]["status"]) == (0, "completed")
    assert mill("download", job_id, "--output", str(tmp_path / "out"), env=env).returncode == 0
    assert (tmp_path / "out/hls/360p/1 a.m4s").read_bytes() == b"segment"
    assert mill("get", NOBODY, env=env).returncode == 5
