"""Wake-ups that were lost are sent again; rows, not messages, are the truth."""

from __future__ import annotations

from contextlib import closing

from common.desk import Desk
from sqlalchemy import text, update

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.errors import ChildFailed
from mill_common.models import Task
from mill_common.queue import TRANSCODE, TRANSCRIBE, NewTask, overdue_wakeups


def overdue(desk: Desk) -> None:
    """Let every task have waited too long."""
    with desk.database.write() as session:
        session.execute(update(Task).values(wake_at=db_now(-1.0), run_after=db_now(-1.0)))


def test_a_task_that_was_just_queued_needs_no_second_wake_up(desk: Desk) -> None:
    desk.job()
    assert desk.queue.resend() == 0


def test_a_wake_up_that_nobody_acted_on_is_sent_again(desk: Desk) -> None:
    desk.job()
    overdue(desk)
    assert desk.queue.resend() == 1
    assert desk.woken.counts == {TRANSCODE: 1}


def test_a_wake_up_is_not_sent_again_at_every_sweep(desk: Desk) -> None:
    desk.job()
    overdue(desk)
    assert [desk.queue.resend() for _ in range(3)] == [1, 0, 0]


def test_each_queue_is_sent_its_own(desk: Desk) -> None:
    plan = [NewTask(name="a", kind="a"), NewTask(name="b", kind="b"), NewTask(name="t", kind="t", queue=TRANSCRIBE)]
    desk.planned(*plan)
    desk.woken.counts.clear()
    overdue(desk)
    desk.queue.resend()
    assert desk.woken.counts == {TRANSCODE: 2, TRANSCRIBE: 1}


def test_a_retry_is_woken_when_it_is_due_and_not_before(desk: Desk) -> None:
    desk.job()
    claim = desk.claim()
    desk.fail(claim, ChildFailed())
    assert desk.queue.resend() == 0
    desk.due(claim.task_id)
    assert desk.queue.resend() == 1


def test_a_dead_worker_s_task_is_woken_by_the_same_sweep(desk: Desk) -> None:
    desk.job()
    desk.crash(desk.claim())
    assert desk.queue.resend() == 1


def test_what_runs_or_has_ended_is_not_woken(desk: Desk) -> None:
    desk.planned(NewTask(name="next", kind="x"))
    desk.claim()
    overdue(desk)
    assert desk.queue.resend() == 0


def test_a_sweep_of_a_long_backlog_is_bounded(desk: Desk) -> None:
    desk.planned(*(NewTask(name=f"encode-{number}", kind="x") for number in range(100)))
    overdue(desk)
    sent = [desk.queue.resend() for _ in range(10)]
    assert sum(sent) == 100
    assert max(sent) <= 64


def test_a_sweep_is_bounded_however_postgres_plans_it(migrated_postgres_url: str) -> None:
    with closing(Database(migrated_postgres_url)) as database:
        desk = Desk(database)
        desk.planned(*(NewTask(name=f"encode-{number}", kind="x") for number in range(20)))
        overdue(desk)
        with database.write() as session:
            for way in ("hashjoin", "mergejoin", "material", "hashagg", "sort", "memoize"):
                session.execute(text(f"SET LOCAL enable_{way} = off"))
            assert overdue_wakeups(session, desk.policy, limit=5).total() == 5


def test_a_wake_up_too_many_changes_nothing(desk: Desk) -> None:
    desk.job()
    desk.claim()
    assert [desk.take() for _ in range(3)] == [None] * 3
