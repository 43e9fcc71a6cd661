"""A database as an operator has it after a busy fortnight: a million jobs of fifty owners, six tasks each.

A job ends every second up to now, one in two hundred of them failed; fifteen thousand were handed in lately and wait or
run; a hundred thousand are a month older than the rest. `MILL_BENCH_JOBS` scales it.
"""

from __future__ import annotations

import atexit
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import psutil
from servers import Postgres

from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.resources import open_resources
from mill_common.settings import Settings
from mill_watchdog.loop import watchdog

JOBS = int(os.environ.get("MILL_BENCH_JOBS", "1000000"))
OWNERS = 50
WAITING = JOBS * 3 // 200
OLD = JOBS // 10
SAID = f"{JOBS:,} jobs and {6 * JOBS:,} tasks"
TABLES = ("job", "task", "attempt", "upload")

# Each job by its number: when it was handed in, and whether it waits or has failed. Identifiers sort by that time.
_EACH = f"""
generate_series(1, {JOBS}) AS i,
LATERAL (SELECT i > {JOBS - WAITING} AS waits, i % 200 = 7 AS failed) AS state,
LATERAL (SELECT timestamptz '@now' - CASE WHEN waits THEN ({JOBS} - i) * interval '10 ms'
    ELSE ({JOBS - WAITING} - i + 60) * interval '1 second' END
    - CASE WHEN i <= {OLD} THEN interval '30 days' ELSE interval '0' END AS at) AS born,
LATERAL (SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS ms,
    lpad(to_hex(i), 15, '0') AS number,
    'owner-' || (i / 50 % {OWNERS} + 1) AS owner_id) AS named
"""
# Kinds of tasks, when they begin after their job does and how long they take on average, in seconds.
_KINDS = """(VALUES (1, 'probe', 0, 0.4), (2, 'audio', 1, 2.0), (3, 'encode', 1, 20.0), (4, 'transcribe', 4, 12.0),
    (5, 'package', 24, 1.5), (6, 'publish', 27, 0.8)) AS kinds (t, kind, after_s, mean_s)"""
