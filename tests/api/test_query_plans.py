"""J17: no query of jobs reads a table from end to end. PostgreSQL's own plans say so, of the statements really sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest
from api.conftest import _migrate
from api.running import ADMIN_KEY, Gateway, serving
from pydantic import SecretStr
from servers import Postgres
from sqlalchemy import Engine, event, text

from mill_common.database import Database
from mill_common.resources import open_resources
from mill_common.settings import Settings
from mill_common.speed_survey import survey_speeds

JOBS = "/api/v1/jobs"
FILL = """
INSERT INTO owner (id, created_at, weight) SELECT 'owner' || n, now(), 1 FROM generate_series(0, 49) AS n;
INSERT INTO job (id, owner_id, status, priority, progress, spec, user_metadata, collection, filename, source_key,
                 source_size, duration_s, media, created_at, started_at, updated_at, completed_at)
SELECT gen_random_uuid(), 'owner' || n % 50,
       CASE WHEN n / 50 % 20 = 0 THEN 'failed' WHEN n / 50 % 20 = 1 THEN 'queued' ELSE 'completed' END,
       n / 50 % 10, 1, '{}', '{}', CASE WHEN n % 3 = 0 THEN 'collection ' || n % 40 END, md5(n::text) || '.mp4',
       'uploads/' || n, 1000, 60, '{"duration_s": 60, "width": 640, "height": 360}', now() - n * interval '1 minute',
       now(), now(), CASE WHEN n / 50 % 20 <> 1 THEN now() - n * interval '30 seconds' END
FROM generate_series(1, 40000) AS n;
INSERT INTO job_label (job_id, name, owner_id, value)
SELECT id, name, owner_id, priority || filename FROM job, unnest(ARRAY['album', 'take']) AS name;
INSERT INTO task (id, job_id, owner_id, queue, kind, name, params, status, progress, weight, rank, share, epoch,
                  attempts, max_attempts, crashes, run_after, wake_at, created_at, started_at, finished_at)
SELECT gen_random_uuid(), id, owner_id, 'transcode', kind, kind, '{}', 'completed', 1, 1, 4, 0, 1, 1, 5, 0, now(),
       now(), now(), now(), now()
FROM job, unnest(ARRAY['probe', 'publish']) AS kind;
INSERT INTO attempt (task_id, epoch, worker, started_at, cpu_s, peak_memory, bytes_in, bytes_out, log_tail)
SELECT id, 1, 'worker', now(), 0, 0, 0, 0, '' FROM task;
INSERT INTO output (id, job_id, task_id, epoch, name, kind, object_key, size, sha256, content_type, intermediate, facts,
                    files, created_at, published_at)
SELECT gen_random_uuid(), job_id, id, 1, kind || '.mp4', 'rendition', id::text, 1, 'ab', 'video/mp4', false, '{}', '{}',
       now(), now()
FROM task;
INSERT INTO upload (id, owner_id, filename, content_type, object_key, size, created_at)
SELECT gen_random_uuid(), 'owner' || n % 50, 'a', 'b', n::text, 1, now() FROM generate_series(1, 40000) AS n;
INSERT INTO usage (owner_id, day, key_id, route, bucket, requests, errors, bytes_in, bytes_out)
SELECT 'owner' || n % 50, current_date - n / 50 % 300, gen_random_uuid(), 'GET /' || n % 7, n % 100, 1, 0, 0, 0
FROM generate_series(1, 40000) AS n;
INSERT INTO webhook_endpoint (id, owner_id, url, description, events, payload, secret, enabled, created_at, updated_at)
SELECT gen_random_uuid(), 'owner' || n % 50, 'https://example.org/' || n, '', '["job.completed"]', 'small', 'whsec_x',
       true, now(), now() FROM generate_series(1, 20000) AS n;
INSERT INTO webhook_delivery (id, endpoint_id, job_id, event, data, status, attempts, epoch, next_at, created_at,
                              ended_at)
