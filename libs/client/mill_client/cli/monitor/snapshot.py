"""What the server says of itself at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ...models import ActiveTask, Alert, DeadLetter, ProcessingStats, Queue, Worker

if TYPE_CHECKING:
    from ..._sync.client import Client

FAILED_SHOWN = 20
ALERTS_SHOWN = 20


@dataclass(frozen=True)
class Snapshot:
    """The system at `taken_at`."""

    queues: Sequence[Queue]
    workers: Sequence[Worker]
    tasks: Sequence[ActiveTask]
    failed: Sequence[DeadLetter]
    failed_total: int
    alerts: Sequence[Alert]
    stats: ProcessingStats
    taken_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {
            "taken_at": self.taken_at.isoformat(),
            "queues": _plain(self.queues),
            "workers": _plain(self.workers),
            "tasks": _plain(self.tasks),
            "failed": _plain(self.failed),
            "failed_total": self.failed_total,
            "alerts": _plain(self.alerts),
            "stats": self.stats.model_dump(mode="json"),
        }


def look(client: Client) -> Snapshot:
    """How things are now. Raises the errors of the client."""
    admin, monitoring = client.admin, client.monitoring
    failed = admin.dead_letters(per_page=FAILED_SHOWN)
    return Snapshot(
        queues=admin.queues(),
        workers=admin.workers(),
        tasks=monitoring.active_tasks(),
        failed=failed.dead_letters,
        failed_total=failed.total,
        alerts=monitoring.alerts(status="firing", limit=ALERTS_SHOWN),
        stats=monitoring.stats(hours=1),
    )


def _plain(found: Sequence[Any]) -> list[object]:
    return [each.model_dump(mode="json") for each in found]
