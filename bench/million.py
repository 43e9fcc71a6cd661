"""A database as it is after a long life: a million jobs of fifty owners."""

from __future__ import annotations

from contextlib import closing
from io import BytesIO
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from mill_common.database import Database
from mill_common.models import Job, Output
from mill_common.queue import enqueue_job
from mill_common.queue.policy import Policy
from mill_common.settings import Settings
from mill_common.storage import open_store

JOBS = 1_000_000
OWNERS = 50
DETAILED = 50  # one job in so many has its steps, outputs and metadata: what a request reads lies by the job's id

# Times fall as ids do, 30 seconds from job to job. Half the owners' jobs of a minute share its time.
_JOBS = f"""
INSERT INTO owner (id, created_at, weight) SELECT 'owner' || n, now(), 1 FROM generate_series(0, {OWNERS - 1}) AS n
ON CONFLICT DO NOTHING;
INSERT INTO job (id, owner_id, status, priority, progress, spec, user_metadata, collection, filename, source_key,
                 source_size, source_sha256, stored_bytes, duration_s, media, created_at, started_at, updated_at,
                 completed_at)
SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'owner' || n % {OWNERS},
       CASE n / {OWNERS} % 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' ELSE 'completed' END, n / {OWNERS} % 10, 1,
       '{{}}', jsonb_build_object('album', 'album ' || n % 97, 'take', n % 7),
       CASE WHEN n % 3 = 0 THEN 'collection ' || n % 40 END, md5(n::text) || '.mp4', 'uploads/' || n, 50000000,
       md5(n::text) || md5(n::text), 12000000, 60,
       '{{"duration_s": 60.0, "width": 1280, "height": 720, "codec": "h264", "video": {{"codec": "h264"}},
         "audio": {{"codec": "aac"}}}}',
       created, created, created + interval '40 seconds', created + interval '40 seconds'
FROM generate_series(1, {JOBS}) AS n, LATERAL (SELECT now() - ({JOBS} - n) * interval '30 seconds' AS created) AS t;
"""
_DETAILS = f"""
CREATE TEMPORARY TABLE detailed ON COMMIT DROP AS
SELECT id, owner_id, user_metadata, created_at FROM job
WHERE ('x' || right(id::text, 7))::bit(28)::int / {OWNERS} % {DETAILED} = 2;
INSERT INTO job_label (job_id, name, owner_id, value)
SELECT id, key, owner_id, value FROM detailed, jsonb_each_text(user_metadata);
INSERT INTO task (id, job_id, owner_id, queue, kind, name, params, status, progress, weight, rank, share, epoch,
                  attempts, max_attempts, crashes, run_after, wake_at, created_at, started_at, finished_at)
SELECT gen_random_uuid(), id, owner_id, CASE kind WHEN 'transcribe' THEN kind ELSE 'transcode' END, kind, kind,
       '{{}}', 'completed', 1, 1, 4, 0, 1, 1, 5, 0, created_at, created_at, created_at, created_at,
       created_at + interval '5 seconds'
FROM detailed, unnest(ARRAY['probe', 'audio', 'encode', 'package', 'thumbnails', 'transcribe', 'publish']) AS kind;
INSERT INTO attempt (task_id, epoch, worker, started_at, ended_at, outcome, cpu_s, peak_memory, bytes_in, bytes_out,
                     log_tail)
SELECT id, 1, 'worker', started_at, finished_at, 'completed', 4, 100000000, 1, 1, '' FROM task;
INSERT INTO output (id, job_id, task_id, epoch, name, kind, object_key, size, sha256, content_type, intermediate, facts,
                    files, created_at, published_at)
SELECT gen_random_uuid(), job_id, id, 1, made.name, 'made', 'jobs/' || job_id || '/' || id || '-1/' || made.name,
       1000000, md5(made.name) || md5(made.name), 'video/mp4', false, facts, files, finished_at, finished_at
FROM task, (VALUES
  ('360p.mp4', '{{"width": 640, "height": 360}}'::jsonb, '{{}}'::jsonb),
  ('720p.mp4', '{{"width": 1280, "height": 720}}', '{{}}'),
  ('audio.mp3', '{{}}', '{{}}'), ('transcript.txt', '{{}}', '{{}}'), ('transcript.srt', '{{}}', '{{}}'),
  ('transcript.vtt', '{{}}', '{{}}'), ('transcript.json', '{{}}', '{{}}'), ('thumbnails/poster.jpg', '{{}}', '{{}}'),
  ('thumbnails/sprite-1.jpg', '{{}}', '{{}}'), ('thumbnails/thumbnails.vtt', '{{}}', '{{}}'),
  ('hls/', '{{"renditions": {{"360p": {{"segments": 10, "playlist": "360p.m3u8"}},
                              "720p": {{"segments": 10, "playlist": "720p.m3u8"}}}}}}',
           '{{"master.m3u8": 900, "360p.m3u8": 900, "720p.m3u8": 900, "360p_1.m4s": 100000, "720p_1.m4s": 100000}}')
) AS made (name, facts, files) WHERE kind = 'publish';
INSERT INTO upload (id, owner_id, filename, content_type, object_key, size, created_at)
SELECT gen_random_uuid(), owner_id, 'clip.mp4', 'video/mp4', 'uploads/' || id, 50000000, created_at FROM detailed;
"""
# Rows go in faster without what finds them. Everything is put back as it was.
_INDEXES = text(
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'job'"
    " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
)


