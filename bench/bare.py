"""The bare script: the very ffmpeg and packager commands of a job, one after another, and nothing else."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from folder_job import FolderJob

from mill_common.settings import Settings
from mill_common.worker import TaskContext
from mill_transcoder import commands
from mill_transcoder.handlers import HANDLERS
from mill_transcoder.process import Ended, run_child


@dataclass(frozen=True)
class Cost:
    """What something took, in seconds."""

    wall_s: float
    cpu_s: float


def bare_script(video: Path, folder: Path, settings: Settings) -> Path:
    """Run a job's handlers once and write the commands that they ran as a shell script."""
    job = FolderJob.of(folder, video)
    job.settings, job.keep_scratch = settings, True
    lines: list[str] = ["set -e"]

    def record(task: TaskContext, argv: Sequence[str], *, cwd: Path, **options: Any) -> Ended:
        if "ffprobe" not in Path(argv[0]).name:
            lines.append(f"cd {shlex.quote(str(cwd))}; {shlex.join(argv)} >/dev/null 2>&1 </dev/null")
        return run_child(task, argv, cwd=cwd, **options)

    with patch.object(commands, "run_child", record):
        job.run(HANDLERS)
    script = folder / "bare.sh"
    script.write_text("\n".join(lines) + "\n")
    return script


def run_script(*scripts: Path) -> Cost:
    """Run scripts one after another."""
    begun, before = time.monotonic(), os.times()
    for script in scripts:
        subprocess.run(["/bin/bash", str(script)], check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.monotonic() - begun, cpu)
