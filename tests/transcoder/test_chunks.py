"""A source encoded in chunks is the same as one encoded at once."""

from __future__ import annotations

import pytest
from folder_job import FolderJob
from transcoder.conftest import Clip, MakeJob
from transcoder.looking import check_everything, frame_hashes, key_frames

from mill_transcoder.handlers import HANDLERS

LOSSLESS = {"ladder": "90", "encode_crf": 0}


@pytest.mark.parametrize(
    "name", ["ntsc", "slow_rate", "variable_rate", "no_duration", "sparse", "reordered", "old_avi"]
)
def test_chunks_hold_the_frames_of_one_pass_bit_for_bit(name: str, clip: Clip, job_of: MakeJob) -> None:
    whole, cut = job_of(clip(name), **LOSSLESS), job_of(clip(name), chunk_s=2.1, **LOSSLESS)
    whole.run(HANDLERS)
    cut.run(HANDLERS)
    assert encodes(whole) == 1
    assert encodes(cut) > 2
    assert frame_hashes(cut.path("90p.mp4")) == frame_hashes(whole.path("90p.mp4"))
    gop = cut.results["probe"].result["encode"]["gop"]
    assert all(frame % gop == 0 for frame in key_frames(cut.path("90p.mp4")))
    check_everything(cut)


def test_a_chunk_can_be_made_again_alone(clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("ntsc"), chunk_s=2.1, **LOSSLESS)
    job.run(HANDLERS)
    first = frame_hashes(job.path("chunks/001/90p.mp4"))
    job.run_task(job.tasks["encode-001"], HANDLERS["encode"])
    assert frame_hashes(job.path("chunks/001/90p.mp4")) == first


def encodes(job: FolderJob) -> int:
    return sum(task.kind == "encode" for task in job.tasks.values())
