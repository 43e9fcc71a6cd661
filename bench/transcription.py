"""Transcription through the worker, against a bare call of the same pipeline in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench.result import Result
from bench.server import server
from bench.sources import spoken_digits
from mill_client import Client, JobSpec

ROUNDS = 3
MINUTES = 10


def run(folder: Path) -> list[Result]:
    """Both begin cold: a process starts, loads the model and transcribes."""
    speech = spoken_digits(folder / "speech.wav", minutes=MINUTES)
    ratios = [_worker(folder / f"round-{n}", speech) / _bare(speech) for n in range(ROUNDS)]
    return [Result("transcription_wall", median(ratios), "×", 1.10, "a bare BatchedInferencePipeline, both cold")]


def _worker(folder: Path, speech: Path) -> float:
    folder.mkdir()
    with server(folder) as mill:
        return _transcribe(mill.client, speech)


def _transcribe(client: Client, speech: Path) -> float:
    upload = client.uploads.send(speech)
    job = client.jobs.create(upload_id=upload.id, spec=JobSpec(audio=False))
    done = client.jobs.wait(job.job_id)
    seconds = done.processing_time["transcribe"]
    assert seconds is not None
    return seconds


def _bare(speech: Path) -> float:
    begun = time.monotonic()
    subprocess.run([sys.executable, "-m", "bench.bare_transcription", str(speech)], check=True)
    return time.monotonic() - begun
