"""What is chosen on the screen, and what the keys do with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...models import ActiveTask, BulkResult, DeadLetter, Queue, Worker
from .background import Act
from .snapshot import Snapshot

if TYPE_CHECKING:
    from ..._sync.client import Client

Item = Queue | Worker | ActiveTask | DeadLetter
HELP = "q quit  ↑↓ choose  c cancel  r retry  p pause/resume"
PAGE = 10


@dataclass(frozen=True)
class Row:
    """One line that can be chosen. Its key stays the same from look to look."""

    key: tuple[str, str]
    item: Item


def rows_of(snapshot: Snapshot) -> list[Row]:
    """Everything that can be chosen, from top to bottom."""
    return [
        *(Row(("queue", each.queue), each) for each in snapshot.queues),
        *(Row(("worker", each.id), each) for each in snapshot.workers),
        *(Row(("task", each.task_id), each) for each in snapshot.tasks),
        *(Row(("failed", each.task_id), each) for each in snapshot.failed),
    ]


class Desk:
    """The cursor, and the question that waits for its answer."""

    def __init__(self) -> None:
        self.question = ""
        self.hint = ""
        self._act: Act | None = None
        self._place = 0
        self._key: tuple[str, str] | None = None

    def chosen(self, rows: Sequence[Row]) -> Row | None:
        """The row under the cursor, which follows what it stood on."""
        if not rows:
            return None
        keys = [row.key for row in rows]
        self._place = keys.index(self._key) if self._key in keys else min(self._place, len(rows) - 1)
        self._key = keys[self._place]
        return rows[self._place]

    def press(self, key: str, rows: Sequence[Row]) -> Act | None:
        """What is to be done now, if anything."""
        self.hint = ""
        if self.question:
            act, self.question = self._act, ""
            return act if key in {"y", "Y"} else None
        row = self.chosen(rows)
        if row is not None and (step := {"up": -1, "down": 1, "page up": -PAGE, "page down": PAGE}.get(key)):
            self._place = max(0, min(len(rows) - 1, self._place + step))
            self._key = rows[self._place].key
        elif key in {"c", "r", "p"}:
            return self._wish(key, row.item if row else None)
        return None

    def _wish(self, key: str, item: Item | None) -> Act | None:
        if key == "c" and isinstance(item, ActiveTask):
            self.question = f"cancel the job of {item.filename or item.session_id}? y/n"
            self._act = _cancel(item.session_id)
        elif key == "r" and isinstance(item, DeadLetter):
            return _retry(item.job_id)
        elif key == "p" and isinstance(item, Queue):
            return _toggle_queue(item)
        elif key == "p" and isinstance(item, Worker):
            return _toggle_worker(item)
        else:
            self.hint = {
                "c": "choose a running task to cancel its job",
                "r": "choose a failed task to retry its job",
                "p": "choose a queue or a worker to pause",
            }[key]
        return None


def _cancel(job_id: str) -> Act:
    return lambda client: _told(client.admin.cancel_jobs([job_id]), f"job {job_id} is cancelled")


def _retry(job_id: str) -> Act:
    return lambda client: _told(client.admin.retry_jobs([job_id]), f"job {job_id} is tried again")


def _told(result: BulkResult, done: str) -> str:
    if result.failed:
        return f"not done: {result.failed[0].code}"
    return done if result.done else "not done: the job is no longer as shown"


def _toggle_queue(queue: Queue) -> Act:
    def act(client: Client) -> str:
        if queue.paused:
            client.admin.resume_queue(queue.queue)
            return f"{queue.queue} is resumed"
        client.admin.pause_queue(queue.queue, reason="mill monitor")
        return f"{queue.queue} is paused; what runs goes on"

    return act


def _toggle_worker(worker: Worker) -> Act:
    def act(client: Client) -> str:
        if worker.wish == "pause":
            client.admin.resume_worker(worker.id)
            return f"{worker.name} is resumed"
        client.admin.pause_worker(worker.id)
        return f"{worker.name} is paused; what it runs goes on"

    return act
