"""Each rule from quiet to firing to resolved."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from servers import Redis
from sqlalchemy import update
from watchdog.outlook import Outlook

from mill_common.alerts import Rule
from mill_common.clock import db_now
from mill_common.errors import ChildFailed
from mill_common.health.services import checkup
from mill_common.health.workers import Teller
from mill_common.machine import disk_percent
from mill_common.models import Alert, AlertLevel, AlertStatus, Attempt, Task
from mill_common.resources import Resources, open_resources
from mill_common.runs import Result, Run, Schedule, ScheduledRun, begin_now
from mill_common.runs.ledger import Counts, fail, now
from mill_common.settings import Settings
from mill_transcoder.tools import ffmpeg_finding
from mill_watchdog.rules import RulesUnusable, all_rules
from mill_watchdog.rules.hosts import Disk
from mill_watchdog.scheduler import Scheduler
from mill_watchdog.schedules import Sweep
from mill_watchdog.surroundings import Lookout, Patient

BROKEN = {"status": "critical", "message": "it does not run"}


@pytest.fixture
def outlook(resources: Resources) -> Outlook:
    return Outlook(resources)


def _only(outlook: Outlook, kind: str) -> Alert:
    [alert] = outlook.alerts(kind)
    return alert


def _times(outlook: Outlook, **values: Any) -> None:
    with outlook.database.write() as session:
        session.execute(update(Task).values(**values))


def _dead(outlook: Outlook) -> Any:
    job = outlook.desk.job()
    claim = outlook.desk.claim()
    _times(outlook, max_attempts=1)
    outlook.desk.fail(replace(claim, max_attempts=1), ChildFailed("ffmpeg ended with 1"))
    return job


def test_nothing_is_wrong_with_an_empty_mill(outlook: Outlook) -> None:
    outlook.look()
    assert outlook.alerts() == []


def test_a_dead_letter_is_a_processing_failure_until_it_is_long_ago(outlook: Outlook) -> None:
    """P3: processing failures, with the metadata of document 003."""
    job = _dead(outlook)
    outlook.look()
    alert = _only(outlook, "processing_failure")
    assert (alert.level, alert.title, alert.status) == (AlertLevel.ERROR, "Processing Failed: probe", "firing")
    assert (alert.job_id, alert.owner_id, alert.stage) == (job, "ada", "probe")
    assert alert.details["error_code"] == "child_failed"
    assert alert.details["duration_seconds"] >= 0
    _times(outlook, finished_at=db_now(-901.0))
    outlook.look()
    assert _only(outlook, "processing_failure").status is AlertStatus.RESOLVED


def test_many_failures_of_one_kind_are_one_alert(outlook: Outlook) -> None:
    """P9: alerts are deduplicated by type and labels."""
    for _ in range(3):
        _dead(outlook)
        outlook.look()
    assert _only(outlook, "processing_failure").details["count"] == 3


def test_the_error_rate_is_told_above_a_tenth(outlook: Outlook) -> None:
    """P3: the error rate's threshold is 10 %."""
    for _ in range(18):
        outlook.desk.job()
        outlook.desk.finish(outlook.desk.claim())
    for _ in range(2):
        _dead(outlook)
    outlook.look()
    assert outlook.alerts("error_rate") == []
    _dead(outlook)
    outlook.look()
    assert _only(outlook, "error_rate").details == {"error_rate": 0.1429, "threshold": 0.1, "attempts": 21}
    with outlook.database.write() as session:
        session.execute(update(Attempt).values(ended_at=db_now(-1000.0)))
    outlook.look()
    assert "error_rate" not in outlook.firing()


def test_a_stage_that_takes_more_than_five_minutes_is_slow(outlook: Outlook) -> None:
    """P3: the processing time's threshold is 300 seconds."""
    outlook.desk.job()
    claim = outlook.desk.claim()
    with outlook.database.write() as session:
        session.execute(update(Attempt).values(started_at=db_now(-302.0)))
    outlook.desk.finish(claim)
    outlook.look()
    assert _only(outlook, "slow_processing").stage == "probe"
    with outlook.database.write() as session:
        session.execute(update(Attempt).values(started_at=db_now(-295.0)))
    outlook.look()
    assert outlook.firing() == []


