"""Shares of a job's progress, by what its steps are likely to take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlmodel import Session

from mill_common.queue.types import NewTask
from mill_common.speeds import expected_seconds

LEAST = 0.1  # or a step that takes no time would have no part in the progress


def weighed(session: Session, media: Mapping[str, Any] | None, tasks: Sequence[NewTask]) -> list[NewTask]:
    """The planned tasks, each weighing the seconds that earlier jobs of this system let expect.

    A kind of which too little is known keeps the weights of its plan, which are seconds, too, if roughly.
    """
    planned: Counter[str] = Counter()
    for task in tasks:
        planned[task.kind] += task.weight  # type: ignore[assignment]  # of seconds, not of things
    expected = expected_seconds(session, media, planned.keys())
    return [
        replace(task, weight=max(LEAST, expected[task.kind] * task.weight / planned[task.kind]))
        if task.kind in expected and planned[task.kind] > 0
        else task
        for task in tasks
    ]
