"""The paths below `/api/v1/admin`."""

from __future__ import annotations

from mill_api.admin import bulk, cleanup, dead_letters, owners, queues, schedules, stats, tasks, workers
from mill_api.audit import view as audit_log
from mill_api.auth import authorise
from mill_api.links import API
from mill_api.openapi import Endpoint
from mill_api.people import users

ADMIN = f"{API}/admin"
WORKER = f"{ADMIN}/workers/{{worker_id}}"
QUEUE = f"{ADMIN}/queues/{{queue}}"
SCHEDULE = f"{ADMIN}/schedules/{{schedule}}"


def admin_endpoints() -> list[Endpoint]:
    """One endpoint per path."""
    return [
        Endpoint(f"{ADMIN}/cleanup-stuck-jobs", authorise, post=cleanup.cleanup_stuck_jobs),
        Endpoint(f"{ADMIN}/cleanup-old-jobs", authorise, post=cleanup.cleanup_old_jobs),
        Endpoint(f"{ADMIN}/stats", authorise, get=stats.system_stats),
        Endpoint(f"{ADMIN}/queue-stats", authorise, get=queues.queue_stats),
        Endpoint(f"{ADMIN}/jobs", authorise, get=tasks.list_tasks),
        Endpoint(f"{ADMIN}/jobs/bulk-retry", authorise, post=bulk.bulk_retry),
        Endpoint(f"{ADMIN}/jobs/bulk-cancel", authorise, post=bulk.bulk_cancel),
        Endpoint(f"{ADMIN}/jobs/bulk-delete", authorise, post=bulk.bulk_delete),
        Endpoint(f"{ADMIN}/dead-letters", authorise, get=dead_letters.list_dead_letters),
        Endpoint(f"{ADMIN}/dead-letters/retry", authorise, post=dead_letters.retry_dead_letters),
        Endpoint(f"{ADMIN}/dead-letters/discard", authorise, post=dead_letters.discard_dead_letters),
        Endpoint(f"{ADMIN}/workers", authorise, get=workers.list_workers),
        Endpoint(f"{WORKER}/pause", authorise, post=workers.pause_worker),
        Endpoint(f"{WORKER}/resume", authorise, post=workers.resume_worker),
        Endpoint(f"{WORKER}/drain", authorise, post=workers.drain_worker),
        Endpoint(f"{ADMIN}/queues", authorise, get=queues.list_queues),
        Endpoint(f"{QUEUE}/pause", authorise, post=queues.pause_queue_now),
        Endpoint(f"{QUEUE}/resume", authorise, post=queues.resume_queue_now),
        Endpoint(f"{QUEUE}/purge", authorise, post=queues.purge_queue),
        Endpoint(f"{ADMIN}/schedules", authorise, get=schedules.list_schedules),
        Endpoint(f"{SCHEDULE}/run", authorise, post=schedules.run_schedule),
        Endpoint(f"{SCHEDULE}/pause", authorise, post=schedules.pause_schedule_now),
        Endpoint(f"{SCHEDULE}/resume", authorise, post=schedules.resume_schedule),
        Endpoint(f"{ADMIN}/owners", authorise, get=owners.list_owners),
        Endpoint(f"{ADMIN}/owners/{{owner}}", authorise, get=owners.get_owner, patch=owners.change_owner),
        Endpoint(f"{ADMIN}/users", authorise, get=users.list_users, post=users.create_user),
        Endpoint(
            f"{ADMIN}/users/{{user_id}}",
            authorise,
            get=users.get_user,
            patch=users.change_user,
            delete=users.delete_user,
        ),
        Endpoint(f"{ADMIN}/audit", authorise, get=audit_log.list_audit),
    ]
