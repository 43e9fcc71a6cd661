"""The screen: how a snapshot is drawn into so many columns and lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from ...models import ActiveTask, Alert, DeadLetter, Queue, Worker
from ..output import duration, plain
from .desk import Row, rows_of
from .lines import Line, allot, drawn, fit, spread, window
from .marks import Marks
from .snapshot import Snapshot

BAR = 10
FIXED = 3  # lines: two at the top, one at the bottom
_LEVELS = {"critical": "bold red", "error": "red", "warning": "yellow"}


@dataclass(frozen=True)
class _Section:
    name: str
    titles: Sequence[str]
    widths: Sequence[int]
    lines: Sequence[Line]
    total: int = 0  # where the server has more than it was asked for


@dataclass(frozen=True)
class Screen:
    """Draws. `server` is named at the top."""

    server: str
    marks: Marks

    def draw(self, snapshot: Snapshot, chosen: Row | None, foot: Text, width: int, height: int) -> Text:
        """Exactly as many lines as there is room for."""
        sections = self._sections(snapshot)
        room = allot([len(section.lines) for section in sections], max(0, height - FIXED - len(sections)))
        marked = _places(snapshot, chosen)
        lines = [*self._head(snapshot, width)]
        for section, shown in zip(sections, room, strict=True):
            lines += self._section(section, shown, marked.get(section.name), width)
        lines = lines[: height - 1]
        lines += [Text("")] * (height - 1 - len(lines))
        foot.truncate(width)
        return drawn([*lines, foot])

    def _head(self, snapshot: Snapshot, width: int) -> list[Text]:
        stats, at = snapshot.stats, snapshot.taken_at.astimezone()
        well = "" if stats.success_rate is None else f", {100 * stats.success_rate:.0f} % well"
        told = f"{stats.successful_operations} tasks in an hour{well}"
        room = max(0, width - len(told) - 2)
        pace = self.marks.sparkline(stats.pace[-room:] if room else [])
        first = spread(f"mediamill {plain(self.server)}", f"{at:%Y-%m-%d %H:%M:%S}", width)
        return [Text(first, "bold"), Text(f"{pace}  ", "cyan") + Text(told)]

    def _section(self, section: _Section, shown: int, chosen: int | None, width: int) -> list[Text]:
        count = len(section.lines)
        total = max(count, section.total)
        name = section.name.upper() if shown == total else f"{section.name.upper()} {shown} of {total}"
        lines = [Text(fit(["", name, *section.titles], section.widths, width), "bold underline")]
        for place in window(count, shown, chosen):
            line = section.lines[place]
            here = place == chosen
            text = fit([self.marks.pointer if here else "", *line.cells], section.widths, width)
            lines.append(Text(text, f"{line.style} reverse" if here else line.style))
        return lines

    def _sections(self, snapshot: Snapshot) -> list[_Section]:
        alerts = [_alert(each) for each in snapshot.alerts]
        failed = [_failed(each) for each in snapshot.failed]
        return [
            _Section("queues", _QUEUE, (1, 0, -8, -8, -8, -9, 8), [_queue(each) for each in snapshot.queues]),
            _Section("workers", _WORKER, (1, 0, 11, -7, -6, 9), [_worker(each) for each in snapshot.workers]),
            _Section("tasks", _TASK, (1, 0, 12, BAR, -4, 14, -7), [self._task(each) for each in snapshot.tasks]),
            _Section("failed", _FAILED, (1, 0, 12, -5, 27), failed, snapshot.failed_total),
            _Section("alerts", ("" if alerts else "none fires",), (1, 28, 0), alerts),
        ]

    def _task(self, task: ActiveTask) -> Line:
        percent = f"{100 * task.progress:.0f}%"
        bar = self.marks.bar(task.progress, BAR)
        name = task.filename or task.session_id
        return Line([name, task.task, bar, percent, task.stage or "", duration(task.elapsed_seconds)])


_QUEUE = ("waiting", "running", "failed", "oldest", "")
_WORKER = ("queue", "running", "heard", "state")
_TASK = ("step", "", "", "stage", "since")
_FAILED = ("step", "tries", "error")


def _queue(queue: Queue) -> Line:
    counts = [str(queue.pending), str(queue.running), str(queue.failed)]
    state = "paused" if queue.paused else ""
    return Line([queue.queue, *counts, duration(queue.oldest_seconds), state], "yellow" if queue.paused else "")


def _worker(worker: Worker) -> Line:
    state = worker.state if worker.alive else "silent"
    if worker.alive and worker.wish == "pause":
        state = "paused"
    style = "red" if not worker.alive else "" if state == "running" else "yellow"
    held = f"{len(worker.running)}/{worker.slots}"
    return Line([worker.name, worker.queue, held, f"{worker.heartbeat_age_seconds:.0f} s", state], style)


def _failed(letter: DeadLetter) -> Line:
    why = letter.error_code or letter.error_message or ""
    return Line([letter.filename or letter.job_id, letter.task, str(letter.attempts), why], "red")


def _alert(alert: Alert) -> Line:
    return Line([f"{alert.level} {alert.type}", alert.title], _LEVELS.get(alert.level, ""))


def _places(snapshot: Snapshot, chosen: Row | None) -> dict[str, int]:
    """In which section the chosen row is, and where in it."""
    if chosen is None:
        return {}
    kind = chosen.key[0]
    same = [row.key for row in rows_of(snapshot) if row.key[0] == kind]
    name = {"queue": "queues", "worker": "workers", "task": "tasks"}.get(kind, kind)
    return {name: same.index(chosen.key)} if chosen.key in same else {}
