"""Many jobs at once, written by PostgreSQL itself: a month of them, with a backlog and what went wrong."""

from __future__ import annotations

from sqlalchemy import text

from mill_common.database import Database

_OWNERS = "INSERT INTO owner (id, weight, created_at) SELECT 'owner' || n, 1, now() FROM generate_series(0, 49) AS n"
_JOBS = """
INSERT INTO job (id, owner_id, status, priority, progress, spec, user_metadata, filename, source_key, created_at,
                 started_at, updated_at, completed_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, 'owner' || n % 50,
       CASE WHEN n % :every = 0 THEN 'queued' ELSE 'completed' END, 5, 1,
       '{}', '{}', 'clip.mp4', 'uploads/clip.mp4', at, at, at, at
FROM (SELECT n, statement_timestamp() - interval '30 days' * (1 - n::float / :jobs) AS at
      FROM generate_series(1, :jobs) AS n) AS jobs
"""
_TASKS = """
INSERT INTO task (id, job_id, owner_id, queue, kind, name, params, status, progress, weight, rank, share, epoch,
                  attempts, max_attempts, crashes, run_after, wake_at, created_at, queued_at, started_at, finished_at,
                  error_code)
SELECT lpad(to_hex(n * 16 + k), 32, '0')::uuid, lpad(to_hex(n), 32, '0')::uuid, 'owner' || n % 50,
       CASE k WHEN 2 THEN 'transcribe' ELSE 'transcode' END, 'encode', 'encode-' || k, '{}', status, 1, 1, 4, n, 1,
       1, 5, 0, at, at, at, at, at, CASE WHEN status IN ('completed', 'failed') THEN at + interval '90 seconds' END,
       CASE WHEN status = 'failed' THEN 'child_failed' END
FROM (SELECT n, k, statement_timestamp() - interval '30 days' * (1 - n::float / :jobs) AS at,
             CASE WHEN n % :every = 0 THEN 'queued' WHEN n % 97 = 0 AND k = 1 THEN 'failed' ELSE 'completed' END
                 AS status
      FROM generate_series(1, :jobs) AS n, generate_series(1, :tasks) AS k) AS tasks
"""
_ATTEMPTS = """
INSERT INTO attempt (task_id, epoch, worker, started_at, ended_at, outcome, cpu_s, peak_memory, bytes_in, bytes_out,
                     log_tail)
SELECT id, 1, 'w', started_at, finished_at, status, 0, 0, 0, 0, '' FROM task WHERE status IN ('completed', 'failed')
"""


_PLAIN_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid IN ('job'::regclass, 'task'::regclass, 'attempt'::regclass) AND NOT indisunique
"""
_ENDPOINTS = """
INSERT INTO webhook_endpoint (id, owner_id, job_id, url, description, events, payload, secret, enabled, failing_since,
                              created_at, updated_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, 'owner' || n % 50, lpad(to_hex(n), 32, '0')::uuid, 'https://example.com', '',
       '[]', 'small', 'whsec_', true, CASE WHEN n % 500 = 0 THEN now() - interval '2 hours' END, now(), now()
FROM generate_series(1, 60000) AS n
"""
_DELIVERIES = """
INSERT INTO webhook_delivery (id, endpoint_id, job_id, event, data, status, attempts, epoch, next_at, created_at,
                              ended_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(1 + n % 10000), 32, '0')::uuid, NULL, 'job.completed', '{}',
       CASE WHEN n % 500 = 499 THEN 'pending' WHEN n % 7 = 0 THEN 'failed' ELSE 'delivered' END, 1, 1, at, at,
       CASE WHEN n % 500 = 499 THEN NULL ELSE at END
FROM (SELECT n, now() - n * interval '1 minute' AS at FROM generate_series(1, 40000) AS n) AS deliveries
"""
_USAGE = """
INSERT INTO usage (owner_id, day, key_id, route, bucket, requests, errors, bytes_in, bytes_out)
SELECT 'owner' || n, current_date - day, lpad(to_hex(n), 32, '0')::uuid, 'GET /jobs/' || route, 1, 9, 1, 0, 0
FROM generate_series(0, 49) AS n, generate_series(0, 599) AS day, generate_series(1, 10) AS route
"""


def crowd(database: Database, *, jobs: int, tasks: int = 6, every: int = 50) -> None:
    """Write `jobs` jobs of 50 owners with `tasks` tasks each; one job in `every` still waits."""
    numbers = {"jobs": jobs, "every": every, "tasks": tasks}
    with database.write() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # no look-up for each foreign key
        indexes = list(session.execute(text(_PLAIN_INDEXES)))
        for name, _ in indexes:
            session.execute(text(f"DROP INDEX {name}"))  # made again at once: much faster than row by row
        session.execute(text(_OWNERS))
        session.execute(text(_JOBS), {name: numbers[name] for name in ("jobs", "every")})
        session.execute(text(_TASKS), numbers)
        session.execute(text(_ATTEMPTS))
        for _, definition in indexes:
            session.execute(text(definition))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ("job", "task", "attempt"):
            connection.exec_driver_sql(f"VACUUM (ANALYZE) {table}")


def crowd_told(database: Database) -> None:
    """Beside a crowd: many deliveries to many endpoints, and 600 days of usage."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table, rows in (("webhook_endpoint", _ENDPOINTS), ("webhook_delivery", _DELIVERIES), ("usage", _USAGE)):
            connection.execute(text(rows))
            connection.exec_driver_sql(f"VACUUM (ANALYZE) {table}")
        connection.exec_driver_sql("ANALYZE owner")
