"""Every path of the interface."""

from __future__ import annotations

from mill_api import alerts, direct_uploads, health, jobs, keys, listing, objects, outputs, silences, streams, uploads
from mill_api.auth import authorise
from mill_api.links import API
from mill_api.openapi import Endpoint

STREAM = "/stream/{job_id}/{token}/{name:path}"


def endpoints() -> list[Endpoint]:
    """One endpoint per path; paths with fixed parts come before those that would take them too."""
    return [
        Endpoint(f"{API}/keys", authorise, get=keys.list_keys, post=keys.create_key),
        Endpoint(f"{API}/keys/{{key_id}}", authorise, delete=keys.revoke_key),
        Endpoint(f"{API}/uploads", authorise, post=uploads.create_upload),
        Endpoint(f"{API}/uploads/direct", authorise, post=direct_uploads.create_direct_upload),
        Endpoint(f"{API}/uploads/{{upload_id}}", authorise, get=uploads.get_upload, delete=uploads.delete_upload),
        Endpoint(f"{API}/uploads/{{upload_id}}/complete", authorise, post=direct_uploads.complete_upload),
        Endpoint(f"{API}/jobs", authorise, get=listing.list_jobs, post=jobs.create_job),
        Endpoint(f"{API}/jobs/{{job_id}}", authorise, get=jobs.get_job, delete=jobs.delete_job_and_files),
        Endpoint(f"{API}/jobs/{{job_id}}/cancel", authorise, post=jobs.cancel_job_now),
        Endpoint(f"{API}/jobs/{{job_id}}/retry", authorise, post=jobs.retry_failed_job),
        Endpoint(f"{API}/jobs/{{job_id}}/outputs", authorise, get=outputs.list_outputs),
        Endpoint(f"{API}/jobs/{{job_id}}/download/{{name:path}}", authorise, get=outputs.download),
        Endpoint(f"{API}/monitoring/alerts", authorise, get=alerts.list_alerts, delete=alerts.clear_alerts),
        Endpoint(f"{API}/monitoring/alerts/test", authorise, post=alerts.raise_test_alert),
        Endpoint(f"{API}/monitoring/alerts/{{alert_id}}", authorise, get=alerts.get_alert),
        Endpoint(f"{API}/monitoring/alerts/{{alert_id}}/acknowledge", authorise, post=alerts.acknowledge_alert),
        Endpoint(f"{API}/monitoring/notices", authorise, get=alerts.list_notices),
        Endpoint(f"{API}/monitoring/silences", authorise, get=silences.list_silences, post=silences.create_silence),
        Endpoint(
            f"{API}/monitoring/silences/{{silence_id}}",
            authorise,
            get=silences.get_silence,
            patch=silences.change_silence,
            delete=silences.expire_silence,
        ),
        Endpoint(STREAM, authorise, get=streams.stream),
        Endpoint("/objects/{key:path}", authorise, get=objects.get_object, put=objects.put_object),
        Endpoint("/health", authorise, get=health.health),
        Endpoint("/livez", authorise, get=health.livez),
        Endpoint("/readyz", authorise, get=health.readyz),
    ]
