"""What is asked for is what is made. J15."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import pytest
from transcoder.conftest import Clip, MakeJob
from transcoder.looking import decode, pixels, streams

from mill_common.errors import PermanentError
from mill_common.queue.types import NewOutput, NewTask
from mill_common.spec import AudioSpec, JobSpec, ThumbnailsSpec
from mill_transcoder.audio import soundtrack
from mill_transcoder.handlers import HANDLERS
from mill_transcoder.probe import SourceChanged, SourceTooLong

CODECS = {"mp3": "mp3", "m4a": "aac", "opus": "opus", "wav": "pcm_s16le"}


def shown(outputs: Mapping[str, NewOutput]) -> set[str]:
    """The names of outputs that clients will see."""
    return {name for name, output in outputs.items() if not output.intermediate}


@pytest.mark.parametrize("name", ["plain", "audio_only"])
def test_every_audio_format_can_be_had(name: str, clip: Clip, job_of: MakeJob) -> None:
    """J15."""
    spec = JobSpec(hls=False, thumbnails=None, transcript=None, audio=AudioSpec(formats=tuple(CODECS)))  # type: ignore[arg-type]
    job = job_of(clip(name), spec=spec, ladder="90")
    job.run(HANDLERS)
    assert job.results["publish"].publish
    for kind, codec in CODECS.items():
        output = job.outputs[f"audio.{kind}"]
        assert not output.intermediate
        sound = streams(job.path(output.name))["audio"]
        assert (sound["codec_name"], int(sound["channels"]), sound["sample_rate"]) == (codec, 2, "48000")
        assert float(sound["duration"]) == pytest.approx(job.results["audio"].result["duration_s"], abs=0.1)
        decode(job.path(output.name))


@pytest.mark.parametrize("kind", ["mp3", "m4a", "opus"])
def test_a_bit_rate_is_kept_to(kind: str, clip: Clip, job_of: MakeJob) -> None:
    sizes = []
    for kbps in (32, 256):
        spec = JobSpec(
            hls=False,
            thumbnails=None,
            transcript=None,
            audio=AudioSpec(formats=(kind,), bitrate_kbps=kbps),  # type: ignore[arg-type]
        )
        job = job_of(clip("plain"), spec=spec, ladder="90")
        job.run(HANDLERS)
        sizes.append(job.outputs[f"audio.{kind}"].size)
    assert sizes[1] > 1.5 * sizes[0]


def test_the_renditions_sound_is_not_the_downloads(clip: Clip, job_of: MakeJob) -> None:
    quiet = JobSpec(thumbnails=None, transcript=None, audio=AudioSpec(formats=("m4a",), bitrate_kbps=32))
    assert soundtrack(quiet) == "sound.m4a"
    assert soundtrack(JobSpec()) == soundtrack(JobSpec(audio=AudioSpec(formats=("m4a",)))) == "audio.m4a"
    job = job_of(clip("plain"), spec=quiet, ladder="90")
    job.run(HANDLERS)
    assert job.results["publish"].publish
    assert shown(job.outputs) == {"90p.mp4", "audio.m4a", "hls/"}
    rate = {name: int(streams(job.path(name))["audio"]["bit_rate"]) for name in ("90p.mp4", "audio.m4a")}
    assert rate["90p.mp4"] > 1.5 * rate["audio.m4a"]


def test_the_defaults_make_what_they_always_made(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("plain"), spec=JobSpec(transcript=None), ladder="90")
    job.run(HANDLERS)
    assert shown(job.outputs) == {
        "90p.mp4",
        "audio.mp3",
        "hls/",
        "thumbnails/poster.jpg",
        "thumbnails/sprite-001.jpg",
        "thumbnails/thumbnails.vtt",
    }
    assert job.outputs["audio.m4a"].intermediate


def test_pictures_of_named_times_are_the_pictures_of_those_times(clip: Clip, job_of: MakeJob) -> None:
    times = (1.0, 6.5, 3.2, 999.0)
    spec = JobSpec(hls=False, audio=None, transcript=None, thumbnails=ThumbnailsSpec(times=times, sprites=False))
    job = job_of(clip("ntsc"), spec=spec, ladder="90")
    job.run(HANDLERS)
    assert job.results["publish"].publish
    names = ["poster.jpg", "poster-02.jpg", "poster-03.jpg", "poster-04.jpg"]
    assert shown(job.outputs) == {"90p.mp4", *(f"thumbnails/{name}" for name in names)}
    lasts_s = job.outputs["90p.mp4"].facts["duration_s"]
    moments = [min(at, lasts_s - 0.05) for at in times]
    for name, at_s in zip(names, moments, strict=True):
        picture = pixels(job.path(f"thumbnails/{name}"), 16, 9).astype(int)
        others = [abs(picture - pixels(job.path("90p.mp4"), 16, 9, at_s=other).astype(int)).mean() for other in moments]
        assert others.index(min(others)) == moments.index(at_s)


def test_a_count_of_pictures_is_spread_over_the_video(clip: Clip, job_of: MakeJob) -> None:
    spec = JobSpec(hls=False, audio=None, transcript=None, thumbnails=ThumbnailsSpec(count=4, interval_s=4))
    job = job_of(clip("ntsc"), spec=spec, ladder="90")
    job.run(HANDLERS)
    assert job.results["publish"].publish
    at = [job.outputs[f"thumbnails/poster{end}.jpg"].facts["at_s"] for end in ("", "-02", "-03", "-04")]
    lasts_s = job.outputs["90p.mp4"].facts["duration_s"]
    assert at == pytest.approx([lasts_s * part / 8 for part in (1, 3, 5, 7)], abs=0.01)
    facts = job.outputs["thumbnails/thumbnails.vtt"].facts
    assert facts["interval_s"] == pytest.approx(4, abs=0.01)
    assert facts["pictures"] == 3


def test_a_source_longer_than_its_owner_may_have_is_refused(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("plain"))
    limits = NewTask(name="probe", kind="probe", params={"max_source_duration_s": 1.0})
    with pytest.raises(SourceTooLong, match="at most 1 s") as refused:
        job.run_task(limits, HANDLERS["probe"])
    assert refused.value.code == "source_too_long"
    assert isinstance(refused.value, PermanentError)


def test_a_probe_finds_the_checksum_and_holds_the_source_to_it(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("plain"))
    found = job.run_task(NewTask(name="probe", kind="probe"), HANDLERS["probe"]).source
    assert found is not None
    assert found.sha256 == hashlib.sha256(clip("plain").read_bytes()).hexdigest()
    assert (found.object_key, found.size) == ("source", clip("plain").stat().st_size)
    job.facts = replace(job.facts, source_sha256=found.sha256)
    assert job.run_task(NewTask(name="probe", kind="probe"), HANDLERS["probe"]).source is None
    job.facts = replace(job.facts, source_sha256="0" * 64)
    with pytest.raises(SourceChanged):
        job.run_task(NewTask(name="probe", kind="probe"), HANDLERS["probe"])