SELECT gen_random_uuid(), hook.id, job.id, 'job.completed', '{}', 'delivered', 1, 1, now(), now(), now()
FROM (SELECT id, row_number() OVER () AS n FROM webhook_endpoint) AS hook
JOIN (SELECT id, row_number() OVER () AS n FROM job) AS job ON job.n % 20000 = hook.n - 1;
"""
LISTS = [
    *({}, {"page": 3}, {"status": "failed"}, {"status": ["failed", "queued"]}, {"priority": [1, 2]}),
    *({"from_date": "2026-01-01", "to_date": "2036-01-01"}, {"search": "abc"}, {"collection": "collection 3"}),
    *({"metadata": "album=3x"}, {"metadata": ["album", "take"]}, {"search": "a", "status": "failed", "priority": 3}),
    *({"sort_by": field, "sort_order": order} for field in ("completed_at", "filename") for order in ("asc", "desc")),
    *({"sort_by": field, "sort_order": order} for field in ("priority", "status") for order in ("asc", "desc")),
]
READS = [(JOBS, query) for query in LISTS]
READS += [(f"{JOBS}/export", {"format": "ndjson", **query}) for query in ({}, {"sort_by": "completed_at"})]
READS += [(f"{JOBS}/stats", {}), (f"{JOBS}/stats", {"from_date": "2026-01-01"}), ("/api/v1/collections", {})]
READS += [(JOBS + "/{job_id}" + part, {}) for part in ("", "/attempts", "/logs", "/outputs")]


@pytest.fixture(scope="module")
def full(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, httpx.Client]]:
    """A gateway on a database with 40,000 jobs of 50 owners, and one of these."""
    folder = tmp_path_factory.mktemp("plans")
    with postgres.database("mill_full", _fill) as url:
        settings = Settings(data_dir=folder, admin_key=SecretStr(ADMIN_KEY), database_url=url)
        with closing(open_resources(settings)) as resources, serving(resources) as gateway:
            with resources.database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                connection.execute(text("VACUUM ANALYZE"))
            with gateway.owner("owner7") as client:
                yield gateway, client


def _fill(url: str) -> None:
    _migrate(url)
    with closing(Database(url)) as database, database.write() as session:
        session.execute(text(FILL.replace(":", r"\:")))


@contextmanager
def sent(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """The statements that read, with their values."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if statement.startswith(("SELECT", "PREPARE", "EXECUTE")):
            statements.append((statement, values))

    engine.dispose()  # so that what is prepared once a connection is prepared now
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def whole_reads(engine: Engine, statements: list[tuple[str, Any]]) -> list[str]:
    """The steps of the plans that read a table from end to end; those that are small for ever may be."""
    plans = []
    with engine.connect() as connection:
        connection.exec_driver_sql("DEALLOCATE ALL")
        connection.info.clear()  # it is prepared again when it is needed
        prepared = dict.fromkeys(statement for statement, _ in statements if statement.startswith("PREPARE"))
        for statement in prepared:
            connection.exec_driver_sql(statement)
        for statement, values in statements:
            if statement in prepared:
                continue
            plans += [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values)]
        connection.exec_driver_sql("DEALLOCATE ALL")
    small = ("on owner", "on api_key", "on step_speed", "on scheduled_run", "on schedule")
    return [step for step in plans if "Seq Scan" in step and not any(table in step for table in small)]


@pytest.mark.parametrize(("path", "query"), READS)
def test_no_request_reads_a_whole_table(full: tuple[Gateway, httpx.Client], path: str, query: dict[str, Any]) -> None:
    gateway, client = full
    engine = gateway.resources.database.engine
    job_id = client.get(JOBS, params={"per_page": 1}).json()["jobs"][0]["job_id"]
    with sent(engine) as statements:
        answer = client.get(path.format(job_id=job_id), params=query)
        assert answer.status_code == 200, answer.text
        if path == JOBS and answer.json()["next_cursor"]:
            following = client.get(path, params=query | {"cursor": answer.json()["next_cursor"]})
            assert following.status_code == 200, following.text
    assert any("FROM job" in statement for statement, _ in statements)
    assert whole_reads(engine, statements) == []


@pytest.mark.parametrize(
    "path",
    [
        *("usage?group_by=route", "usage?from_date=2026-01-01&to_date=2026-02-01", "uploads/{upload_id}", "webhooks"),
        *(
            "webhooks/{webhook_id}",
            "webhooks/{webhook_id}/deliveries",
            "webhooks/{webhook_id}/deliveries?status=failed",
        ),
        *("jobs/{job_id}/deliveries", "events/{job_id}/progress"),
    ],
)
def test_no_other_route_reads_a_whole_table(full: tuple[Gateway, httpx.Client], path: str) -> None:
    gateway, client = full
    engine = gateway.resources.database.engine
    with engine.connect() as connection:
        ids = {
            f"{table}_id": connection.exec_driver_sql(f"SELECT id FROM {name} WHERE owner_id = 'owner7'").scalar()
            for table, name in (("job", "job"), ("upload", "upload"), ("webhook", "webhook_endpoint"))
        }
    with sent(engine) as statements:
        assert client.get("/api/v1/" + path.format(**ids)).status_code == 200
    assert statements
    assert whole_reads(engine, statements) == []


def test_a_batch_reads_no_whole_table(full: tuple[Gateway, httpx.Client]) -> None:
    gateway, client = full
    ids = [job["job_id"] for job in client.get(JOBS, params={"per_page": 500}).json()["jobs"]]
    with sent(gateway.resources.database.engine) as statements:
        assert client.post(f"{JOBS}/batch-status", json={"job_ids": ids}).status_code == 200
    assert whole_reads(gateway.resources.database.engine, statements) == []


def test_measuring_speeds_reads_no_whole_table(full: tuple[Gateway, httpx.Client]) -> None:
    gateway, _ = full
    with sent(gateway.resources.database.engine) as statements:
        assert survey_speeds(gateway.resources.database) > 0
    assert whole_reads(gateway.resources.database.engine, statements) == []


def test_a_query_without_an_index_is_found(full: tuple[Gateway, httpx.Client]) -> None:
    gateway, _ = full
    engine = gateway.resources.database.engine
    assert whole_reads(engine, [("SELECT id FROM job WHERE error_message = %(text)s", {"text": "x"})])
