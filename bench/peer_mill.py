"""A worker process of our own with a no-op handler: all that `python -m mill_transcoder` is but for its handlers."""

from __future__ import annotations

import sys

from bench.marks import mark
from mill_common.queue import TRANSCODE, TaskResult
from mill_common.resources import Resources
from mill_common.worker import Runner, Shift, TaskContext
from mill_common.worker.command import main


def _noop(_: TaskContext) -> TaskResult:
    mark()
    return TaskResult()


def _runner(resources: Resources, shift: Shift | None = None) -> Runner:
    return Runner(
        service="bench",
        queue_name=TRANSCODE,
        handlers={"probe": _noop},
        queue=resources.queue,
        store=resources.store,
        settings=resources.settings,
        slots=1,
        shift=shift,
    )


if __name__ == "__main__":
    sys.exit(main("transcoder", _runner, {}))
