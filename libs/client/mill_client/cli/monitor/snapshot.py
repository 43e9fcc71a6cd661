"""What the server says of itself at one moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import Forbidden
from ...models import ActiveTask, Alert, DeadLetter, ProcessingStats, Queue, Worker

if TYPE_CHECKING:
    from ..._sync.client import Client

T = TypeVar("T")
FAILED_SHOWN = 20
ALERTS_SHOWN = 20


@dataclass(frozen=True)
class Snapshot:
    """The system at `taken_at`. `alerts` is None for keys that may not see them."""

    queues: Sequence[Queue]
    workers: Sequence[Worker]
    tasks: Sequence[ActiveTask]
    failed: Sequence[DeadLetter]
    failed_total: int
    alerts: Sequence[Alert] | None
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
            "alerts": None if self.alerts is None else _plain(self.alerts),
            "stats": self.stats.model_dump(mode="json"),
        }


class Looker:
    """Asks one server. What a key may not see is asked for once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sees_alerts = True

    def look(self) -> Snapshot:
        """How things are. Raises the errors of the client."""
        admin, monitoring = self._client.admin, self._client.monitoring
        failed = admin.dead_letters(per_page=FAILED_SHOWN)
        return Snapshot(
            queues=admin.queues(),
            workers=admin.workers(),
            tasks=monitoring.active_tasks(),
            failed=failed.dead_letters,
            failed_total=failed.total,
            alerts=self._alerts(lambda: monitoring.alerts(status="firing", limit=ALERTS_SHOWN)),
            stats=monitoring.stats(hours=1),
        )

    def _alerts(self, ask: Callable[[], list[Alert]]) -> list[Alert] | None:
        if not self._sees_alerts:
            return None
        try:
            return ask()
        except Forbidden:  # only administrators see alerts
            self._sees_alerts = False
            return None


def _plain(found: Sequence[Any]) -> list[object]:
    return [each.model_dump(mode="json") for each in found]
