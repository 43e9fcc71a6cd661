"""J1: the detail of a job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

import httpx
import pytest
from api.running import Gateway, claim, complete, plan, submit
from sqlalchemy import update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.models import Job, StepSpeed, Task
from mill_common.queue import TRANSCRIBE, NewTask, Spent, TaskResult

JOBS = "/api/v1/jobs"
LENGTH_S = 12.5  # of `MEDIA`
FILES = {
    "360p.mp4": b"film",
    "audio.mp3": b"sound",
    "transcript.vtt": b"WEBVTT",
    "thumbnails/poster.jpg": b"poster",
    "hls/master.m3u8": b"#EXTM3U",
}
FACTS = {"hls/": {"renditions": {"360p": {"playlist": "360p.m3u8", "segments": 3}}}}


def history(gateway: Gateway, **seconds: float) -> None:
    """Let earlier jobs have taken so many seconds for a source like `MEDIA`, kind by kind."""
    with gateway.resources.database.write() as session:
        for kind, took in seconds.items():
            session.add(StepSpeed(kind=kind, picture=-1, length=-1, jobs=9, seconds_per_second=took / LENGTH_S))


def eta(client: httpx.Client, job_id: str) -> float | None:
    """How long the job will take."""
    seconds: float | None = client.get(f"{JOBS}/{job_id}").json()["progress"]["eta_seconds"]
    return seconds


def test_every_output_says_how_it_stands_and_where_it_is(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada, spec={"renditions": [360, 2160]})
        before = ada.get(f"{JOBS}/{job_id}").json()["outputs"]
        complete(any_gateway.resources, FILES, facts=FACTS)
        outputs = ada.get(f"{JOBS}/{job_id}").json()["outputs"]
    assert {before[name]["status"] for name in ("audio", "transcription", "hls", "thumbnails")} == {"pending"}
    made = [outputs["renditions"]["360p"], outputs["audio"], outputs["transcription"]["files"]["vtt"]]
    for output, name in zip(made, ("360p.mp4", "audio.mp3", "transcript.vtt"), strict=True):
        assert (output["size_bytes"], output["sha256"]) == (len(FILES[name]), "ab" * 32)
        assert httpx.get(urljoin(any_gateway.url, output["url"])).content == FILES[name], "without a key"
    skipped = outputs["renditions"]["2160p"]
    assert (skipped["status"], skipped["reason"], skipped["url"]) == ("skipped", "above_source", None)
    assert list(outputs["transcription"]["files"]) == ["vtt"]
    assert outputs["hls"]["renditions"]["360p"]["segments_count"] == 3
    assert (outputs["hls"]["size_bytes"], outputs["thumbnails"]["size_bytes"]) == (7, 6)


def test_signed_urls_say_when_they_end(gateway: Gateway, ada: httpx.Client) -> None:
    job_id = submit(ada)
    complete(gateway.resources, FILES, facts=FACTS)
    outputs = ada.get(f"{JOBS}/{job_id}").json()["outputs"]
    hour = timedelta(seconds=gateway.resources.settings.link_expires_s)
    ends = datetime.fromisoformat(outputs["audio"]["expires_at"])
    assert abs(ends - datetime.now(UTC) - hour) < timedelta(minutes=1)
    assert datetime.fromisoformat(outputs["hls"]["expires_at"]) - ends == timedelta(seconds=int(LENGTH_S))


def test_the_eta_adds_up_what_such_steps_took_before(any_gateway: Gateway) -> None:
    history(any_gateway, audio=10, encode=100, publish=1)
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        assert eta(ada, job_id) is None, "it has not begun"
        plan(
            any_gateway.resources,
            NewTask(name="audio", kind="audio"),
            NewTask(name="encode-000", kind="encode", weight=3),
            NewTask(name="encode-001", kind="encode", weight=1),
            NewTask(name="publish", kind="publish", needs=["audio", "encode-000", "encode-001"]),
        )
        assert eta(ada, job_id) == 111
        audio = claim(any_gateway.resources)
        any_gateway.resources.queue.heartbeat(audio, 0.5, "reading")
        assert eta(ada, job_id) == 106
        any_gateway.resources.queue.finish(audio, TaskResult(), [], Spent())
        assert eta(ada, job_id) == 101
        claim(any_gateway.resources)
        claim(any_gateway.resources)
        assert eta(ada, job_id) == 76, "two workers are at it: the longer chunk, then the rest"


def test_steps_of_other_workers_run_beside(any_gateway: Gateway) -> None:
    history(any_gateway, transcribe=50, encode=20, publish=1)
    tasks = [
        NewTask(name="transcribe", kind="transcribe", queue=TRANSCRIBE),
        NewTask(name="encode-000", kind="encode"),
        NewTask(name="publish", kind="publish", needs=["transcribe", "encode-000"]),
    ]
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        plan(any_gateway.resources, *tasks)
        assert eta(ada, job_id) == 51


def test_a_running_step_is_judged_by_its_own_speed(gateway: Gateway, ada: httpx.Client) -> None:
    history(gateway, encode=1000)
    job_id = submit(ada)
    plan(gateway.resources, NewTask(name="encode-000", kind="encode"))
    encode = claim(gateway.resources)
    gateway.resources.queue.heartbeat(encode, 0.25, "encoding")
    with gateway.resources.database.write() as session:
        ran = {"started_at": db_now(-20.0), "heartbeat_at": db_now()}
        session.execute(update(Task).where(col(Task.id) == encode.task_id).values(**ran))
    assert eta(ada, job_id) == pytest.approx(60, abs=1)


def test_a_step_of_which_nothing_is_known_leaves_the_eta_unknown(gateway: Gateway, ada: httpx.Client) -> None:
    history(gateway, audio=10)
    job_id = submit(ada)
    plan(gateway.resources, NewTask(name="audio", kind="audio"), NewTask(name="dance", kind="dance"))
    assert eta(ada, job_id) is None


@pytest.mark.parametrize(("ending", "expected"), [("complete", 0), ("cancel", None)])
def test_an_ended_job_has_nothing_left(gateway: Gateway, ada: httpx.Client, ending: str, expected: Any) -> None:
    history(gateway, publish=10)
    job_id = submit(ada)
    if ending == "complete":
        complete(gateway.resources)
    else:
        plan(gateway.resources)
        ada.post(f"{JOBS}/{job_id}/cancel")
    assert eta(ada, job_id) == expected


def test_progress_counts_what_steps_are_likely_to_take(gateway: Gateway, ada: httpx.Client) -> None:
    history(gateway, encode=89, publish=10)
    job_id = submit(ada)
    plan(
        gateway.resources,
        NewTask(name="encode", kind="encode", weight=1),
        NewTask(name="publish", kind="publish", weight=100, needs=["encode"]),
    )
    gateway.resources.queue.finish(claim(gateway.resources), TaskResult(), [], Spent())
    assert ada.get(f"{JOBS}/{job_id}").json()["progress"]["overall_progress"] == 90, "of 100 s with the probe's"


def test_a_job_names_its_collection(gateway: Gateway, ada: httpx.Client) -> None:
    job_id = submit(ada)
    assert ada.get(f"{JOBS}/{job_id}").json()["collection"] is None
    with gateway.resources.database.write() as session:
        session.execute(update(Job).where(col(Job.id) == UUID(job_id)).values(collection="Films"))
    assert ada.get(f"{JOBS}/{job_id}").json()["collection"] == "Films"
