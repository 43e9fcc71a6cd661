"""Answers that are written without their models are what the models would have written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from api.running import MEDIA, Gateway, claim, complete, plan, submit
from pydantic import BaseModel

from mill_api.jobs.batch import BatchStatus
from mill_api.jobs.listing import JobList
from mill_api.jobs.models import JobView
from mill_common.errors import PermanentError
from mill_common.queue import NewTask, Spent

JOBS = "/api/v1/jobs"
FILES = {
    "360p.mp4": b"film",
    "audio.mp3": b"sound",
    "audio.wav": b"sounds",
    "transcript.vtt": b"WEBVTT",
    "thumbnails/poster.jpg": b"poster",
    "thumbnails/poster-1.jpg": b"another",
    "thumbnails/sprite-1.jpg": b"sprite",
    "thumbnails/thumbnails.vtt": b"WEBVTT",
    "hls/master.m3u8": b"#EXTM3U",
}
FACTS: dict[str, dict[str, Any]] = {
    "hls/": {"renditions": {"360p": {"playlist": "360p.m3u8", "segments": 3}}},
    "360p.mp4": {"width": 640, "height": 360},
}
SEGMENT = {
    "index": 0,
    "filename": "a.mp4",
    "start_s": 0.0,
    "duration_s": 12.5,
    "width": 640,
    "height": 360,
    "fps": 25.0,
    "has_video": True,
    "has_audio": False,
    "sha256": "ab" * 32,
}
SPEC = {"renditions": [360, 2160], "audio": {"formats": ["mp3", "wav", "opus"]}, "thumbnails": {"count": 2}}


def _waiting(gateway: Gateway) -> None:
    """Nothing has begun."""


def _running(gateway: Gateway) -> None:
    plan(gateway.resources, NewTask(name="encode", kind="encode"))
    gateway.resources.queue.heartbeat(claim(gateway.resources), 0.5, "encoding")


def _completed(gateway: Gateway) -> None:
    transcript = {"language": "en", "word_count": 3, "model": "tiny"}
    media = {**MEDIA, "segments": [SEGMENT]}
    complete(gateway.resources, FILES, facts=FACTS, media=media, transcript=transcript)


def _empty(gateway: Gateway) -> None:
    complete(gateway.resources, media={**MEDIA, "audio": None})


def _failed(gateway: Gateway) -> None:
    plan(gateway.resources, NewTask(name="encode", kind="encode"))
    gateway.resources.queue.fail(claim(gateway.resources), PermanentError("too bad"), Spent())


def check(answer: httpx.Response, model: type[BaseModel]) -> dict[str, Any]:
    """The answer, which the model would have written too."""
    assert answer.is_success, answer.text
    said: dict[str, Any] = answer.json()
    assert said == model.model_validate_json(answer.content).model_dump(mode="json")
    return said


@pytest.mark.parametrize("go_on", [_waiting, _running, _completed, _empty, _failed])
def test_a_job_is_written_as_its_model_has_it(any_gateway: Gateway, go_on: Callable[[Gateway], None]) -> None:
    with any_gateway.owner("ada") as ada:
        job_id = submit(
            ada, spec=SPEC, collection="Films", metadata={"take": 2, "ratio": 0.5, "note": "ü\n", "x": None}
        )
        go_on(any_gateway)
        said = check(ada.get(f"{JOBS}/{job_id}"), JobView)
        assert said["user_metadata"] == {"take": 2, "ratio": 0.5, "note": "ü\n", "x": None}
        listed = check(ada.get(JOBS), JobList)
        check(ada.post(f"{JOBS}/batch-status", json={"job_ids": [job_id]}), BatchStatus)
    assert listed["jobs"][0]["created_at"] == said["created_at"]
    assert listed["jobs"][0]["completed_at"] == said["completed_at"]


def test_jobs_that_are_taken_in_changed_and_tried_again_are_written_so(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        check(ada.patch(f"{JOBS}/{job_id}", json={"priority": 7}), JobView)
        _failed(any_gateway)
        check(ada.post(f"{JOBS}/{job_id}/retry"), JobView)
