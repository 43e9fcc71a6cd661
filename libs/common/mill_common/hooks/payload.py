"""What an event says. Links are kept as paths and get the public address in front when they are sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mill_common.hooks.ready import ReadyOutput, job_path, ready_outputs
from mill_common.models import Job, Output
from mill_common.models.webhooks import PayloadSize
from mill_common.states import JobStatus

BYTES_MAX = 20_000  # of a body
_DATA_MAX = 15_000  # of it without the public addresses in front of the links
_LEFT_OUT_FIRST = ("metadata", "outputs", "filename", "error")


def job_data(job: Job, size: PayloadSize, outputs: Sequence[Output] = ()) -> dict[str, Any]:
    """What is said of a job; `outputs` are the published ones."""
    data: dict[str, Any] = {
        "job_id": str(job.id),
        "status": job.status.value,
        "progress": percent(job.progress),
        "links": {"job": job_path(job.id), "outputs": f"{job_path(job.id)}/outputs"},
    }
    if job.status is JobStatus.FAILED:
        data["error_code"] = job.error_code
    return data if size is PayloadSize.SMALL else _fitting({**data, **_more(job, outputs)})


def output_data(job: Job, size: PayloadSize, output: ReadyOutput) -> dict[str, Any]:
    """What is said of an output that is ready."""
    data = job_data(job, size)
    return _fitting({**data, "output": {"name": output.name, "kind": output.kind, **_of_output(output)}})


def body(event: str, at: datetime, data: Mapping[str, Any], public_url: str) -> bytes:
    """The request's body: the same bytes whenever the same event is sent."""
    said = {"type": event, "timestamp": _rfc3339(at), "data": _absolute(data, public_url.rstrip("/"))}
    return json.dumps(said, separators=(",", ":"), sort_keys=True).encode()


def percent(share: float) -> float:
    """A share in [0, 1] as percent with one decimal."""
    return round(100.0 * min(1.0, max(0.0, share)), 1)


def _more(job: Job, outputs: Sequence[Output]) -> dict[str, Any]:
    media = job.media or {}
    error = {"code": job.error_code, "message": job.error_message, "failed_task": job.failed_task}
    return {
        "filename": job.filename,
        "duration_seconds": media.get("duration_s"),
        "size_bytes": job.source_size,
        "priority": job.priority,
        "metadata": job.user_metadata,
        "outputs": {output.name: _of_output(output) for output in ready_outputs(job.id, outputs)},
        "error": error if job.status is JobStatus.FAILED else None,
    }


def _of_output(output: ReadyOutput) -> dict[str, Any]:
    return {"size_bytes": output.size, "links": output.links}


def _fitting(data: dict[str, Any]) -> dict[str, Any]:
    left_out: list[str] = []
    for name in _LEFT_OUT_FIRST:
        if len(json.dumps(data)) <= _DATA_MAX:
            break
        if data.pop(name, None) is not None:
            left_out.append(name)
    return {**data, "left_out": left_out} if left_out else data


def _absolute(value: Any, address: str, *, is_link: bool = False) -> Any:
    if isinstance(value, Mapping):
        return {name: _absolute(inner, address, is_link=name == "links" or is_link) for name, inner in value.items()}
    return address + value if is_link and isinstance(value, str) else value


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
