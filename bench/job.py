"""A job without transcription, against its own ffmpeg and packager commands run back to back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from statistics import median

from bench.bare import Cost, bare_script, run_script
from bench.result import Result
from bench.server import Server, server
from bench.sources import moving_picture
from mill_client import JobSpec
from mill_common.settings import Settings

ROUNDS = 3
AGAINST = "the same commands in a shell script"


def run(folder: Path) -> list[Result]:
    """Medians of the ratios of paired runs."""
    video = moving_picture(folder / "video.mp4", seconds=60)
    script = bare_script(video, folder / "bare", Settings(data_dir=folder / "bare-data"))
    pairs: list[tuple[Cost, Cost]] = []
    with server(folder) as mill:
        for _ in range(ROUNDS):
            pairs.append((_job(mill, video), run_script(script)))
    wall = median(ours.wall_s / bare.wall_s for ours, bare in pairs)
    cpu = median(ours.cpu_s / bare.cpu_s for ours, bare in pairs)
    return [
        Result("job_wall", wall, "×", 1.10, AGAINST),
        Result("job_cpu", cpu, "×", 1.05, AGAINST),
    ]


def _job(mill: Server, video: Path) -> Cost:
    upload = mill.client.uploads.send(video)
    before = mill.cpu_s()
    job = mill.client.jobs.create(upload_id=upload.id, spec=JobSpec(transcript=None))
    done = mill.client.jobs.wait(job.job_id)
    assert isinstance(done.created_at, datetime)
    assert isinstance(done.completed_at, datetime)
    return Cost((done.completed_at - done.created_at).total_seconds(), mill.cpu_s() - before)
