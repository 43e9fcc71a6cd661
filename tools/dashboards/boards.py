"""What is on which dashboard."""

from __future__ import annotations

from tools.dashboards.panels import Board, Panel

_HEALTH = Panel(
    "Health by check (0 healthy, 1 warning, 2 degraded, 3 critical)",
    {"{{component}}": "max by (component) (mill_health_status)"},
    width=24,
)
_WAITING = Panel("Waiting tasks", {"{{queue}}": 'queue:mill_queue_tasks:max{state="waiting"}'})
_OLDEST = Panel("Longest wait", {"{{queue}}": "queue:mill_queue_oldest_task_age_seconds:max"}, unit="s")
_ATTEMPTS = Panel("Attempts a second", {"{{kind}} {{outcome}}": "kind:mill_task_attempts:rate5m"}, unit="ops")
_WORKERS = Panel("Workers", {"{{service}} {{state}}": "service:mill_workers:max"})
_SPEED = Panel("Media seconds worked in a second", {"{{kind}}": "kind:mill_task_media_seconds_per_second:rate5m"})
_REQUESTS = Panel("Requests a second", {"{{method}} {{route}} {{status}}": "route:mill_http_requests:rate5m"}, "reqps")


def _stat(title: str, query: str, unit: str = "short") -> Panel:
    return Panel(title, {title: query}, unit=unit, kind="stat", width=6, height=4)


OVERVIEW = Board(
    "mediamill-overview",
    "Mediamill: overview",
    [
        _stat("Processes that answer", 'sum(up{job="mediamill"})'),
        _stat("Waiting", 'sum(queue:mill_queue_tasks:max{state="waiting"})'),
        _stat("Running", 'sum(queue:mill_queue_tasks:max{state="running"})'),
        _stat("Dead letters", 'sum(queue:mill_queue_tasks:max{state="failed"})'),
        _WAITING,
        _OLDEST,
        _ATTEMPTS,
        _REQUESTS,
        _HEALTH,
    ],
)

QUEUE = Board(
    "mediamill-queue",
    "Mediamill: queue",
    [
        Panel("Tasks by state", {"{{queue}} {{state}}": "queue:mill_queue_tasks:max"}),
        _OLDEST,
        Panel("Claims a second", {"{{queue}}": "queue:mill_task_claims:rate5m"}, unit="ops"),
        Panel(
            "A look for work takes (95 %)",
            {
                "{{queue}}": "histogram_quantile(0.95, sum by (queue, le) "
                "(rate(mill_claim_duration_seconds_bucket[5m])))"
            },
            unit="s",
        ),
        _ATTEMPTS,
        Panel("Attempts by error code", {"{{kind}} {{code}}": "sum by (kind, code) (mill_task_attempts_total)"}),
        Panel(
            "Repairs",
            {
                "leases expired": "sum(mill_leases_expired_total)",
                "wake-ups sent again": "sum(mill_wake_ups_resent_total)",
            },
        ),
        Panel("Rounds of the watchdog a second", {"{{loop}}": "sum by (loop) (rate(mill_sweeps_total[5m]))"}, "ops"),
    ],
)

WORKERS = Board(
    "mediamill-workers",
    "Mediamill: workers",
    [
        _WORKERS,
        Panel("Running tasks", {"{{instance}} {{queue}}": "mill_worker_running_tasks"}),
        Panel(
            "Attempts take (95 %)",
            {"{{kind}} {{outcome}}": "kind_outcome:mill_task_attempt_duration_seconds:p95_5m"},
            unit="s",
        ),
        _SPEED,
        Panel("Cores that children use", {"{{kind}}": "sum by (kind) (rate(mill_task_cpu_seconds_total[5m]))"}),
        Panel(
            "To and from storage",
            {"{{kind}} {{direction}}": "sum by (kind, direction) (rate(mill_task_bytes_total[5m]))"},
            unit="Bps",
        ),
        Panel("Memory", {"{{service}} {{instance}}": 'process_resident_memory_bytes{job="mediamill"}'}, unit="bytes"),
        Panel(
            "Cores that services use",
            {"{{service}} {{instance}}": 'rate(process_cpu_seconds_total{job="mediamill"}[5m])'},
        ),
        _HEALTH,
    ],
)

API = Board(
    "mediamill-api",
    "Mediamill: API",
    [
        _REQUESTS,
        Panel(
            "Requests take (95 %)",
            {"{{method}} {{route}}": "route:mill_http_request_duration_seconds:p95_5m"},
            unit="s",
        ),
        Panel("Share of 5xx", {"5xx": "job:mill_http_error_ratio:rate5m or vector(0)"}, unit="percentunit"),
        Panel("Requests under way", {"{{instance}}": "mill_http_requests_in_progress"}),
        Panel(
            "Connections to the database",
            {
                "{{instance}} {{state}}": "mill_database_pool_connections",
                "{{instance}} limit": "mill_database_pool_limit",
            },
        ),
        Panel("Open files", {"{{service}} {{instance}}": 'process_open_fds{job="mediamill"}'}),
    ],
)

BOARDS = (OVERVIEW, QUEUE, WORKERS, API)