def test_a_task_without_progress_for_half_an_hour_is_stuck(outlook: Outlook) -> None:
    """P3: stuck sessions are those of more than 30 minutes."""
    job = outlook.desk.job()
    outlook.desk.claim()
    _times(outlook, progress_at=db_now(-1799.0))
    outlook.look()
    assert outlook.alerts("stuck_task") == []
    _times(outlook, progress_at=db_now(-1801.0))
    outlook.look()
    assert _only(outlook, "stuck_task").job_id == job
    _times(outlook, progress_at=db_now())
    outlook.look()
    assert outlook.firing() == []


@pytest.mark.parametrize(("vital", "warning"), [("cpu", 80.0), ("memory", 80.0), ("disk", 90.0)])
def test_a_busy_or_full_host_is_told_at_the_thresholds(outlook: Outlook, vital: str, warning: float) -> None:
    """P3: CPU and memory above 80 %, disk above 90 %; critical above 95 %."""
    for percent, level in ((warning, None), (warning + 0.5, AlertLevel.WARNING), (95.5, AlertLevel.CRITICAL)):
        outlook.sample(**{f"{vital}_percent": percent})
        outlook.look()
        outlook.pass_time(Alert, 301.0, "created_at")  # the processors may be busy for five minutes
        outlook.look()
        found = outlook.alerts(vital, AlertStatus.FIRING)
        assert [alert.level for alert in found] == ([level] if level else [])
        assert all(alert.labels == {"host": "there"} for alert in found)
    outlook.silence_hosts()
    outlook.look()
    assert outlook.firing() == []


def test_a_host_is_as_the_latest_word_of_it_says_and_as_full_as_its_fullest_disk(outlook: Outlook) -> None:
    outlook.sample(disk_percent=99.0, memory_percent=99.0, ago_s=60.0, service="transcoder", pid=2)
    outlook.sample()
    outlook.look()
    assert outlook.firing() == ["disk"]
    assert outlook.alerts("memory") == []


def test_a_host_that_says_nothing_any_more_is_not_judged(outlook: Outlook) -> None:
    outlook.sample(disk_percent=99.0, ago_s=185.0)
    outlook.look()
    assert outlook.alerts() == []


def test_an_encode_may_take_the_processors_for_a_while(outlook: Outlook) -> None:
    """P9: a condition fires once it has held for its duration, and one that ends before is never heard of."""
    outlook.sample(cpu_percent=100.0)
    outlook.look()
    assert _only(outlook, "cpu").status is AlertStatus.PENDING
    outlook.sample()
    outlook.look()
    assert outlook.alerts() == []


def test_a_disk_is_full_from_its_threshold_on(resources: Resources) -> None:
    """P3: this host's own disk, as it is."""
    used = disk_percent(resources.settings.data_dir)
    for percent, firing in ((used - 0.5, ["disk"]), (used + 0.5, [])):
        outlook = Outlook(_with(resources, alert_disk_percent=percent), [Disk()])
        outlook.sample(disk_percent=used)
        outlook.look()
        assert outlook.firing() == firing


def test_a_worker_without_ffmpeg_is_told_of_until_it_has_one(resources: Resources, tmp_path: Path) -> None:
    """P3: ffmpeg missing or broken, as the transcoder's own checks find it."""
    outlook = Outlook(resources)
    outlook.worker(host=socket.gethostname(), pid=os.getpid())
    for ffmpeg, firing in ((tmp_path / "ffmpeg", ["program_broken"]), (None, [])):
        wired = _with(resources, ffmpeg=ffmpeg, scratch_free_bytes=0)
        Teller(resources.database).tell(checkup(wired, tools={"ffmpeg": ffmpeg_finding}).report())
        outlook.look()
        assert outlook.firing() == firing


def test_a_program_that_a_worker_misses_is_told_by_host(outlook: Outlook) -> None:
    """P3: ffmpeg missing or broken."""
    outlook.worker(health={"ffmpeg": BROKEN, "packager": BROKEN, "model": {"status": "healthy", "message": "m"}})
    outlook.look()
    programs = {alert.labels["program"]: alert.level for alert in outlook.alerts("program_broken")}
    assert programs == {"ffmpeg": AlertLevel.CRITICAL, "packager": AlertLevel.CRITICAL}


