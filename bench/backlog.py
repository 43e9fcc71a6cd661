"""Many jobs of many owners, written in bulk: what `enqueue_job` would have written, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from servers import Postgres
from sqlalchemy import text

from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.models import Job, Owner
from mill_common.queue import Policy, enqueue_job

_OWNERS = """
    INSERT INTO owner SELECT (jsonb_populate_record(owner, jsonb_build_object('id', 'owner-' || n))).*
    FROM owner, generate_series(1, :owners) AS n WHERE owner.id = 'first'
"""
_JOBS = """
    INSERT INTO job SELECT (jsonb_populate_record(job, jsonb_build_object(
        'id', gen_random_uuid(), 'owner_id', CAST(:owner AS text) || (n % :owners + 1)))).*
    FROM job, generate_series(0, :jobs - 1) AS n WHERE job.id = :first
"""
# Each owner's shares are one more than the last, as `queue/share.py` numbers them.
_TASKS = """
    INSERT INTO task SELECT (jsonb_populate_record(task, jsonb_build_object(
        'id', gen_random_uuid(), 'job_id', job.id, 'owner_id', job.owner_id,
        'share', row_number() OVER (PARTITION BY job.owner_id ORDER BY job.id)))).*
    FROM task, job WHERE task.job_id = :first AND job.id <> :first
"""


@contextmanager
def backlog(server: Postgres, *, jobs: int, owners: int) -> Iterator[Database]:
    """A database with so many jobs of one queued task each, spread evenly over so many owners."""
    with server.database() as url, closing(Database(url)) as database:
        migrate(database)
        first = Job(owner_id="first", filename="clip.mp4", source_key="uploads/clip.mp4")
        with database.write() as session:
            session.add(Owner(id="first"))
            session.flush()
            enqueue_job(session, first, Policy())
            session.execute(text(_OWNERS), {"owners": owners})
            session.execute(text(_JOBS), {"jobs": jobs, "owners": owners, "owner": "owner-", "first": first.id})
            session.execute(text(_TASKS), {"first": first.id})
            session.delete(first)
        analyse(database)
        yield database


def analyse(database: Database) -> None:
    """Do what autovacuum does sooner or later."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
