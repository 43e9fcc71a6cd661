"""Ten short clips at once: what a chain of tasks loses between its links."""

from __future__ import annotations

from pathlib import Path

from bench.bare import bare_script, run_script
from bench.result import Result
from bench.server import server
from bench.sources import moving_picture
from mill_client import JobSpec
from mill_common.settings import Settings

CLIPS = 10


def run(folder: Path) -> list[Result]:
    """Wall time from the first submission to the last completion, over the scripts' back to back."""
    clips = [moving_picture(folder / f"clip-{seed}.mp4", seconds=5, seed=seed) for seed in range(CLIPS)]
    settings = Settings(data_dir=folder / "bare-data")
    scripts = [bare_script(clip, folder / f"bare-{clip.stem}", settings) for clip in clips]
    with server(folder) as mill:
        uploads = [mill.client.uploads.send(clip) for clip in clips]
        spec = JobSpec(transcript=None)
        jobs = [mill.client.jobs.create(upload_id=upload.id, spec=spec) for upload in uploads]
        ended = [mill.client.jobs.wait(job.job_id) for job in jobs]
    first = min(job.created_at for job in ended if job.created_at)
    last = max(job.completed_at for job in ended if job.completed_at)
    wall = (last - first).total_seconds()
    return [
        Result("ten_clips_wall", wall / run_script(*scripts).wall_s, "×", 1.25, "the same commands in shell scripts")
    ]
