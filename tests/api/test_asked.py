"""A job's request says what it makes, and its view where that is. J15."""

from __future__ import annotations

import httpx
import pytest
from api.running import Gateway, complete, submit, upload

JOBS = "/api/v1/jobs"


def test_a_bad_spec_points_at_each_field(ada: httpx.Client) -> None:
    spec = {
        "renditions": [10],
        "audio": {"formats": ["mp3", "flac"]},
        "thumbnails": {"count": 99},
        "transcript": {"x": 1},
    }
    answer = ada.post(JOBS, json={"source": {"upload_id": upload(ada)}, "spec": spec, "priority": 10})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["loc"] for error in answer.json()["errors"]] == [
        ["body", "spec", "renditions", 0],
        ["body", "spec", "audio", "formats", 1],
        ["body", "spec", "thumbnails", "count"],
        ["body", "spec", "transcript", "x"],
        ["body", "priority"],
    ]


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 10**30])
def test_a_number_that_would_come_back_as_another_is_refused(ada: httpx.Client, number: int) -> None:
    body = {"source": {"upload_id": upload(ada)}, "metadata": {"n": number}}
    answer = ada.post(JOBS, json=body)
    assert answer.status_code == 422, answer.json()["user_metadata"]
    assert "2**53" in answer.text


@pytest.mark.parametrize("number", [2**53, -(2**53), 0.1, 1e300, True])
def test_a_number_comes_back_as_it_was_given(ada: httpx.Client, number: float) -> None:
    made = ada.post(JOBS, json={"source": {"upload_id": upload(ada)}, "metadata": {"n": number}})
    assert made.json()["user_metadata"] == {"n": number}
    assert type(made.json()["user_metadata"]["n"]) is type(number)


def test_every_audio_file_and_picture_can_be_fetched(gateway: Gateway, ada: httpx.Client) -> None:
    spec = {"audio": {"formats": ["opus", "m4a"]}, "thumbnails": {"count": 2}, "transcript": {"formats": ["vtt"]}}
    job = submit(ada, spec=spec)
    files = {
        "audio.opus": b"opus",
        "audio.m4a": b"aac",
        "thumbnails/poster.jpg": b"one",
        "thumbnails/poster-02.jpg": b"two",
        "transcript.vtt": b"WEBVTT",
    }
    complete(gateway.resources, files)
    outputs = ada.get(f"{JOBS}/{job}").json()["outputs"]
    audio = outputs["audio"]
    assert (audio["available"], audio["download_url"]) == (True, audio["formats"]["opus"])
    assert {kind: ada.get(url).content for kind, url in audio["formats"].items()} == {"opus": b"opus", "m4a": b"aac"}
    assert ada.get(audio["formats"]["opus"]).headers["content-type"] == "audio/ogg"
    assert [ada.get(url).content for url in outputs["thumbnails"]["posters"]] == [b"one", b"two"]
    assert {kind for kind, url in outputs["transcription"]["formats"].items() if url} == {"vtt"}
