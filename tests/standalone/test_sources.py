"""Sources of every sort through a running server: what is asked for comes out, and a bad one says why."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from source_server import reply, source_server
from standalone.running import KEY, MILL, MillProcess
from transcoder.clips import AAC, FAST, ffmpeg, picture, tone

from mill_client import Job, JobFailed, JobSpec, JobStatus
from mill_standalone.demo import SAMPLE

MillUp = Callable[..., MillProcess]
SPOKEN = (SAMPLE.parent / "digits.txt").read_text().split()
QUICK = JobSpec(transcript=None)


def _ended(mill: MillProcess, source: Path | str, spec: JobSpec | None = None) -> Job:
    return mill.client.jobs.wait(mill.client.submit(source, spec=spec).job_id, timeout_s=240)


def _failed(mill: MillProcess, source: Path | str) -> tuple[str, str]:
    with pytest.raises(JobFailed) as failed:
        _ended(mill, source, QUICK)
    error = failed.value.job.error
    assert error is not None
    assert error.failed_task in {"probe", "fetch"}
    return error.code, error.message


def test_a_url_is_fetched_by_a_worker(mill_up: MillUp) -> None:
    mill = mill_up(MILL_SOURCE_NETWORKS="127.0.0.0/8")
    with source_server(reply(SAMPLE.read_bytes()), address="127.0.0.1") as web:
        job = _ended(mill, f"{web.url}/talks/digits.mp4?token=hush", QUICK)
    assert job.status is JobStatus.COMPLETED
    assert job.source.filename == "digits.mp4"
    assert job.source.size_bytes == SAMPLE.stat().st_size
    listed = {file.name for file in mill.client.jobs.outputs(job.job_id)}
    assert "360p.mp4" in listed
    assert "source" not in listed
    mill.stop()
    assert "hush" not in mill.log.read_text()


def test_a_private_address_is_refused_unless_it_is_allowed(mill_up: MillUp) -> None:
    mill = mill_up()
    with source_server(reply(b"secret"), address="127.0.0.1") as web:
        code, message = _failed(mill, f"{web.url}/clip.mp4")
        assert web.connections == 0
    assert code == "address_refused"
    assert "secret" not in message


def test_sound_alone_becomes_audio_and_a_transcript(mill_up: MillUp, tmp_path: Path) -> None:
    sound = tmp_path / "speech.mp3"
    ffmpeg("-i", str(SAMPLE), "-vn", str(sound))
    mill = mill_up()
    job = _ended(mill, sound)
    assert job.status is JobStatus.COMPLETED
    assert {file.name for file in mill.client.jobs.outputs(job.job_id)} == {
        "audio.mp3",
        "transcript.json",
        "transcript.srt",
        "transcript.txt",
        "transcript.vtt",
    }
    mill.client.download(job.job_id, tmp_path / "out")
    assert (tmp_path / "out" / "transcript.txt").read_text().split() == SPOKEN
    assert (job.outputs.hls.available, job.outputs.hls.reason) == (False, "no_video")


def test_a_silent_picture_has_no_transcript_and_says_so(mill_up: MillUp, tmp_path: Path) -> None:
    mute = tmp_path / "mute.mp4"
    ffmpeg(*picture(), *FAST, str(mute))
    mill = mill_up()
    job = _ended(mill, mute)
    assert job.status is JobStatus.COMPLETED
    assert (job.outputs.transcription.available, job.outputs.transcription.reason) == (False, "no_audio")
    # Never above the source: the only rung is the source's own size.
    made = {name for name, rendition in job.outputs.renditions.items() if rendition.available}
    assert made == {"180p"}


@pytest.mark.parametrize("kind", ["text", "cut short", "playlist"])
def test_a_bad_source_fails_at_once_with_its_reason(mill_up: MillUp, tmp_path: Path, kind: str) -> None:
    bad = tmp_path / "bad.mp4"
    if kind == "text":
        bad.write_text("no video at all\n" * 1000)
    elif kind == "cut short":
        ffmpeg(*picture(), *tone(), *FAST, *AAC, "-movflags", "+faststart", str(tmp_path / "good.mp4"))
        bad.write_bytes((tmp_path / "good.mp4").read_bytes()[:2000])
    else:
        bad.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    mill = mill_up()
    code, message = _failed(mill, bad)
    assert code == ("source_refused" if kind == "playlist" else "source_unreadable")
    assert str(tmp_path) not in message
    assert "root:" not in message


def test_submit_with_json_ends_with_the_job_s_final_detail(mill_up: MillUp) -> None:
    mill = mill_up()
    command = [str(MILL), "--url", mill.url, "--api-key", KEY, "submit", str(SAMPLE), "--no-transcript"]
    done = subprocess.run([*command, "--wait", "--json"], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["status"] == "completed"
    assert lines[-1]["outputs"]["renditions"]["360p"]["available"] is True
    assert lines[0]["event"] == "upload"
