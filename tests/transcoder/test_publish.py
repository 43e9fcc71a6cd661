"""Whatever is wrong with an output, it is not published."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from folder_job import FolderJob
from transcoder.clips import ffmpeg
from transcoder.conftest import Clip

from mill_common.errors import OutputInvalid
from mill_common.queue.types import NewTask
from mill_transcoder.boxes import has_faststart, top_boxes
from mill_transcoder.handlers import HANDLERS

Damage = Callable[[FolderJob], None]


@pytest.fixture(scope="module")
def finished(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> FolderJob:
    """A job of which everything is done."""
    job = FolderJob.of(tmp_path_factory.mktemp("finished"), clip("plain"), ladder="90,144")
    job.run(HANDLERS)
    return job


@pytest.fixture
def job(finished: FolderJob, tmp_path: Path) -> FolderJob:
    """A copy of it that a test may damage."""
    shutil.copytree(finished.folder / "outputs", tmp_path / "outputs")
    return replace(finished, folder=tmp_path, outputs=dict(finished.outputs), results=dict(finished.results))


def publish(job: FolderJob) -> None:
    job.run_task(NewTask(name="publish", kind="publish"), HANDLERS["publish"])


def remade(name: str, *arguments: str) -> Damage:
    def damage(job: FolderJob) -> None:
        path = job.path(name)
        whole = path.rename(path.with_name(f"whole-{path.name}"))
        ffmpeg("-i", str(whole), *arguments, str(path))

    return damage


def dropped(name: str) -> Damage:
    def damage(job: FolderJob) -> None:
        del job.outputs[name]

    return damage


def emptied(name: str) -> Damage:
    def damage(job: FolderJob) -> None:
        job.outputs[name] = replace(job.outputs[name], size=0)

    return damage


def overwritten(name: str, change: Callable[[bytes], bytes]) -> Damage:
    def damage(job: FolderJob) -> None:
        path = job.folder / "outputs" / name
        path.write_bytes(change(path.read_bytes()))

    return damage


def removed(name: str) -> Damage:
    def damage(job: FolderJob) -> None:
        (job.folder / "outputs" / name).unlink()

    return damage


def test_a_sound_job_is_published(job: FolderJob) -> None:
    publish(job)
    assert job.results["publish"].publish


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (dropped("144p.mp4"), "144p.mp4 was not made"),
        (dropped("audio.mp3"), "audio.mp3 was not made"),
        (dropped("hls/"), "hls/ was not made"),
        (dropped("thumbnails/poster.jpg"), "poster.jpg was not made"),
        (emptied("90p.mp4"), "90p.mp4 is empty"),
        (emptied("thumbnails/sprite-001.jpg"), "sprite-001.jpg is empty"),
        (remade("90p.mp4", "-c", "copy", "-t", "1"), "lasts"),
        (remade("90p.mp4", "-c", "copy", "-an"), "no sound"),
        (remade("90p.mp4", "-c", "copy"), "index comes last"),
        (remade("90p.mp4", "-c:a", "copy", "-vf", "scale=158:90"), "not the picture"),
        (remade("90p.mp4", "-c:a", "copy", "-pix_fmt", "yuv444p"), "not the picture"),
        (remade("90p.mp4", "-c:a", "copy", "-r", "50", "-movflags", "+faststart"), "frames per second"),
        (remade("audio.mp3", "-t", "1"), "audio.mp3 lasts"),
        (remade("audio.mp3", "-c:a", "mp2", "-f", "mp2"), "not MP3"),
        (overwritten("hls/90p.m3u8", lambda text: text.replace(b"#EXT-X-ENDLIST", b"#EXT-X-NOTLIST")), "not complete"),
        (overwritten("hls/90p/1.m4s", lambda whole: b""), "not the one that was made"),
        (removed("hls/audio/1.m4s"), "not the one that was made"),
        (overwritten("thumbnails/poster.jpg", lambda whole: b"GIF89a"), "no JPEG"),
        (overwritten("thumbnails/thumbnails.vtt", lambda whole: b"WEBVTT\n"), "names no picture"),
    ],
)
def test_a_job_with_this_flaw_is_not_published(damage: Damage, reason: str, job: FolderJob) -> None:
    damage(job)
    with pytest.raises(OutputInvalid, match=reason):
        publish(job)


def test_faststart_means_that_the_index_comes_first(clip: Clip) -> None:
    assert has_faststart(clip("plain"))
    assert not has_faststart(clip("index_last"))
    assert list(top_boxes(clip("plain")))[:2] == ["ftyp", "moov"]
    assert not has_faststart(clip("matroska"))
