"""Redis: it takes writes, it has room, it keeps what it is told to keep."""

from __future__ import annotations

from typing import Any

from redis import Redis

from mill_common.health.report import Finding, Status, worst
from mill_common.health.thresholds import Thresholds

_TIMEOUT_S = 5.0


def broker_finding(url: str, thresholds: Thresholds) -> Finding:
    """Ask the broker. Raises what Redis raises; one in this process is always well."""
    if url.startswith("memory://"):
        return Finding(status=Status.HEALTHY, message="wake-ups stay in this process", details={"kind": "memory"})
    with Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S) as client:
        # A replica or a server with a full disk answers pings and refuses everything else.
        client.set("mill:health", 1, px=1000)
        info: dict[str, Any] = client.info()
    used, most = info["used_memory"], info["maxmemory"]
    verdicts = {
        "memory is nearly used up": thresholds.judge(100.0 * used / most) if most else Status.HEALTHY,
        "the last snapshot was not written": _written(info.get("rdb_last_bgsave_status")),
        "the append-only file is not written": _written(info.get("aof_last_write_status")),
    }
    said = [sentence for sentence, verdict in verdicts.items() if verdict is not Status.HEALTHY]
    return Finding(
        status=worst(list(verdicts.values())),
        message="; ".join(said) or "Redis takes writes",
        details=_details(info),
    )


def _details(info: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "redis",
        "version": info["redis_version"],
        "connected_clients": info["connected_clients"],
        "memory": {"used_bytes": info["used_memory"], "max_bytes": info["maxmemory"] or None},
        "persistence": {
            "append_only_file": bool(info.get("aof_enabled")),
            "append_only_file_status": info.get("aof_last_write_status"),
            "last_snapshot_status": info.get("rdb_last_bgsave_status"),
            "changes_since_snapshot": info.get("rdb_changes_since_last_save"),
        },
    }


def _written(status: str | None) -> Status:
    return Status.HEALTHY if status in (None, "ok") else Status.DEGRADED