def fill(database: Database) -> None:
    """Put the jobs into a migrated database, and let PostgreSQL look at them."""
    with database.write() as session:
        indexes = session.execute(_INDEXES).all()
        for index in indexes:
            session.execute(text(f'DROP INDEX "{index.indexname}"'))
        session.execute(text(_JOBS.replace(":", r"\:")))
        for index in indexes:
            session.execute(text(index.indexdef))
        session.execute(text(_DETAILS.replace(":", r"\:")))
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        # Only what is on disk counts as seen by everybody, and indexes are read alone only where all is.
        connection.execute(text("CHECKPOINT"))
        connection.execute(text("VACUUM ANALYZE"))


def detailed_jobs(database: Database, owner_id: str) -> list[UUID]:
    """An owner's jobs that have steps, outputs and metadata."""
    found = text("SELECT DISTINCT job_id FROM task WHERE owner_id = :owner ORDER BY job_id")
    with database.read() as session:
        return list(session.scalars(found, {"owner": owner_id}))


def open_jobs(database: Database, owner_id: str, count: int) -> list[UUID]:
    """New jobs of an owner's that wait for a worker."""
    policy = Policy()
    jobs = [Job(owner_id=owner_id, filename="waiting.mp4", source_key=f"uploads/{n}") for n in range(count)]
    with database.write() as session:
        for job in jobs:
            enqueue_job(session, job, policy)
    return [job.id for job in jobs]


def store_files(database: Database, settings: Settings, jobs: list[UUID]) -> None:
    """Put something where the outputs of these jobs are said to lie."""
    store = open_store(settings)
    with database.read() as session:
        outputs = session.scalars(select(Output).where(col(Output.job_id).in_(jobs))).all()
    for output in outputs:
        for name in output.files or [""]:
            store.put(output.object_key + name, BytesIO(b"made"), size=4, content_type="video/mp4")


def unite(url: str, owner_id: str) -> None:
    """Make every job one owner's, and leave only the index that a plain list of them goes by."""
    with closing(Database(url)) as database, database.write() as session:
        for index in session.execute(_INDEXES).all():
            session.execute(text(f'DROP INDEX "{index.indexname}"'))
        session.execute(text("UPDATE job SET owner_id = :owner WHERE owner_id <> :owner"), {"owner": owner_id})
        kept = next(index for index in Job.__table__.indexes if index.name == "ix_job_owner_created")  # type: ignore[attr-defined]
        kept.create(session.connection())
        session.execute(text("ANALYZE job"))
