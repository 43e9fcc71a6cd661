"""What a job of several sources begins with, and how their errors tell which one is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mill_common.errors import PermanentError, TransientError
from mill_common.models import JobSource
from mill_common.queue.enqueue import FETCH, PROBE
from mill_common.queue.types import NewTask

MERGE = "merge"
MERGE_WEIGHT = 20.0
FEWEST, MOST = 2, 20  # sources of a job


def first_tasks(sources: Sequence[JobSource]) -> list[NewTask]:
    """One fetch for each source that is only a URL yet, the merge, and the probe of what comes out.

    Fetches follow each other, so that each knows how much room those before it have left.
    """
    fetches: list[NewTask] = []
    stored = sum(source.size or 0 for source in sources)
    for source in sources:
        if source.url is not None:
            of_source = {"source": source.position, "filename": source.filename, "url": source.url}
            name, needs = fetch_name(source.position), [task.name for task in fetches[-1:]]
            params = {**of_source, "stored_bytes": stored}
            fetches.append(replace(FETCH, name=name, params=params, needs=needs))
    merge = NewTask(
        name=MERGE,
        kind=MERGE,
        params={"sources": [_described(source) for source in sources]},
        needs=[task.name for task in fetches],
        weight=MERGE_WEIGHT,
    )
    return [*fetches, merge, replace(PROBE, needs=[MERGE], params={"merged": True})]


def fetch_name(position: int) -> str:
    """The task that fetches a source."""
    return f"fetch-{position:02d}"


def fetched_name(position: int) -> str:
    """The output that a fetched source is until it has been merged."""
    return f"sources/{position:02d}"


@contextmanager
def naming(position: int, filename: str) -> Iterator[None]:
    """Have errors say which source they are about."""
    try:
        yield
    except (PermanentError, TransientError) as error:
        error.args = (f"sources[{position}] ({filename}): {error.message}",)
        raise


def _described(source: JobSource) -> dict[str, Any]:
    return {"filename": source.filename, "object_key": source.object_key, "sha256": source.sha256}
