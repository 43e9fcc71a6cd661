"""J17: no request reads a table from end to end. PostgreSQL's own plans say so, of the statements really sent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
from api.conftest import _migrate
from api.running import ADMIN_KEY, Gateway, serving, upload
from psycopg2.extensions import cursor
from pydantic import SecretStr
from servers import Postgres
from sqlalchemy import Engine, event, text

from mill_api.live.reading import active_states, changed_states, states_since
from mill_common.database import Database
from mill_common.resources import open_resources
from mill_common.settings import Settings
from mill_common.speed_survey import survey_speeds

JOBS = "/api/v1/jobs"
FILL = """
INSERT INTO owner (id, created_at, weight) SELECT 'owner' || n, now(), 1 FROM generate_series(0, 49) AS n;
INSERT INTO owner (id, created_at, weight) SELECT 'other' || n, now(), 1 FROM generate_series(0, 1999) AS n;
INSERT INTO job (id, owner_id, status, priority, progress, spec, user_metadata, collection, filename, source_key,
                 source_size, source_sha256, spec_hash, source_mark, duration_s, media, created_at, started_at,
                 updated_at, completed_at)
SELECT gen_random_uuid(), 'owner' || n % 50,
       CASE WHEN n / 50 % 20 = 0 THEN 'failed' WHEN n / 50 % 20 = 1 THEN 'queued' ELSE 'completed' END,
       n / 50 % 10, 1, '{}', '{}', CASE WHEN n % 3 = 0 THEN 'collection ' || n % 40 END, md5(n::text) || '.mp4',
       'uploads/' || n, 1000, md5(n::text) || md5(n::text), md5('outputs'), md5('mark' || n), 60,
       '{"duration_s": 60, "width": 640, "height": 360}', now() - n * interval '1 minute',
       now(), now(), CASE WHEN n / 50 % 20 <> 1 THEN now() - n * interval '30 seconds' END
FROM generate_series(1, 40000) AS n;
INSERT INTO job_label (job_id, name, owner_id, value)
SELECT id, name, owner_id, priority || filename FROM job, unnest(ARRAY['album', 'take']) AS name;
INSERT INTO task (id, job_id, owner_id, queue, kind, name, params, status, progress, weight, rank, share, epoch,
                  attempts, max_attempts, crashes, run_after, wake_at, created_at, started_at, finished_at)
SELECT gen_random_uuid(), id, owner_id, 'transcode', kind, kind, '{}', 'completed', 1, 1, 4, 0, 1, 1, 5, 0, now(),
       now(), now(), now(), now()
FROM job, unnest(ARRAY['probe', 'publish']) AS kind;
INSERT INTO task_need (task_id, needs_id)
SELECT publish.id, probe.id FROM task AS publish JOIN task AS probe USING (job_id)
WHERE publish.kind = 'publish' AND probe.kind = 'probe';
INSERT INTO job_source (job_id, position, filename) SELECT id, 0, 'a' FROM job;
INSERT INTO attempt (task_id, epoch, worker, started_at, cpu_s, peak_memory, bytes_in, bytes_out, log_tail)
SELECT id, 1, 'worker', now(), 0, 0, 0, 0, '' FROM task;
INSERT INTO output (id, job_id, task_id, epoch, name, kind, object_key, size, sha256, content_type, intermediate, facts,
                    files, created_at, published_at)
SELECT gen_random_uuid(), job_id, id, 1, kind || '.mp4', 'rendition', id::text, 1, 'ab', 'video/mp4', false, '{}', '{}',
       now(), now()
FROM task;
INSERT INTO upload (id, owner_id, filename, content_type, object_key, size, created_at)
SELECT gen_random_uuid(), 'owner' || n % 50, 'a', 'b', n::text, 1, now() FROM generate_series(1, 40000) AS n;
INSERT INTO resumable_upload (upload_id, received, tail_size, next_part) SELECT id, 1, 0, 2 FROM upload;
INSERT INTO received_part (upload_id, number, etag, size) SELECT id, 1, 'a', 1 FROM upload;
INSERT INTO api_key (id, owner_id, name, prefix, digest, previous_digest, previous_until, scopes, created_at)
SELECT gen_random_uuid(), 'owner' || n % 50, 'a', 'b', md5(n::text), md5('before' || n), now(), '["jobs"]', now()
FROM generate_series(1, 40000) AS n;
UPDATE owner SET storage_quota = 1000000000000, jobs_quota = 1000000;
INSERT INTO usage (owner_id, day, key_id, route, bucket, requests, errors, bytes_in, bytes_out)
SELECT 'owner' || n % 50, current_date - n / 50 % 300, gen_random_uuid(), 'GET /' || n % 7, n % 100, 1, 0, 0, 0
FROM generate_series(1, 40000) AS n;
INSERT INTO webhook_endpoint (id, owner_id, url, description, events, payload, secret, enabled, created_at, updated_at)
SELECT gen_random_uuid(), CASE WHEN n <= 500 THEN 'owner' || n % 50 ELSE 'other' || n % 2000 END,
       'https://example.org/' || n, '', '["job.completed"]', 'small', 'whsec_x', true, now(), now()
FROM generate_series(1, 20000) AS n;
INSERT INTO webhook_delivery (id, endpoint_id, job_id, event, data, status, attempts, epoch, next_at, created_at,
                              ended_at)
