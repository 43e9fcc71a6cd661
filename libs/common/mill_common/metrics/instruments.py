"""Counters and histograms of this process. They belong to the process, not to a connection, and so they are global."""

from __future__ import annotations

from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

# Seconds; a long film's encode takes hours.
_WORK = (0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0, 60.0, 180.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 21600.0)
_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0)

Gauge("mill_build_info", "The version that runs; always 1.", ["version"], registry=REGISTRY).labels(
    version("mill-common")
).set(1)

# A worker's
CLAIM_SECONDS = Histogram(
    "mill_claim_duration_seconds", "How long looks for work took.", ["queue"], buckets=_QUICK, registry=REGISTRY
)
CLAIMS = Counter("mill_task_claims", "Tasks that were claimed.", ["queue"], registry=REGISTRY)
RUNNING = Gauge("mill_worker_running_tasks", "Tasks that this process runs.", ["queue"], registry=REGISTRY)
ATTEMPTS = Counter(
    "mill_task_attempts", "Attempts that ended.", ["queue", "kind", "outcome", "code"], registry=REGISTRY
)
ATTEMPT_SECONDS = Histogram(
    "mill_task_attempt_duration_seconds",
    "How long attempts took.",
    ["queue", "kind", "outcome"],
    buckets=_WORK,
    registry=REGISTRY,
)
CHILD_CPU_SECONDS = Counter("mill_task_cpu_seconds", "CPU time of tasks' child processes.", ["kind"], registry=REGISTRY)
TASK_BYTES = Counter(
    "mill_task_bytes", "Bytes between tasks and object storage.", ["kind", "direction"], registry=REGISTRY
)
MEDIA_SECONDS = Counter(
    "mill_task_media_seconds", "Length of the media that was worked through.", ["kind"], registry=REGISTRY
)
LEASES_LOST = Counter("mill_leases_lost", "Tasks put down because their lease was over.", ["queue"], registry=REGISTRY)

# A watchdog's
SWEEPS = Counter("mill_sweeps", "Rounds of the watchdog's loops.", ["loop", "outcome"], registry=REGISTRY)
LEASES_EXPIRED = Counter("mill_leases_expired", "Tasks taken from workers that fell silent.", registry=REGISTRY)
WAKE_UPS_RESENT = Counter("mill_wake_ups_resent", "Wake-ups sent again because nobody had claimed.", registry=REGISTRY)
RUNS = Counter("mill_scheduled_runs", "Runs of schedules that ended.", ["schedule", "outcome"], registry=REGISTRY)
RUN_SECONDS = Histogram(
    "mill_scheduled_run_duration_seconds", "How long runs took.", ["schedule"], buckets=_WORK, registry=REGISTRY
)
ALERTS = Counter("mill_alerts", "Alerts that began to fire or were resolved.", ["change"], registry=REGISTRY)
WEBHOOK_SECONDS = Histogram(
    "mill_webhook_request_duration_seconds",
    "How long requests to webhooks took.",
    ["event", "outcome"],
    buckets=_REQUEST,
    registry=REGISTRY,
)

# A gateway's
REQUEST_SECONDS = Histogram(
    "mill_http_request_duration_seconds",
    "How long requests took, to the last byte of the answer.",
    ["method", "route", "status"],
    buckets=_REQUEST,
    registry=REGISTRY,
)
REQUESTS_UNDER_WAY = Gauge("mill_http_requests_in_progress", "Requests that are being answered.", registry=REGISTRY)
EVENT_WATCHERS = Gauge("mill_event_watchers", "Clients that watch jobs by Server-Sent Events.", registry=REGISTRY)
