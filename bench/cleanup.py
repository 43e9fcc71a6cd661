"""Deleting old jobs with their objects: how long all of it takes, and how long any of them is locked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, text

from bench.load import SAID, loaded
from bench.result import Result
from mill_common.cleanup import KEEP_DAYS
from mill_common.figures import recount
from mill_common.resources import Resources, open_resources
from mill_common.settings import Settings
from mill_common.storage.file_tree import path_of
from mill_watchdog.loop import watchdog

DAYS = 30
GOAL_S = 1200.0
_OUTPUTS = """
INSERT INTO output (id, job_id, task_id, epoch, name, kind, object_key, size, sha256, content_type, intermediate, facts,
                    files, created_at, published_at)
SELECT gen_random_uuid(), job_id, task.id, 1, made, 'rendition', 'jobs/' || job_id || '/' || task.id || '-1/' || made,
       4, md5(made) || md5(made), 'video/mp4', false, '{}', '{}', now(), now()
FROM task JOIN job ON job.id = job_id, unnest(ARRAY['720p.mp4', 'audio.mp3']) AS made
WHERE job.completed_at < now() - make_interval(days => :days) AND kind = 'publish';
"""


def run(folder: Path) -> list[Result]:
    """Of a watchdog's own sweep: seconds, and the longest transaction that writes."""
    settings = Settings(database_url=loaded(), data_dir=folder)
    with closing(open_resources(settings)) as resources:
        jobs = _store(resources, settings)
        recount(resources.database)  # so that what goes is taken off, as it would be
        with _transactions(resources.database.engine) as lengths:
            began = time.perf_counter()
            result = watchdog(resources).run_now("old_jobs", {"keep_days": DAYS})
            took_s = time.perf_counter() - began
    assert result is not None, "the sweep failed"
    assert (result["deleted_count"], result["objects_deleted"]) == (jobs, 2 * jobs), result
    said = f"{jobs:,} jobs with {2 * jobs:,} objects, of {SAID}"
    return [Result("cleanup_longest_lock", max(lengths), "s", 1.0, said), Result("cleanup", took_s, "s", GOAL_S, said)]


def _store(resources: Resources, settings: Settings) -> int:
    """Put something where the outputs of old jobs are said to lie. Returns how many jobs that are."""
    assert DAYS in KEEP_DAYS
    with resources.database.write() as session:
        session.execute(text(_OUTPUTS), {"days": DAYS})
    with resources.database.read() as session:
        keys = list(session.scalars(text("SELECT object_key FROM output")))
    objects = Path(settings.storage_url.removeprefix("file://")) / "keys"
    for key in keys:
        path = path_of(objects, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"made")
    return len(keys) // 2


@contextmanager
def _transactions(engine: Engine) -> Iterator[list[float]]:
    """How long transactions took that may have locked something, in seconds."""
    lengths: list[float] = []

    def begin(connection: Any) -> None:
        connection.info["began"] = time.perf_counter()

    def end(connection: Any) -> None:
        if connection.get_execution_options().get("mill_write"):
            lengths.append(time.perf_counter() - connection.info["began"])

    event.listen(engine, "begin", begin)
    event.listen(engine, "commit", end)
    yield lengths
    event.remove(engine, "begin", begin)
    event.remove(engine, "commit", end)