SELECT gen_random_uuid(), hook.id, job.id, 'job.completed', '{}', 'delivered', 1, 1, now(), now(), now()
FROM (SELECT id, row_number() OVER () AS n FROM webhook_endpoint) AS hook
JOIN (SELECT id, row_number() OVER () AS n FROM job) AS job ON job.n % 20000 = hook.n - 1;
"""
PLANNED = ("SELECT", "WITH", "PREPARE", "EXECUTE", "INSERT", "UPDATE", "DELETE")
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
    """The statements that have a plan, with their values, however they came to the driver."""
    statements: list[tuple[str, Any]] = []

    class Noting(cursor):
        def execute(self, query: Any, values: Any = None) -> None:
            if query.lstrip().startswith(PLANNED):
                statements.append((query, values))
            super().execute(query, values)

    def note(connection: Any, _record: Any) -> None:
        connection.cursor_factory = Noting

    event.listen(engine, "connect", note)
    engine.dispose()  # so that every connection is a new one, and what is prepared once for each is prepared now
    yield statements
    event.remove(engine, "connect", note)
    engine.dispose()


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
    small = ("on owner", "on step_speed", "on scheduled_run", "on schedule", "on figures_mark")
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


def test_knowing_a_caller_reads_no_whole_table(full: tuple[Gateway, httpx.Client]) -> None:
    gateway, client = full
    gateway.app.state.known_callers.forget()
    with sent(gateway.resources.database.engine) as statements:
        assert client.get("/api/v1/auth/me").status_code == 200
    assert any("FROM api_key" in statement for statement, _ in statements)
    assert whole_reads(gateway.resources.database.engine, statements) == []


def test_watching_reads_no_whole_table(full: tuple[Gateway, httpx.Client]) -> None:
    gateway, client = full
    job_id = UUID(client.get(JOBS, params={"per_page": 1}).json()["jobs"][0]["job_id"])
    database = gateway.resources.database
    with sent(database.engine) as statements, database.read() as session:
        assert changed_states(session, {"owner7"}, within_s=2.0, also=[job_id])
        active_states(session, "owner7")
        states_since(session, "owner7", time.time() - 60)
    assert len(statements) == 6
    assert whole_reads(database.engine, statements) == []


def test_a_job_from_its_upload_to_its_end_reads_no_whole_table(full: tuple[Gateway, httpx.Client]) -> None:
    gateway, client = full
    with sent(gateway.resources.database.engine) as statements:
        source = {"upload_id": upload(client)}
        made = client.post(JOBS, json={"source": source, "metadata": {"album": "a"}})
        job = f"{JOBS}/{made.json()['job_id']}"
        answers = [made, client.post(JOBS, json={"source": source})]
        assert answers[-1].json()["already_existed"]
        answers += [client.patch(job, json={"priority": 7, "metadata": {"take": 2}}), client.post(f"{job}/cancel")]
        answers += [client.delete(job), client.delete(f"/api/v1/uploads/{source['upload_id']}")]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200, 204]
    for table in (
        "INTO upload",
        "INTO job ",
        "INTO task",
        "sum(upload.size)",
        "sum(job.stored_bytes)",
        "source_mark =",
    ):
        assert any(table in statement for statement, _ in statements), table
    assert whole_reads(gateway.resources.database.engine, statements) == []


def test_a_resumable_upload_reads_no_whole_table(full: tuple[Gateway, httpx.Client]) -> None:
    gateway, client = full
    chunk = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
    with sent(gateway.resources.database.engine) as statements:
        made = client.post("/api/v1/uploads/tus", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "4"})
        place = made.headers["Location"]
        answers = [made, client.patch(place, headers={**chunk, "Upload-Offset": "0"}, content=b"ab")]
        answers += [client.head(place, headers={"Tus-Resumable": "1.0.0"})]
        answers += [client.patch(place, headers={**chunk, "Upload-Offset": "2"}, content=b"cd")]
        answers += [client.delete(place, headers={"Tus-Resumable": "1.0.0"})]
    assert [answer.status_code for answer in answers] == [201, 204, 200, 204, 204]
    for table in ("INTO resumable_upload", "UPDATE resumable_upload", "INTO received_part", "sum(upload.size)"):
        assert any(table in statement for statement, _ in statements), table
    assert whole_reads(gateway.resources.database.engine, statements) == []


def test_every_reference_is_found_by_an_index(full: tuple[Gateway, httpx.Client]) -> None:
    """Or removing what is referred to would read the whole table that refers to it, which no plan shows."""
    gateway, _ = full
    missing = """
        SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND NOT EXISTS (
            SELECT FROM pg_index WHERE indrelid = conrelid AND indkey[0] = conkey[1] AND indpred IS NULL)"""
    with gateway.resources.database.engine.connect() as connection:
        found = connection.exec_driver_sql(missing).scalars().all()
    assert found == ["user_account"], "of which there are few"


def test_a_query_without_an_index_is_found(full: tuple[Gateway, httpx.Client]) -> None:
    gateway, _ = full
    engine = gateway.resources.database.engine
    assert whole_reads(engine, [("SELECT id FROM job WHERE error_message = %(text)s", {"text": "x"})])
