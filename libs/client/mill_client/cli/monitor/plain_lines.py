"""A snapshot as tab-separated lines, for pipes and logs: what it is about stands first."""

from __future__ import annotations

from collections.abc import Iterator

from ..output import duration, plain
from .snapshot import Snapshot


def told(snapshot: Snapshot) -> Iterator[str]:
    """One line for each thing."""
    for kind, *cells in _cells(snapshot):
        yield "\t".join([kind, *(plain(cell) for cell in cells)])


def _cells(snapshot: Snapshot) -> Iterator[list[str]]:
    stats = snapshot.stats
    yield ["at", snapshot.taken_at.isoformat(timespec="seconds")]
    yield ["hour", f"{stats.successful_operations} done", f"{stats.failed_operations} failed"]
    for queue in snapshot.queues:
        counts = [f"{queue.pending} waiting", f"{queue.running} running", f"{queue.failed} failed"]
        yield ["queue", queue.queue, *counts, "paused" if queue.paused else "open"]
    for worker in snapshot.workers:
        state = worker.state if worker.alive else "silent"
        yield ["worker", worker.name, worker.queue, f"{len(worker.running)}/{worker.slots}", state]
    for task in snapshot.tasks:
        doing = [task.task, f"{100 * task.progress:.0f} %", task.stage or "-", duration(task.elapsed_seconds)]
        yield ["task", task.session_id, task.filename, *doing]
    for letter in snapshot.failed:
        yield ["failed", letter.job_id, letter.filename, letter.task, letter.error_code or "-"]
    for alert in snapshot.alerts:
        yield ["alert", alert.level, alert.type, alert.title]
