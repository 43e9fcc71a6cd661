"""Every call of the HTTP API as a value, so that a blocking and an async transport can send the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx

from ._retries import Repeat
from .models import (
    Cancellation,
    Deletion,
    Job,
    JobFilter,
    JobOutputs,
    JobPage,
    Key,
    KeyList,
    Model,
    Upload,
)

T = TypeVar("T")
M = TypeVar("M", bound=Model)
V1 = "/api/v1"


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request and how its answer is read. `content` makes a fresh body for each attempt."""

    method: str
    path: str
    parse: Callable[[httpx.Response], T]
    repeat: Repeat = Repeat.SAFE
    params: Mapping[str, str | int] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Callable[[], Iterator[bytes]] | None = None
    patience_s: float = 0.0  # what the server may need before it answers, if more than the client's timeout


def reading(model: type[M]) -> Callable[[httpx.Response], M]:
    """Reads a body as `model`."""
    return lambda response: model.model_validate_json(response.content)


def nothing(_response: httpx.Response) -> None:
    """Reads no body."""


def create_job(body: Mapping[str, Any], idempotency_key: str | None) -> Call[Job]:
    """The key makes repeating it safe; one is made up if none is given."""
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    return Call("POST", f"{V1}/jobs", reading(Job), json=dict(body), headers=headers)


def get_job(job_id: str) -> Call[Job]:
    return Call("GET", _job(job_id), reading(Job))


def list_jobs(filters: JobFilter) -> Call[JobPage]:
    params = {name: value for name, value in filters.items() if isinstance(value, str | int)}
    return Call("GET", f"{V1}/jobs", reading(JobPage), params=params)


def cancel_job(job_id: str) -> Call[Cancellation]:
    return Call("POST", _job(job_id, "/cancel"), reading(Cancellation), Repeat.UNTAKEN)


def retry_job(job_id: str) -> Call[Job]:
    return Call("POST", _job(job_id, "/retry"), reading(Job), Repeat.UNTAKEN)


def delete_job(job_id: str, *, files: bool) -> Call[Deletion]:
    # Not repeated when in doubt: the second would find nothing, and count no files.
    params = {"delete_files": "true" if files else "false"}
    return Call("DELETE", _job(job_id), reading(Deletion), Repeat.UNTAKEN, params)


def list_outputs(job_id: str) -> Call[JobOutputs]:
    return Call("GET", _job(job_id, "/outputs"), reading(JobOutputs))


def download(job_id: str, name: str, headers: Mapping[str, str]) -> Call[None]:
    # Compressed on the way, a range of bytes would mean something else.
    headers = {"Accept": "*/*", "Accept-Encoding": "identity", **headers}
    return Call("GET", _job(job_id, f"/download/{quote(name)}"), nothing, headers=headers)


def send_upload(filename: str, size: int, content: Callable[[], Iterator[bytes]]) -> Call[Upload]:
    """`size` is bytes, and what `content` yields."""
    return Call(
        "POST",
        f"{V1}/uploads",
        reading(Upload),
        Repeat.UNTAKEN,
        params={"filename": filename},
        headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
        content=content,
        patience_s=600.0,  # the server may still move the bytes to where they stay
    )


def get_upload(upload_id: str) -> Call[Upload]:
    return Call("GET", f"{V1}/uploads/{quote(upload_id, safe='')}", reading(Upload))


def delete_upload(upload_id: str) -> Call[None]:
    return Call("DELETE", f"{V1}/uploads/{quote(upload_id, safe='')}", nothing, Repeat.UNTAKEN)


def create_key(body: Mapping[str, Any]) -> Call[Key]:
    return Call("POST", f"{V1}/keys", reading(Key), Repeat.UNTAKEN, json=dict(body))


def list_keys() -> Call[KeyList]:
    return Call("GET", f"{V1}/keys", reading(KeyList))


def revoke_key(key_id: str) -> Call[None]:
    return Call("DELETE", f"{V1}/keys/{quote(key_id, safe='')}", nothing, Repeat.UNTAKEN)


def readiness() -> Call[None]:
    return Call("GET", "/readyz", nothing, Repeat.NEVER)


def _job(job_id: str, rest: str = "") -> str:
    return f"{V1}/jobs/{quote(job_id, safe='')}{rest}"
