"""Every path of the interface."""

from __future__ import annotations

from mill_api.admin.paths import admin_endpoints
from mill_api.auth import authorise
from mill_api.jobs import attempts, batch, change, collections, export, listing, logs, stats
from mill_api.jobs import endpoints as jobs
from mill_api.keys import endpoints as keys
from mill_api.links import API
from mill_api.live import events
from mill_api.monitoring import alerts, health, signals, silences
from mill_api.monitoring.paths import monitoring_endpoints
from mill_api.openapi import Endpoint
from mill_api.outputs import endpoints as outputs
from mill_api.outputs import objects, streams
from mill_api.people import login as sign_in
from mill_api.uploads import direct, tus
from mill_api.uploads import endpoints as uploads
from mill_api.uploads.tus_headers import VERSION
from mill_api.usage import view
from mill_api.webhooks import deliveries
from mill_api.webhooks import endpoints as hooks

TUS = {"Tus-Resumable": VERSION}
STREAM = "/stream/{job_id}/{token}/{name:path}"


def endpoints() -> list[Endpoint]:
    """One endpoint per path; paths with fixed parts come before those that would take them too."""
    return [
        *_people(),
        *admin_endpoints(),
        *monitoring_endpoints(),
        Endpoint(f"{API}/keys", authorise, get=keys.list_keys, post=keys.create_key),
        Endpoint(f"{API}/keys/{{key_id}}", authorise, delete=keys.revoke_key),
        Endpoint(f"{API}/keys/{{key_id}}/rotate", authorise, post=keys.rotate_key),
        Endpoint(f"{API}/uploads", authorise, post=uploads.create_upload),
        Endpoint(f"{API}/uploads/direct", authorise, post=direct.create_direct_upload),
        Endpoint(
            f"{API}/uploads/tus",
            authorise,
            headers=TUS,
            options=tus.describe_tus,
            post=tus.create_resumable_upload,
        ),
        Endpoint(
            f"{API}/uploads/tus/{{upload_id}}",
            authorise,
            headers=TUS,
            overridable=True,
            options=tus.describe_tus_upload,
            head=tus.look_at_resumable_upload,
            patch=tus.continue_resumable_upload,
            delete=tus.end_resumable_upload,
        ),
        Endpoint(f"{API}/uploads/{{upload_id}}", authorise, get=uploads.get_upload, delete=uploads.delete_upload),
        Endpoint(f"{API}/uploads/{{upload_id}}/complete", authorise, post=direct.complete_upload),
        Endpoint(f"{API}/jobs", authorise, get=listing.list_jobs, post=jobs.create_job),
        Endpoint(f"{API}/jobs/batch-status", authorise, post=batch.batch_status),
        Endpoint(f"{API}/jobs/stats", authorise, get=stats.job_stats),
        Endpoint(f"{API}/jobs/export", authorise, get=export.export_jobs),
        Endpoint(
            f"{API}/jobs/{{job_id}}",
            authorise,
            get=jobs.get_job,
            patch=change.change_job,
            delete=jobs.delete_job_and_files,
        ),
        Endpoint(f"{API}/jobs/{{job_id}}/cancel", authorise, post=jobs.cancel_job_now),
        Endpoint(f"{API}/jobs/{{job_id}}/retry", authorise, post=jobs.retry_failed_job),
        Endpoint(f"{API}/jobs/{{job_id}}/attempts", authorise, get=attempts.list_attempts),
        Endpoint(f"{API}/jobs/{{job_id}}/logs", authorise, get=logs.job_log),
        Endpoint(f"{API}/jobs/{{job_id}}/outputs", authorise, get=outputs.list_outputs),
        Endpoint(f"{API}/jobs/{{job_id}}/download/{{name:path}}", authorise, get=outputs.download),
        Endpoint(f"{API}/collections", authorise, get=collections.list_collections),
        Endpoint(f"{API}/jobs/{{job_id}}/stream-cookie", authorise, post=streams.create_stream_cookie),
        Endpoint(f"{API}/events", authorise, get=events.watch_all),
        Endpoint(f"{API}/events/tickets", authorise, post=events.create_ticket),
        Endpoint(f"{API}/events/{{job_id}}/progress", authorise, get=events.watch_job),
        Endpoint(f"{API}/usage", authorise, get=view.get_usage),
        Endpoint(f"{API}/jobs/{{job_id}}/deliveries", authorise, get=deliveries.list_job_deliveries),
        *_webhooks(f"{API}/webhooks"),
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
        Endpoint(f"{API}/admin/log-level", authorise, get=signals.get_log_level, put=signals.set_log_level),
        Endpoint(f"{API}/monitoring/health", authorise, get=health.monitoring_health),
        Endpoint(f"{API}/monitoring/health/detailed", authorise, get=health.monitoring_health_detailed),
        Endpoint(f"{API}/monitoring/metrics/system", authorise, get=signals.system_metrics),
        Endpoint("/metrics", authorise, get=signals.metrics),
        Endpoint("/health", authorise, get=health.health),
        Endpoint("/health/detailed", authorise, get=health.detailed_health),
        Endpoint("/livez", authorise, get=health.livez),
        Endpoint("/readyz", authorise, get=health.readyz),
    ]


def _people() -> list[Endpoint]:
    return [
        Endpoint(f"{API}/auth/login", authorise, post=sign_in.login),
        Endpoint(f"{API}/auth/refresh", authorise, post=sign_in.refresh),
        Endpoint(f"{API}/auth/logout", authorise, post=sign_in.logout),
        Endpoint(f"{API}/auth/me", authorise, get=sign_in.get_me),
        Endpoint(f"{API}/auth/password", authorise, post=sign_in.change_password),
    ]


def _webhooks(base: str) -> list[Endpoint]:
    one = f"{base}/{{webhook_id}}"
    sent = f"{one}/deliveries"
    return [
        Endpoint(base, authorise, get=hooks.list_webhooks, post=hooks.create_webhook),
        Endpoint(one, authorise, get=hooks.get_webhook, patch=hooks.change_webhook, delete=hooks.delete_webhook),
        Endpoint(f"{one}/rotate-secret", authorise, post=hooks.rotate_webhook_secret),
        Endpoint(f"{one}/test", authorise, post=hooks.send_test_event),
        Endpoint(f"{one}/recover", authorise, post=deliveries.recover_deliveries),
        Endpoint(sent, authorise, get=deliveries.list_deliveries),
        Endpoint(f"{sent}/{{delivery_id}}", authorise, get=deliveries.get_delivery),
        Endpoint(f"{sent}/{{delivery_id}}/redeliver", authorise, post=deliveries.redeliver_now),
    ]
