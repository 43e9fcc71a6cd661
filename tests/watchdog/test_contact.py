"""After an outage of the database, leases are judged only when workers have had time to renew them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from servers import Postgres
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from sqlmodel import col
from waiting import wait_for
from watchdog.processes import Kennel

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.models import Task
from mill_common.queue import lease
from mill_common.states import TaskStatus
from mill_watchdog.contact import Contact


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Some database."""
    with closing(Database(f"sqlite:///{tmp_path}/mill.db")) as database:
        yield database


def test_a_watchdog_that_starts_judges_at_once(database: Database) -> None:
    contact = Contact(database, lease_s=3600.0, sweep_s=1.0)
    contact.check()
    assert contact.may_judge


def test_it_waits_for_a_lease_when_the_database_was_lost(database: Database) -> None:
    contact = Contact(database, lease_s=3600.0, sweep_s=1.0)
    contact.lost()
    assert not contact.may_judge
    contact.check()
    assert not contact.may_judge


def test_then_it_judges_again(database: Database) -> None:
    contact = Contact(database, lease_s=0.05, sweep_s=1.0)
    contact.lost()
    contact.check()
    wait_for(lambda: contact.may_judge)


def test_a_long_silence_counts_as_an_outage(database: Database) -> None:
    contact = Contact(database, lease_s=2.0, sweep_s=0.05)
    time.sleep(1.2)
    contact.check()
    assert not contact.may_judge


def test_a_long_sweep_is_no_silence(database: Database) -> None:
    contact = Contact(database, lease_s=2.0, sweep_s=0.05)
    time.sleep(1.2)
    contact.kept()
    contact.check()
    assert contact.may_judge


@pytest.mark.slow
def test_who_could_not_renew_during_an_outage_keeps_its_task_and_who_died_loses_it(
    postgres: Postgres, redis_url: str, tmp_path: Path
) -> None:
    # Its own server: this one is stopped.
    with Postgres() as own, closing(Kennel(own.url, redis_url, tmp_path, MILL_LEASE_S="10")) as kennel:
        migrate(kennel.database)
        desk = kennel.desk
        desk.job()
        desk.job()
        living, dead = desk.claim(), desk.claim()
        with kennel.database.write() as session:
            session.execute(update(Task).where(col(Task.status) == TaskStatus.RUNNING).values(lease_until=db_now(6.0)))
        kennel.watchdog(MILL_RESEND_AFTER_S="0.01")
        wait_for(kennel.schedules)
        own.stop()
        with pytest.raises(OperationalError):
            desk.task(living.task_id)
        time.sleep(7)  # longer than their leases
        own.start()
        # A wake-up that is sent again shows that the watchdog has swept, which it does after reaping.
        waiting = desk.job()
        wait_for(lambda: _wakes_anew(kennel, waiting))
        assert {desk.task(claim.task_id).status for claim in (living, dead)} == {TaskStatus.RUNNING}
        desk.database.run(lambda session: lease.heartbeat(session, living, lease_s=600, progress=0.5, stage="s"))
        wait_for(lambda: desk.task(dead.task_id).status is TaskStatus.RETRYING)
        assert desk.task(living.task_id).status is TaskStatus.RUNNING


def _wakes_anew(kennel: Kennel, job: object) -> bool:
    """Whether the watchdog sends a wake-up that is overdue from now on."""
    [task] = kennel.desk.tasks(job).values()  # type: ignore[arg-type]
    with kennel.database.write() as session:
        overdue = update(Task).where(col(Task.id) == task.id).values(wake_at=db_now(-3600.0))
        session.execute(overdue)
    at = kennel.desk.task(task.id).wake_at
    wait_for(lambda: kennel.desk.task(task.id).wake_at > at)
    return True
