"""J1: what steps took on this system before, and what that says of the next job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from common.desk import Desk
from sqlalchemy import update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.models import StepSpeed, Task
from mill_common.queue import NewTask
from mill_common.speed_survey import survey_speeds
from mill_common.speeds import expected_seconds

HD = {"width": 1920, "height": 1080, "duration_s": 100.0}
SMALL = {"width": 320, "height": 180, "duration_s": 100.0}


def processed(desk: Desk, media: Mapping[str, Any], **seconds: float) -> UUID:
    """A job that has completed, with steps that took so long."""
    job = desk.job()
    desk.finish(desk.claim(), media=media, tasks=[NewTask(name=kind, kind=kind) for kind in seconds])
    for _ in seconds:
        claim = desk.claim()
        desk.finish(claim)
        with desk.database.write() as session:
            ended = {"started_at": db_now(), "finished_at": db_now(seconds[claim.name])}
            session.execute(update(Task).where(col(Task.id) == claim.task_id).values(**ended))
    return job


def expected(desk: Desk, media: Mapping[str, Any], *kinds: str) -> dict[str, float]:
    """What is expected of a source."""
    with desk.database.read() as session:
        found = expected_seconds(session, media, kinds)
    return {kind: round(seconds, 3) for kind, seconds in found.items()}


def test_nothing_is_expected_until_enough_jobs_were_seen(desk: Desk) -> None:
    for _ in range(2):
        processed(desk, HD, encode=50)
    survey_speeds(desk.database)
    assert expected(desk, HD, "encode") == {}
    processed(desk, HD, encode=50)
    survey_speeds(desk.database)
    assert expected(desk, HD, "encode", "audio") == {"encode": 50.0}


def test_the_median_of_like_sources_is_expected(desk: Desk) -> None:
    for seconds in (40, 60, 5000):
        processed(desk, HD, encode=seconds, audio=2)
    for _ in range(3):
        processed(desk, SMALL, encode=3)
    survey_speeds(desk.database)
    assert expected(desk, HD, "encode", "audio") == {"encode": 60.0, "audio": 2.0}
    assert expected(desk, SMALL, "encode") == {"encode": 3.0}
    assert expected(desk, {**HD, "duration_s": 110.0}, "encode") == {"encode": 66.0}, "by its length"
    assert expected(desk, {**HD, "duration_s": 1000.0}, "encode") == {"encode": 600.0}, "no other length is known"
    assert expected(desk, {**SMALL, "width": 4000}, "audio") == {"audio": 2.0}, "no such picture is known"


def test_a_source_of_unknown_length_lets_nothing_expect(desk: Desk) -> None:
    for _ in range(3):
        processed(desk, HD, encode=50)
    survey_speeds(desk.database)
    assert expected(desk, {"width": 1920, "height": 1080}, "encode") == {}
    assert expected(desk, {}, "encode") == {}


def test_measuring_again_replaces_what_was_measured(desk: Desk) -> None:
    for _ in range(3):
        processed(desk, HD, encode=50)
    assert survey_speeds(desk.database) == 6, "two kinds, each in three classes"
    for _ in range(4):
        processed(desk, HD, encode=20)
    survey_speeds(desk.database)
    assert expected(desk, HD, "encode") == {"encode": 20.0}
    assert desk.count(StepSpeed) == 6


def test_steps_weigh_what_they_are_likely_to_take(desk: Desk) -> None:
    for _ in range(3):
        processed(desk, HD, encode=80, package=20)
    survey_speeds(desk.database)
    job = desk.job()
    encodes = [NewTask(name=f"encode-{n}", kind="encode", weight=weight) for n, weight in enumerate((1, 3))]
    desk.finish(desk.claim(), media=HD, tasks=[*encodes, NewTask(name="other", kind="other", weight=7)])
    weights = {name: round(task.weight, 3) for name, task in desk.tasks(job).items() if name != "probe"}
    assert weights == {"encode-0": 20.0, "encode-1": 60.0, "other": 7}, "a kind that is not known keeps its plan's"


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_a_step_that_takes_no_time_has_a_part_in_the_progress(desk: Desk, seconds: float) -> None:
    for _ in range(3):
        processed(desk, HD, publish=seconds)
    survey_speeds(desk.database)
    job = desk.job()
    desk.finish(desk.claim(), media=HD, tasks=[NewTask(name="publish", kind="publish")])
    assert desk.tasks(job)["publish"].weight == 0.1
