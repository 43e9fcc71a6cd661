"""The fetch task: brings a source that is only a URL yet into storage."""

from __future__ import annotations

from pathlib import Path

from mill_common.errors import SourceMissing, SourceTooLarge
from mill_common.merging import fetched_name, naming
from mill_common.outgoing import Download, Limits, Outgoing, download, parse_networks
from mill_common.queue.types import SourceFacts, TaskResult
from mill_common.quotas import StorageQuotaExceeded
from mill_common.settings import Settings
from mill_common.storage.keys import type_by_suffix
from mill_common.worker.context import TaskContext

SOURCE = "source"
_DOWNLOADED = 0.9  # of the task; the rest is storing


def fetch(task: TaskContext) -> TaskResult:
    """Download the job's source, or one of several, and store it as the job's own.

    Raises:
        AddressRefused, SourceMissing, SourceRefused, SourceTooLarge: The URL is of no use.
        SourceUnreachable: Another attempt may work.
    """
    task.progress(0.0, "fetching")
    if "source" in task.params:
        return _fetch_one_of_several(task, task.params["source"])
    if not task.job.source_url:
        raise SourceMissing("The job names no URL to fetch its source from.")
    path = task.scratch / SOURCE
    found = _download(task, task.job.source_url, path)
    task.raise_if_stopped()
    task.progress(_DOWNLOADED, "storing")
    # Not intermediate: those are removed when the job is published, and the source stays.
    # The type is ours, by suffix: a server's own could have a browser run what it is shown.
    output = task.put(path, SOURCE, kind=SOURCE, content_type=type_by_suffix(found.filename))
    facts = SourceFacts(object_key=output.object_key, size=output.size, sha256=output.sha256, filename=found.filename)
    return TaskResult(source=facts)


def _fetch_one_of_several(task: TaskContext, position: int) -> TaskResult:
    path = task.scratch / SOURCE
    with naming(position, task.params["filename"]):
        found = _download(task, task.params["url"], path)
    task.raise_if_stopped()
    task.progress(_DOWNLOADED, "storing")
    # Intermediate: what was merged stands in its place.
    kind = type_by_suffix(found.filename)
    task.put(path, fetched_name(position), kind=SOURCE, content_type=kind, intermediate=True)
    return TaskResult(result={"filename": found.filename})


def _download(task: TaskContext, url: str, path: Path) -> Download:
    fetched = sum(output.size for output in task.outputs().values())  # of the sources before this one
    most = int(task.params.get("max_source_bytes", task.settings.max_source_bytes))
    left = int(task.params.get("storage_left", most)) - fetched
    most -= fetched + int(task.params.get("stored_bytes", 0))
    try:
        return download(
            _outgoing(task.settings),
            url,
            path,
            max_bytes=max(0, min(most, left)),
            check=task.raise_if_stopped,
            progress=lambda fraction: task.progress(_DOWNLOADED * fraction),
        )
    except SourceTooLarge:
        if left < most:
            raise StorageQuotaExceeded(f"The storage quota had room for {left} bytes; the source has more.") from None
        raise


def _outgoing(settings: Settings) -> Outgoing:
    limits = Limits(total_s=settings.task_deadline_s)
    return Outgoing(networks=parse_networks(settings.source_networks), limits=limits)
