"""The body that asks for a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .models import JobSpec, JobWebhook


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
        ValueError: There is not exactly one source.
    """
    if len(places) != 1:
        raise ValueError("a job has exactly one source: upload_id, url or object_key")
    body: dict[str, Any] = {"source": dict(places)}
    if spec is not None:
        body["spec"] = spec.model_dump(mode="json", exclude_unset=True)
    if metadata:
        body["metadata"] = dict(metadata)
    if webhook is not None:
        told = JobWebhook(url=webhook) if isinstance(webhook, str) else webhook
        body["webhook"] = told.model_dump(mode="json", exclude_unset=True)
    return body | dict(more)
