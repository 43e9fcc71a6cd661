"""Several videos through a running server become one, with captions where they are spoken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from source_server import reply, source_server
from standalone.running import KEY, MillProcess
from transcoder.clips import FAST, ffmpeg, picture
from waiting import wait_for

from mill_client import Client, Job, JobFailed, JobStatus
from mill_standalone.demo import SAMPLE

MillUp = Callable[..., MillProcess]
SPOKEN = (SAMPLE.parent / "digits.txt").read_text().split()


@contextmanager
def asking(mill: MillProcess) -> Iterator[httpx.Client]:
    """The HTTP interface itself."""
    with httpx.Client(base_url=mill.url, headers={"X-API-Key": KEY}, timeout=60) as client:
        yield client


def upload(client: httpx.Client, file: Path, name: str) -> dict[str, Any]:
    """A file as a source."""
    sent = client.post("/api/v1/uploads", params={"filename": name}, content=file.read_bytes())
    assert sent.status_code == 201, sent.text
    return {"upload_id": sent.json()["id"]}


def ended(client: Client, job_id: str) -> Job:
    """The job once it has ended well."""
    return client.jobs.wait(job_id, timeout_s=240)


def words(client: httpx.Client, job_id: str) -> list[dict[str, Any]]:
    """What was said, and when."""
    transcript = client.get(f"/api/v1/jobs/{job_id}/download/transcript.json", follow_redirects=True).json()
    found: list[dict[str, Any]] = transcript["words"]
    return found


def objects(folder: Path) -> set[str]:
    """The keys of what lies in storage."""
    # A folder's name ends in "+", so that an object may be called as a folder is.
    return {str(path.relative_to(folder)).replace("+/", "/") for path in folder.rglob("*") if path.is_file()}


def test_an_upload_and_a_url_become_one_video_with_captions_in_place(mill_up: MillUp, tmp_path: Path) -> None:
    mute = tmp_path / "mute.mp4"
    ffmpeg(*picture(3.2, "160x90", "30000/1001"), *FAST, str(mute))
    mill = mill_up(MILL_SOURCE_NETWORKS="127.0.0.0/8", MILL_LADDER="90,180")
    with source_server(reply(SAMPLE.read_bytes()), address="127.0.0.1") as web, asking(mill) as client:
        sources = [upload(client, mute, "mute.mp4"), {"url": f"{web.url}/digits.mp4"}, upload(client, mute, "end.mp4")]
        sent = client.post("/api/v1/jobs", json={"sources": sources})
        assert sent.status_code == 201, sent.text
        alone = client.post("/api/v1/jobs", json={"source": upload(client, SAMPLE, "digits.mp4")}).json()["job_id"]
        job_id = sent.json()["job_id"]
        assert ended(mill.client, job_id).status is JobStatus.COMPLETED
        ended(mill.client, alone)
        view = client.get(f"/api/v1/jobs/{job_id}").json()
        segments = view["source"]["segments"]
        assert [segment["filename"] for segment in segments] == ["mute.mp4", "digits.mp4", "end.mp4"]
        assert [segment["has_audio"] for segment in segments] == [False, True, False]
        begins = segments[1]["start_seconds"]
        assert begins == pytest.approx(3.2, abs=1001 / 30000)
        assert view["source"]["duration_seconds"] == pytest.approx(
            sum(segment["duration_seconds"] for segment in segments), abs=0.01
        )
        said, said_alone = words(client, job_id), words(client, alone)
        assert [word["word"].strip() for word in said] == SPOKEN
        for word, known in zip(said, said_alone, strict=True):
            assert word["start"] == pytest.approx(begins + known["start"], abs=0.25)
        _leaves_nothing(client, job_id, tmp_path)


def _leaves_nothing(client: httpx.Client, job_id: str, tmp_path: Path) -> None:
    of_job = {key for key in objects(tmp_path / "data" / "objects") if f"jobs/{job_id}/" in key}
    assert any(key.endswith("/90p.mp4") for key in of_job)
    assert not {key for key in of_job if key.endswith("/source") or "/sources/" in key}
    assert client.delete(f"/api/v1/jobs/{job_id}").status_code == 200
    assert not {key for key in objects(tmp_path / "data" / "objects") if job_id in key}


def test_one_unreadable_source_fails_the_job_and_is_named(mill_up: MillUp, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.mp4", tmp_path / "bad.mp4"
    ffmpeg(*picture(1), *FAST, str(good))
    bad.write_text("no video at all\n" * 1000)
    mill = mill_up()
    with asking(mill) as client:
        sources = [upload(client, good, "good.mp4"), upload(client, bad, "bad.mp4")]
        job_id = client.post("/api/v1/jobs", json={"sources": sources}).json()["job_id"]
        with pytest.raises(JobFailed) as failed:
            ended(mill.client, job_id)
    error = failed.value.job.error
    assert error is not None
    assert (error.code, error.failed_task) == ("source_unreadable", "merge")
    assert error.message.startswith("sources[1] (bad.mp4): ")


def test_a_merge_that_is_cancelled_stops_and_leaves_nothing(mill_up: MillUp, long_video: Path, tmp_path: Path) -> None:
    mill = mill_up()
    with asking(mill) as client:
        source = upload(client, long_video, "long.mp4")
        job_id = client.post("/api/v1/jobs", json={"sources": [source] * 20}).json()["job_id"]
        wait_for(lambda: client.get(f"/api/v1/jobs/{job_id}").json()["progress"]["current_stage"] == "merging")
        assert client.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 200
        wait_for(lambda: client.delete(f"/api/v1/jobs/{job_id}").status_code == 200)
    assert not {key for key in objects(tmp_path / "data" / "objects") if job_id in key}
    wait_for(lambda: not list((tmp_path / "data" / "scratch").glob("*")))
