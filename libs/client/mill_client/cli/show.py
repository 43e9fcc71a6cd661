"""One job, for a person."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urljoin

from ..models import Job, Made
from .output import duration, moment, size, table


def show_job(job: Job, base_url: str) -> None:
    """Print a job and its outputs. Relative links are completed with the server's URL."""
    table(["job", job.job_id], [[name, text] for name, text in _facts(job) if text])
    table(["output", "is", "size", "where"], list(_outputs(job, base_url)))


def _facts(job: Job) -> Iterator[tuple[str, str]]:
    source, progress = job.source, job.progress
    yield "status", job.status.value if job.status.ended else f"{job.status.value}, {progress.overall_progress:.0f} %"
    yield "doing", "" if job.status.ended else progress.current_stage or progress.current_task or ""
    yield "source", source.filename or source.url or ""
    length = duration(source.duration_seconds) if source.duration_seconds is not None else ""
    facts = [size(source.size_bytes) if source.size_bytes is not None else "", length, source.resolution, source.codec]
    yield "", " · ".join(fact for fact in facts if fact)
    yield "merged of", f"{source.video_count} videos" if source.video_count > 1 else ""
    yield "created", moment(job.created_at)
    total_s = job.processing_time.get("total_seconds")
    yield "took", duration(total_s) if total_s is not None else ""
    yield "error", f"{job.error.message} ({job.error.code})" if job.error else ""


def _outputs(job: Job, base_url: str) -> Iterator[list[str]]:
    made = job.outputs
    for name, rendition in sorted(made.renditions.items(), key=lambda pair: pair[1].height or 0):
        shape = f"{rendition.width}x{rendition.height}" if rendition.width else ""
        yield [name, *_row(rendition, shape, rendition.size_bytes, f"{name}.mp4")]
    yield ["audio", *_row(made.audio, "MP3", made.audio.size_bytes, "audio.mp3")]
    words = made.transcription
    said = f"{words.language or 'nobody speaks'}, {words.word_count or 0} words"
    yield ["transcript", *_row(words, said, None, " ".join(f"transcript.{kind}" for kind in words.formats))]
    rungs = " ".join(made.hls.renditions)
    yield ["hls", *_row(made.hls, rungs, None, urljoin(base_url + "/", made.hls.master_url or ""))]
    yield ["thumbnails", *_row(made.thumbnails, "poster and sprites", None, "thumbnails/")]


def _row(made: Made, shape: str, size_bytes: int | None, where: str) -> list[str]:
    if not made.available:
        return [(made.reason or "not available").replace("_", " "), "", ""]
    return [shape, size(size_bytes) if size_bytes is not None else "", where]