def test_a_queue_is_deep_and_old_and_nobody_works_on_it(resources: Resources) -> None:
    outlook = Outlook(_with(resources, alert_queue_depth=2))
    outlook.worker()
    for _ in range(3):
        outlook.desk.job()
    outlook.look()
    assert _only(outlook, "queue_depth").details == {"depth": 3, "threshold": 2}
    _times(outlook, run_after=db_now(-601.0), queued_at=db_now(-601.0))
    outlook.look()
    assert outlook.firing() == ["queue_age", "queue_depth"]
    outlook.no_workers()
    outlook.look()
    outlook.pass_time(Alert, 121.0, "created_at")
    outlook.look()
    assert outlook.firing() == ["no_worker", "queue_age", "queue_depth"]
    # What explains them is told; they are not.
    symptoms = {alert.type: alert.inhibited_by for alert in outlook.alerts(status=AlertStatus.FIRING)}
    assert symptoms == {"no_worker": None, "queue_age": "no_worker", "queue_depth": "no_worker"}
    for _ in range(3):
        outlook.desk.finish(outlook.desk.claim())
    outlook.look()
    assert outlook.firing() == []


def test_paused_workers_are_no_workers(outlook: Outlook) -> None:
    outlook.worker(state="paused", reason="scratch space is short")
    outlook.desk.job()
    outlook.look()
    outlook.pass_time(Alert, 121.0, "created_at")
    outlook.look()
    assert "scratch space is short" in _only(outlook, "no_worker").message


def test_dead_letters_add_up_until_somebody_sees_to_them(resources: Resources) -> None:
    outlook = Outlook(_with(resources, alert_dead_letters=2))
    jobs = [_dead(outlook), _dead(outlook)]
    outlook.look()
    assert _only(outlook, "dead_letters").details["count"] == 2
    outlook.desk.retry(jobs[0])
    outlook.look()
    assert "dead_letters" not in outlook.firing()


def test_a_schedule_whose_time_passed_is_missed(outlook: Outlook) -> None:
    with outlook.database.write() as session:
        due = now(session) - timedelta(seconds=601)
        session.add(Schedule(name="old_jobs", cron="0 2 * * *", timezone="UTC", next_at=due))
    outlook.look()
    assert _only(outlook, "schedule_missed").labels == {"schedule": "old_jobs"}
    with outlook.database.write() as session:
        session.execute(update(Schedule).values(next_at=db_now(60.0)))
    outlook.look()
    assert outlook.firing() == []


def test_a_paused_schedule_is_not_missed_nor_one_whose_turn_waits(outlook: Outlook) -> None:
    with outlook.database.write() as session:
        due = now(session) - timedelta(seconds=601)
        session.add(Schedule(name="paused", cron="0 2 * * *", timezone="UTC", next_at=due, paused_at=due))
    outlook.look()
    assert outlook.firing() == []
    with outlook.database.write() as session:
        session.add(Schedule(name="waits", cron="0 2 * * *", timezone="UTC", next_at=due))
        session.flush()
        begin_now(session, "another", worker="w", lease_s=60.0)
    outlook.look()
    assert outlook.firing() == []
    with outlook.database.write() as session:
        session.execute(update(ScheduledRun).values(lease_until=db_now(-1.0)))
    outlook.look()
    assert _only(outlook, "schedule_missed").labels == {"schedule": "waits"}


def test_storage_that_went_away_is_found_out_and_explains_the_failures(resources: Resources, tmp_path: Path) -> None:
    """P3: object storage unreachable. P9: what is down inhibits its symptoms."""
    outlook = Outlook(resources)
    _dead(outlook)
    nobody = Settings(data_dir=tmp_path, storage_url="s3://key:secret@127.0.0.1:9/bucket?secure=false")
    with closing(open_resources(nobody)) as away:
        outlook.around = replace(outlook.around, storage=Lookout(away).look().storage)
    outlook.look()
    assert {alert.type: alert.inhibited_by for alert in outlook.alerts()} == {
        "storage_unreachable": None,
        "processing_failure": "storage_unreachable",
    }
    assert "secret" not in _only(outlook, "storage_unreachable").message
    outlook.around = replace(outlook.around, storage=Lookout(resources).look().storage)
    outlook.look()
    assert _only(outlook, "processing_failure").inhibited_by is None
    assert outlook.firing() == ["processing_failure"]


def test_storage_that_never_answers_is_found_out_once(resources: Resources) -> None:
    asked, let_go = [], threading.Event()

    def hang() -> None:
        asked.append(1)
        let_go.wait()

    patient = Patient(hang)
    assert patient.fault(0.01) == "It has not answered within 0.01 s."
    assert patient.fault(0.01) is not None
    assert len(asked) == 1
    let_go.set()


