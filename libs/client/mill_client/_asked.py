"""The body that asks for a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .models import JobSource, JobSpec, JobWebhook


def job_request(
    places: Mapping[str, Any],
    *,
    spec: JobSpec | None,
    metadata: Mapping[str, Any] | None,
    webhook: JobWebhook | str | None,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """What is given, and nothing else, so that the server's defaults stay its own.

    Raises:
        ValueError: It is not said where the video is, or in two ways.
    """
    if len(places) != 1:
        raise ValueError("a job is of exactly one of upload_id, url, object_key and sources")
    several: Sequence[JobSource] | None = places.get("sources")
    body: dict[str, Any] = {"source": dict(places)}
    if several is not None:
        body = {"sources": [each.model_dump(mode="json", exclude_unset=True) for each in several]}
    if spec is not None:
        body["spec"] = spec.model_dump(mode="json", exclude_unset=True)
    if metadata:
        body["metadata"] = dict(metadata)
    if webhook is not None:
        told = JobWebhook(url=webhook) if isinstance(webhook, str) else webhook
        body["webhook"] = told.model_dump(mode="json", exclude_unset=True)
    return body | dict(more)
