"""What the running system does, for keys with the scope `viewer` or more."""

from __future__ import annotations

from typing import Literal

from .._calls import operations as calls
from .._calls.call import given
from ..models import ActiveTask, Alert, ProcessingStats, Run, RunSummary
from .transport import AsyncTransport


class AsyncMonitoring:
    """Runs of schedules, tasks at work, figures and alerts, of all owners."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def active_runs(self) -> list[Run]:
        """The runs at work."""
        return (await self._transport.send(calls.active_runs())).jobs

    async def run_history(self, *, job_name: str | None = None, limit: int | None = None) -> list[Run]:
        """The latest runs, of one schedule if it is named; 20 unless said otherwise, 100 at most."""
        return (await self._transport.send(calls.run_history(given(job_name=job_name, limit=limit)))).jobs

    async def run_summary(self) -> RunSummary:
        """Each schedule's latest run, and when it runs next."""
        return await self._transport.send(calls.run_summary())

    async def run(self, run_id: str) -> Run:
        """One run."""
        return await self._transport.send(calls.run(run_id))

    async def active_tasks(self) -> list[ActiveTask]:
        """The tasks that workers hold, the longest first."""
        return (await self._transport.send(calls.active_tasks())).sessions

    async def stats(self, *, hours: int = 24) -> ProcessingStats:
        """How attempts at tasks ended in the last hours."""
        return await self._transport.send(calls.stats(hours))

    async def alerts(
        self,
        *,
        level: Literal["info", "warning", "error", "critical"] | None = None,
        status: Literal["pending", "firing", "resolved"] | None = None,
        limit: int | None = None,
    ) -> list[Alert]:
        """The newest alerts."""
        return (await self._transport.send(calls.alerts(given(level=level, status=status, limit=limit)))).alerts