def test_a_stopped_redis_is_told_of_until_it_is_back(outlook: Outlook, tmp_path: Path) -> None:
    with Redis() as own, closing(open_resources(Settings(data_dir=tmp_path, broker_url=own.url))) as wired:

        def firing() -> list[str]:
            outlook.around = replace(outlook.around, broker=Lookout(wired).look().broker)
            outlook.look()
            return outlook.firing()

        assert firing() == []
        own.stop()
        assert firing() == ["broker_unreachable"]
        own.start()
        assert firing() == []


def test_a_log_file_that_grows_is_told_until_it_is_turned_over(resources: Resources, tmp_path: Path) -> None:
    """P3: log file issues."""
    folder = tmp_path / "logs"
    folder.mkdir()
    wired = _with(resources, log_dir=folder, alert_log_bytes=10)
    outlook = Outlook(wired)
    for line, firing in (("short", []), ("a longer line", ["log_files"]), ("short", [])):
        (folder / "application.log").write_text(line)
        outlook.around = replace(outlook.around, logs=Lookout(wired).look().logs)
        outlook.look()
        assert outlook.firing() == firing
    assert _only(outlook, "log_files").message.startswith("application.log holds")


def test_a_schedule_whose_run_failed_is_told_until_one_completes(outlook: Outlook) -> None:
    fails = threading.Event()

    def work(_resources: Resources, run: Run) -> Result:
        if fails.is_set():
            raise ChildFailed("It did not.")
        return {}

    scheduler = Scheduler(outlook.resources, threading.Event(), {"nightly": Sweep("nightly", "0 2 * * *", work)})
    scheduler.tick()
    for change, firing in ((fails.clear, []), (fails.set, ["schedule_failed"]), (fails.clear, [])):
        change()
        scheduler.run_now("nightly")
        outlook.look()
        assert outlook.firing() == firing


def test_a_failed_schedule_is_told_of_while_it_is_tried_again(outlook: Outlook) -> None:
    with outlook.database.write() as session:
        session.add(Schedule(name="nightly", cron="0 2 * * *", timezone="UTC", next_at=now(session)))
        fail(session, begin_now(session, "nightly", worker="w", lease_s=60.0), Counts(), "It did not.")
    outlook.look()
    with outlook.database.write() as session:
        begin_now(session, "nightly", worker="w", lease_s=60.0)
    outlook.look()
    assert outlook.firing() == ["schedule_failed"]


def test_a_custom_rule_is_a_small_class_in_a_module_that_settings_name(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3: custom alert types."""
    code = """
from mill_common.alerts import Finding, Rule
from mill_common.models import AlertLevel

class Full(Rule):
    type = "moon_is_full"

    def find(self, view):
        yield Finding(level=AlertLevel.INFO, title="Full moon", message="It is full.")

RULES = [Full()]
"""
    (tmp_path / "mill_rules_of_ours.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    wired = _with(resources, alert_rules="mill_rules_of_ours")
    outlook = Outlook(wired)
    outlook.look()
    assert outlook.firing() == ["moon_is_full"]


@pytest.mark.parametrize("module", ["no_such_module", "json"])
def test_a_module_without_rules_is_refused(module: str) -> None:
    with pytest.raises(RulesUnusable, match=module):
        all_rules(Settings(alert_rules=module))


def test_a_rule_that_fails_leaves_its_alerts_and_the_other_rules_alone(outlook: Outlook) -> None:
    """P9: not to know is not good news."""
    outlook.worker(health={"ffmpeg": BROKEN})
    outlook.look()
    broken = next(rule for rule in outlook.rules if rule.type == "program_broken")
    outlook.rules[outlook.rules.index(broken)] = _failing(type(broken))
    outlook.failing_rules = {"program_broken"}
    _dead(outlook)
    outlook.look()
    assert outlook.firing() == ["processing_failure", "program_broken"]


def _failing(rule: type[Rule]) -> Rule:
    def find(self: Rule, view: object) -> Any:
        raise RuntimeError

    made: Callable[[], Rule] = type("Failing", (rule,), {"find": find})
    return made()


def _with(resources: Resources, **settings: Any) -> Resources:
    return replace(resources, settings=resources.settings.model_copy(update=settings))
