"""Jobs that ended long ago go, with everything they made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from common.desk import Desk, made
from pydantic import ValidationError
from watchdog.sweeps import age, latest, store, stored, sweep

from mill_common.errors import SourceUnreadable, StorageUnavailable
from mill_common.models import Job, Task
from mill_common.resources import Resources
from mill_common.runs import RunStatus, ScheduledRun
from mill_common.settings import Settings
from mill_watchdog.loop import Watchdog

ENDED = ("created_at", "started_at", "completed_at")


@pytest.fixture
def desk(resources: Resources) -> Desk:
    """The resources' queue."""
    return Desk(resources.database, resources.queue.policy)


def _ended(resources: Resources, desk: Desk, *, days_ago: float, fails: bool = False) -> UUID:
    job = desk.job()
    claim = desk.claim()
    if fails:
        desk.fail(claim, SourceUnreadable())
    else:
        key = store(resources, f"jobs/{job}/{claim.task_id}-{claim.epoch}/360p.mp4")
        desk.finish(claim, made("360p.mp4", object_key=key), publish=True)
    age(resources, Job, job, *ENDED, by=timedelta(days=days_ago))
    return job


def test_only_jobs_that_ended_before_the_cutoff_go_with_their_objects(resources: Resources, desk: Desk) -> None:
    _ended(resources, desk, days_ago=31)
    _ended(resources, desk, days_ago=40, fails=True)
    young = _ended(resources, desk, days_ago=29)
    open_job = desk.job()
    age(resources, Job, open_job, "created_at", by=timedelta(days=90))
    result = sweep(resources, "old_jobs")
    assert (result["deleted_count"], result["objects_deleted"]) == (2, 1)
    assert result["cutoff_date"] == (datetime.now(UTC) - timedelta(days=30)).date().isoformat()
    assert desk.count(Job) == 2
    assert {key.split("/")[1] for key in stored(resources)} == {str(young)}
    assert desk.row(open_job)
    run = latest(resources, "old_jobs")
    assert (run.total_items, run.items_succeeded, run.items_failed) == (2, 2, 0)


def test_how_long_jobs_are_kept_can_be_asked_for(resources: Resources, desk: Desk) -> None:
    _ended(resources, desk, days_ago=3)
    assert sweep(resources, "old_jobs", keep_days=4)["deleted_count"] == 0
    assert sweep(resources, "old_jobs", keep_days=2)["deleted_count"] == 1
    assert latest(resources, "old_jobs").metadata["parameters"] == {"keep_days": 2}


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("old_jobs", "keep_days", 0),
        ("old_jobs", "keep_days", 366),
        ("stuck_jobs", "stuck_after_minutes", 29),
        ("stuck_jobs", "stuck_after_minutes", 1441),
    ],
)
def test_a_threshold_out_of_range_fails_the_run(resources: Resources, name: str, parameter: str, value: int) -> None:
    assert Watchdog(resources).run_now(name, {parameter: value}) is None
    run = latest(resources, name)
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert f"not {value}" in run.error


@pytest.mark.parametrize("values", [{"keep_days": 0}, {"keep_days": 366}, {"stuck_after_minutes": 29}])
def test_a_setting_out_of_range_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Settings(**values)  # type: ignore[arg-type] # one of its numbers


def test_the_settings_are_what_was_asked_for() -> None:
    settings = Settings()
    assert (settings.stuck_after_minutes, settings.keep_days, settings.schedule_timezone) == (120, 30, "UTC")


def test_a_job_whose_task_still_stops_stays(resources: Resources, desk: Desk) -> None:
    job = desk.job()
    desk.claim()
    desk.cancel(job)
    age(resources, Job, job, *ENDED, by=timedelta(days=31))
    assert sweep(resources, "old_jobs")["deleted_count"] == 0
    assert desk.count(Task) == 1
    assert latest(resources, "old_jobs").items_failed == 0


def test_many_go_in_batches(resources: Resources, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mill_common.cleanup.AT_ONCE", 2)
    for _ in range(5):
        _ended(resources, desk, days_ago=31)
    assert sweep(resources, "old_jobs")["deleted_count"] == 5
    assert (desk.count(Job), stored(resources)) == (0, set())


def test_objects_that_storage_would_not_give_up_are_found_by_the_sweep_of_orphans(
    resources: Resources, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(keys: object) -> int:
        raise StorageUnavailable

    _ended(resources, desk, days_ago=31)
    with monkeypatch.context() as patched:
        patched.setattr(resources.store, "delete", refuse)
        assert Watchdog(resources).run_now("old_jobs") is None
    assert (desk.count(Job), len(stored(resources))) == (0, 1)
    monkeypatch.setitem(resources.settings.__dict__, "orphan_grace_s", -5)
    assert sweep(resources, "orphaned_objects")["deleted_count"] == 1
    assert stored(resources) == set()


def test_runs_of_that_age_are_forgotten(resources: Resources, desk: Desk) -> None:
    sweep(resources, "stuck_jobs")
    age(resources, ScheduledRun, latest(resources, "stuck_jobs").id, "finished_at", by=timedelta(days=31))
    sweep(resources, "stuck_jobs")
    assert sweep(resources, "old_jobs")["runs_forgotten"] == 1
    assert desk.count(ScheduledRun) == 2
