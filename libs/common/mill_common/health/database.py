"""The database: it answers, it is current, its pool and its server have room, its replicas follow."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.pool import QueuePool

from mill_common.database import Database
from mill_common.health.report import Finding, Status, worst
from mill_common.health.thresholds import Thresholds
from mill_common.migrations import is_current

LAG_WARNING_S = 60.0

_SERVER = text(
    "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,"
    " current_setting('max_connections')::int AS allowed, pg_is_in_recovery() AS replica,"
    " extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float AS behind_s"
)
_REPLICAS = text(
    "SELECT application_name AS name, state, extract(epoch FROM replay_lag)::float AS lag_s FROM pg_stat_replication"
)


def database_finding(database: Database, thresholds: Thresholds) -> Finding:
    """Ask the database. Raises what the database raises."""
    if not is_current(database):
        return Finding(status=Status.CRITICAL, message="the schema is not this version's; run `mill migrate`")
    pool = pool_figures(database)
    details: dict[str, Any] = {"engine": "sqlite" if database.is_sqlite else "postgresql", "pool": pool}
    verdicts = {"the pool of connections is nearly used up": _share(pool["in_use"], pool["limit"], thresholds)}
    if not database.is_sqlite:
        with database.engine.connect() as connection:
            verdicts |= _server(connection, details, thresholds)
    status = worst(list(verdicts.values()))
    said = [sentence for sentence, verdict in verdicts.items() if verdict is not Status.HEALTHY]
    return Finding(status=status, message="; ".join(said) or "the database answers", details=details)


def pool_figures(database: Database) -> dict[str, int]:
    """Connections of this process: in use, idle, and how many there may be."""
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    # SQLAlchemy tells the most overflow only under a name of its own.
    return {
        "in_use": pool.checkedout(),
        "idle": pool.checkedin(),
        "limit": pool.size() + pool._max_overflow,
    }


def _server(connection: Connection, details: dict[str, Any], thresholds: Thresholds) -> dict[str, Status]:
    server = connection.execute(_SERVER).mappings().one()
    replicas = [dict(row) for row in connection.execute(_REPLICAS).mappings()]
    details["connections"] = {"used": server["used"], "max": server["allowed"]}
    details["replicas"] = replicas
    lags = [replica["lag_s"] or 0.0 for replica in replicas]
    if server["replica"]:
        details["behind_s"] = server["behind_s"]
    late = max(lags, default=0.0) > LAG_WARNING_S
    return {
        # The server does not write: it is a replica, or somebody failed over and this process does not know.
        "the server only reads": Status.CRITICAL if server["replica"] else Status.HEALTHY,
        "the server's connections are nearly used up": _share(server["used"], server["allowed"], thresholds),
        f"a replica is more than {LAG_WARNING_S:.0f} s behind": Status.WARNING if late else Status.HEALTHY,
    }


def _share(used: int, limit: int, thresholds: Thresholds) -> Status:
    return thresholds.judge(100.0 * used / limit) if limit > 0 else Status.HEALTHY
