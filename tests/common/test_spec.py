"""What a client may ask."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from mill_common.spec import AudioSpec, JobSpec, TranscriptSpec


def test_a_spec_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValidationError):
        JobSpec.model_validate({"renditions": [360], "watermark": True})
    assert JobSpec.model_validate({"transcript": None}).transcript is None


def test_the_defaults_are_the_outputs_that_were_always_made() -> None:
    """J15."""
    spec = JobSpec()
    assert spec == JobSpec.model_validate({"audio": True, "thumbnails": True, "transcript": True, "hls": True})
    assert spec.audio == AudioSpec(formats=("mp3",), bitrate_kbps=128)
    assert spec.transcript == TranscriptSpec(formats=("txt", "srt", "vtt", "json"), words=True, task="transcribe")
    assert spec.model_dump(exclude_defaults=True) == {}


def test_a_spec_that_was_stored_before_is_still_read() -> None:
    before = {"renditions": [360], "hls": True, "audio": True, "thumbnails": False, "transcript": {"language": "en"}}
    spec = JobSpec.model_validate(before)
    assert (spec.audio, spec.thumbnails) == (AudioSpec(), None)
    assert JobSpec.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ({"renditions": [100]}, [("renditions", 0)]),
        ({"renditions": [360, 360]}, [("renditions",)]),
        ({"hls": 1}, [("hls",)]),
        ({"audio": "mp3"}, [("audio",)]),
        ({"audio": {"formats": ["mp3", "flac"]}}, [("audio", "formats", 1)]),
        ({"audio": {"bitrate_kbps": 1000}}, [("audio", "bitrate_kbps")]),
        ({"audio": {"formats": []}}, [("audio", "formats")]),
        ({"thumbnails": {"times": [1, -1]}}, [("thumbnails", "times", 1)]),
        ({"thumbnails": {"times": [1], "count": 2}}, [("thumbnails",)]),
        ({"thumbnails": {"sprites": False, "interval_s": 4}}, [("thumbnails",)]),
        ({"thumbnails": {"interval_s": 1}}, [("thumbnails", "interval_s")]),
        ({"transcript": {"language": "English"}}, [("transcript", "language")]),
        ({"transcript": {"task": "sing"}}, [("transcript", "task")]),
        ({"transcript": {"formats": ["txt", "doc"]}}, [("transcript", "formats", 1)]),
        ({"transcript": {"words": 1, "colour": "red"}}, [("transcript", "words"), ("transcript", "colour")]),
    ],
)  # fmt: skip
def test_a_bad_spec_is_refused_field_by_field(asked: dict[str, Any], places: list[tuple[str | int, ...]]) -> None:
    with pytest.raises(ValidationError) as refused:
        JobSpec.model_validate_json(json.dumps(asked), strict=True)
    assert [error["loc"] for error in refused.value.errors()] == places
