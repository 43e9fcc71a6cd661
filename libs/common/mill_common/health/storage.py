"""Object storage: an object is written, read and deleted."""

from __future__ import annotations

from mill_common.health.report import Finding, Status
from mill_common.storage import ObjectStore


def storage_finding(store: ObjectStore) -> Finding:
    """Try it. Raises `StorageUnavailable`."""
    details = store.check()
    return Finding(
        status=Status.HEALTHY, message="an object was written, read and deleted", details={**details, "access": "rw"}
    )
