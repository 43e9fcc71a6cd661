# Made from _async/history.py by `python -m tools.unasync`: change that.
"""What became of a job."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from .._calls import jobs as calls
from .._calls.call import given
from ..models import Attempt, Delivery, LogEntry
from .transport import Transport


class History:
    """A job's past."""

    _transport: Transport

    def attempts(self, job_id: str) -> list[Attempt]:
        """Every worker's try at every step."""
        return (self._transport.send(calls.attempts(job_id))).attempts

    def logs(
        self,
        job_id: str,
        *,
        level: str | None = None,
        task: str | None = None,
        from_date: datetime | str | None = None,
        to_date: datetime | str | None = None,
        per_page: int | None = None,
    ) -> Iterator[LogEntry]:
        """The job's story in order. `level` is the least severe shown, `task` a step's name or kind."""
        page, pages = 1, 1
        while page <= pages:
            params = given(level=level, task=task, from_date=from_date, to_date=to_date, page=page, per_page=per_page)
            answer = self._transport.send(calls.logs(job_id, params))
            yield from answer.entries
            page, pages = page + 1, answer.total_pages

    def deliveries(
        self, job_id: str, *, status: str | None = None, event: str | None = None, per_page: int | None = None
    ) -> Iterator[Delivery]:
        """What webhooks were told of the job, the newest first."""
        cursor = None
        while True:
            params = given(status=status, event=event, per_page=per_page, cursor=cursor)
            page = self._transport.send(calls.deliveries(job_id, params))
            yield from page.deliveries
            cursor = page.next_cursor
            if cursor is None:
                return
