"""The paths below `/api/v1/monitoring` that show runs, figures and logs."""

from __future__ import annotations

from mill_api.auth import authorise
from mill_api.links import API
from mill_api.monitoring import cleanup, logs, report, runs, stats
from mill_api.openapi import Endpoint

MONITORING = f"{API}/monitoring"


def monitoring_endpoints() -> list[Endpoint]:
    """One endpoint per path; those with fixed parts come before the one that would take them, too."""
    return [
        Endpoint(f"{MONITORING}/jobs/active", authorise, get=runs.list_active_runs),
        Endpoint(f"{MONITORING}/jobs/history", authorise, get=runs.list_run_history),
        Endpoint(f"{MONITORING}/jobs/summary", authorise, get=runs.summarise_runs),
        Endpoint(f"{MONITORING}/jobs/{{run_id}}", authorise, get=runs.get_run),
        Endpoint(f"{MONITORING}/stats", authorise, get=stats.get_processing_stats),
        Endpoint(f"{MONITORING}/sessions/active", authorise, get=stats.list_active_sessions),
        Endpoint(f"{MONITORING}/logs/recent", authorise, get=logs.recent_logs),
        Endpoint(f"{MONITORING}/reports/weekly", authorise, get=report.weekly_report),
        Endpoint(f"{MONITORING}/reports/weekly.html", authorise, get=report.weekly_report_page),
        Endpoint(f"{MONITORING}/cleanup", authorise, post=cleanup.cleanup_monitoring),
    ]