_OWNER = f"""
INSERT INTO owner (id, weight, created_at) SELECT 'owner-' || n, 1, now() FROM generate_series(1, {OWNERS}) n
"""
_JOB = f"""
INSERT INTO job (id, owner_id, status, priority, progress, spec, user_metadata, filename, source_key, source_size,
        source_sha256, stored_bytes, duration_s, media, error_code, created_at, started_at, updated_at, completed_at)
    SELECT (ms || '7000' || '8' || number)::uuid, owner_id,
        CASE WHEN waits THEN 'processing' WHEN failed THEN 'failed' ELSE 'completed' END, 5, 1, '{{}}',
        jsonb_build_object('album', 'album ' || i % 97), md5(i::text) || '.mp4', 'uploads/' || i, 50000000,
        md5(i::text) || md5(i::text), CASE WHEN waits OR failed THEN 0 ELSE 12000000 END, 60 + i % 120,
        '{{"duration_s": 60.0, "width": 1280, "height": 720, "video": {{"codec": "h264"}},
          "audio": {{"codec": "aac"}}}}',
        CASE WHEN failed THEN 'source_unreadable' END, at, at, at,
        CASE WHEN NOT waits THEN at + interval '30 seconds' END
    FROM {_EACH};
INSERT INTO upload (id, owner_id, filename, content_type, object_key, size, created_at, completed_at)
    SELECT (ms || '7001' || '8' || number)::uuid, owner_id, 'clip.mp4', 'video/mp4', 'uploads/' || i, 50000000, at, at
    FROM {_EACH};
"""
_TASK = f"""
INSERT INTO task (id, job_id, owner_id, queue, kind, name, params, status, progress, weight, rank, share, epoch,
        attempts, max_attempts, outages, crashes, lane, run_after, wake_at, lease_until, heartbeat_at, progress_at,
        created_at, queued_at, started_at, finished_at)
    SELECT (ms || '700' || t + 1 || '8' || number)::uuid, (ms || '7000' || '8' || number)::uuid, owner_id,
        CASE WHEN kind = 'transcribe' THEN 'transcribe' ELSE 'transcode' END, kind, kind, '{{}}',
        CASE WHEN waits THEN CASE WHEN i % 150 = 0 AND t = 1 THEN 'running' ELSE 'queued' END
            WHEN failed AND t = 3 THEN 'failed' WHEN failed AND t > 3 THEN 'cancelled' ELSE 'completed' END,
        1, 1, 4, i, 1, 1, 5, 0, 0, '', at, at + interval '1 hour', at + interval '1 hour', at, at, at, at, at,
        CASE WHEN NOT waits THEN at + (after_s + mean_s) * interval '1 second' END
    FROM {_EACH}, {_KINDS};
"""
_ATTEMPT = f"""
INSERT INTO attempt (task_id, epoch, worker, started_at, ended_at, outcome, error_code, cpu_s, peak_memory, bytes_in,
        bytes_out, log_tail)
    SELECT (ms || '700' || t + 1 || '8' || number)::uuid, 1, 'worker', at + after_s * interval '1 second',
        at + (after_s + mean_s * (0.5 + i % 101 / 100.0)) * interval '1 second',
        CASE WHEN failed AND t = 3 THEN 'failed' ELSE 'completed' END,
        CASE WHEN failed AND t = 3 THEN 'source_unreadable' END, mean_s, 100000000, 50000000, 12000000, ''
    FROM {_EACH}, {_KINDS} WHERE NOT waits AND NOT (failed AND t > 3);
"""
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY(%s)
    AND indexname NOT IN (SELECT conname FROM pg_constraint) ORDER BY indexname
"""


@cache
def loaded() -> str:
    """The URL of a loaded database, which the benches of one run share."""
    needed = 6 * JOBS * 1200  # bytes, with indexes
    if shutil.disk_usage(gettempdir()).free < needed or psutil.virtual_memory().available < 2**30:
        raise RuntimeError("not enough room: set MILL_BENCH_JOBS to less")
    url = _kept().enter_context(_server().database())
    fill(url)
    return url


@cache
def added_up() -> str:
    """The same, after what the watchdog does every few minutes for those who ask for figures."""
    with closing(open_resources(Settings(database_url=loaded(), data_dir=Path(gettempdir())))) as resources:
        if watchdog(resources).run_now("figures") is None:
            raise RuntimeError("the figures were not added up")
    return loaded()


def empty() -> AbstractContextManager[str]:
    """The URL of a fresh database on the same server."""
    return _server().database()


@cache
def _server() -> Postgres:
    return _kept().enter_context(Postgres())


@cache
def _kept() -> ExitStack:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack


def fill(url: str) -> None:
    """Write the rows. Rows go in faster without what finds them, and without asking whether what they name is there."""
    with closing(Database(url)) as database:
        migrate(database)
        execute = partial(_execute, database)
        indexes = execute(_INDEXES, list(TABLES))
        execute("".join(f'DROP INDEX "{name}";' for name, _ in indexes))
        execute(_OWNER)
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(execute, [rows.replace("@now", at) for rows in (_TASK, _ATTEMPT, _JOB)]))
            list(threads.map(execute, [statement for _, statement in indexes]))
        execute("VACUUM ANALYZE")


def _execute(database: Database, statement: str, *values: Any) -> list[Any]:
    with closing(database.engine.raw_connection()) as connection:
        connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]  # psycopg2's own
        try:
            cursor = connection.cursor()
            cursor.execute("SET session_replication_role = replica; SET maintenance_work_mem = '256MB'")
            cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.execute("RESET ALL")
            connection.dbapi_connection.autocommit = False  # type: ignore[union-attr]
