"""A step that must be put down leaves nothing behind."""

from __future__ import annotations

import pytest
from folder_job import FolderTask
from transcoder.conftest import Clip, Left, MakeJob

from mill_common.errors import DeadlineExceeded, LeaseLost, MillError, ShuttingDown, TaskCancelled
from mill_common.queue.types import NewTask
from mill_transcoder.handlers import HANDLERS


class PutDownAtFirstProgress(FolderTask):
    """Told to stop as soon as ffmpeg has reported."""

    told: MillError

    def progress(self, fraction: float, stage: str | None = None) -> None:
        super().progress(fraction, stage)
        if stage is None:
            self.put_down(self.told)


@pytest.mark.parametrize("reason", [TaskCancelled, LeaseLost, ShuttingDown, DeadlineExceeded])
@pytest.mark.parametrize("step", ["encode", "audio"])
def test_a_step_that_is_put_down_says_why_and_leaves_no_process(
    step: str, reason: type[MillError], clip: Clip, job_of: MakeJob, left: Left
) -> None:
    # A preset that is slow enough to be caught in the middle.
    job = job_of(clip("ntsc"), encode_preset="veryslow")
    job.run_task(NewTask(name="probe", kind="probe"), HANDLERS["probe"])
    scratch = job.folder / "scratch" / step
    scratch.mkdir(parents=True)
    task = PutDownAtFirstProgress(job, step, {"chunk": 0}, scratch)
    task.told = reason()
    with pytest.raises(reason):
        HANDLERS[step](task)
    assert task.made == {}
    assert left() == set()
