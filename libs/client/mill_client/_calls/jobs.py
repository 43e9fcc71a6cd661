"""Calls about jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .._retries import Repeat
from ..models import (
    AttemptList,
    BatchStatus,
    Cancellation,
    Deletion,
    DeliveryPage,
    Job,
    JobFilter,
    JobLog,
    JobOutputs,
    JobPage,
    JobStats,
    StreamCookie,
)
from .call import Call, Params, given, nothing, path, reading

EXPORT_PATIENCE_S = 120.0


def create(body: Mapping[str, Any], idempotency_key: str | None) -> Call[Job]:
    """Without a key the server takes a job that it has of the same source and outputs, unless it is not to."""
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    repeat = Repeat.SAFE if idempotency_key or not body.get("force") else Repeat.UNTAKEN
    return Call("POST", path("jobs"), reading(Job), repeat, json=dict(body), headers=headers)


def get(job_id: str) -> Call[Job]:
    return Call("GET", path("jobs", job_id), reading(Job))


def page(filters: JobFilter) -> Call[JobPage]:
    return Call("GET", path("jobs"), reading(JobPage), params=given(**filters))


def export(format_: str, filters: JobFilter) -> Call[None]:
    params = {"format": format_, **given(**filters)}
    headers = {"Accept": "*/*"}
    return Call("GET", path("jobs", "export"), nothing, params=params, headers=headers, patience_s=EXPORT_PATIENCE_S)


def batch_status(job_ids: Sequence[str]) -> Call[BatchStatus]:
    # Reading, though with a body: a list of 500 ids fits no URL.
    return Call("POST", path("jobs", "batch-status"), reading(BatchStatus), json={"job_ids": list(job_ids)})


def stats(params: Params) -> Call[JobStats]:
    return Call("GET", path("jobs", "stats"), reading(JobStats), params=params)


def change(job_id: str, body: Mapping[str, Any]) -> Call[Job]:
    return Call("PATCH", path("jobs", job_id), reading(Job), json=dict(body))


def cancel(job_id: str) -> Call[Cancellation]:
    return Call("POST", path("jobs", job_id, "cancel"), reading(Cancellation), Repeat.UNTAKEN)


def retry(job_id: str) -> Call[Job]:
    return Call("POST", path("jobs", job_id, "retry"), reading(Job), Repeat.UNTAKEN)


def delete(job_id: str, *, files: bool) -> Call[Deletion]:
    # Not repeated when in doubt: the second would find nothing, and count no files.
    params = {"delete_files": "true" if files else "false"}
    return Call("DELETE", path("jobs", job_id), reading(Deletion), Repeat.UNTAKEN, params)


def attempts(job_id: str) -> Call[AttemptList]:
    return Call("GET", path("jobs", job_id, "attempts"), reading(AttemptList))


def logs(job_id: str, params: Params) -> Call[JobLog]:
    return Call("GET", path("jobs", job_id, "logs"), reading(JobLog), params=params)


def deliveries(job_id: str, params: Params) -> Call[DeliveryPage]:
    return Call("GET", path("jobs", job_id, "deliveries"), reading(DeliveryPage), params=params)


def outputs(job_id: str) -> Call[JobOutputs]:
    return Call("GET", path("jobs", job_id, "outputs"), reading(JobOutputs))


def stream_cookie(job_id: str) -> Call[StreamCookie]:
    return Call("POST", path("jobs", job_id, "stream-cookie"), reading(StreamCookie))


def download(job_id: str, name: str, headers: Mapping[str, str]) -> Call[None]:
    # Compressed on the way, a range of bytes would mean something else.
    headers = {"Accept": "*/*", "Accept-Encoding": "identity", **headers}
    where = path("jobs", job_id, "download") + "/" + quote(name)
    # From the server itself, also where browsers are sent to storage: our ranges go by its ETags.
    return Call("GET", where, nothing, params={"redirect": "false"}, headers=headers)
