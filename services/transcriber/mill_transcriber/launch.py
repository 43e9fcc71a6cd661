"""Starting the process that holds the speech model."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict

from mill_common.errors import ModelUnavailable
from mill_transcriber.models import ADVICE
from mill_transcriber.options import EngineOptions
from mill_transcriber.process import ChildGone, ChildProcess


def launch(options: EngineOptions) -> ChildProcess:
    """A child that begins to load the model; its first answer is `ready` or `failed`."""
    # -P: a file in the current folder must not pass for a module.
    command = [sys.executable, "-P", "-m", "mill_transcriber.child", str(os.getpid())]
    child = ChildProcess(command, _environment(options.threads))
    child.send(asdict(options))
    return child


def check_model(options: EngineOptions, *, limit_s: float = 60.0) -> str:
    """Load the model in a child process of its own and end that again.

    Returns:
        What runs it: "cpu" or "cuda".

    Raises:
        ModelUnavailable: With what to do about it.
    """
    child = launch(options)
    try:
        answer = child.receive(limit_s)
    except ChildGone as gone:
        raise unavailable(options.name, f"its process {gone}") from gone
    finally:
        child.close()
    if answer is None:
        raise unavailable(options.name, f"it took longer than {limit_s:g} s")
    if answer["say"] == "failed":
        raise unavailable(options.name, answer["message"])
    return str(answer["device"])


def unavailable(name: str, reason: str) -> ModelUnavailable:
    """Why a model cannot be loaded and what to do about it."""
    return ModelUnavailable(f"The speech model {name!r} cannot be loaded: {reason.rstrip('.')}. {ADVICE}")


def _environment(threads: int) -> dict[str, str]:
    """The parent's, without our own settings: the child needs none of their secrets."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
    return {"HF_HUB_DISABLE_PROGRESS_BARS": "1", **theirs, "OMP_NUM_THREADS": str(threads)}
