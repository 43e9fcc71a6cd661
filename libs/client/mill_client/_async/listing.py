"""Many jobs at once: lists, counts, exports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Literal, Unpack

from .._calls import jobs as calls
from .._calls.call import given
from ..models import BatchStatus, JobFilter, JobPage, JobStats, JobSummary
from .transport import AsyncTransport

AT_ONCE = 500


class AsyncListing:
    """Jobs, many at once."""

    _transport: AsyncTransport

    async def page(self, **filters: Unpack[JobFilter]) -> JobPage:
        """One page of the jobs that pass the filters."""
        return await self._transport.send(calls.page(filters))

    async def each(self, **filters: Unpack[JobFilter]) -> AsyncIterator[JobSummary]:
        """Every job that passes the filters, page after page; none twice, also when jobs come meanwhile."""
        page = await self.page(**filters)
        for job in page.jobs:
            yield job
        while page.next_cursor:
            filters["cursor"], filters["page"] = page.next_cursor, None
            page = await self.page(**filters)
            for job in page.jobs:
                yield job

    async def batch_status(self, job_ids: Iterable[str]) -> BatchStatus:
        """How many jobs are, and the ids of which there is none."""
        ids = list(job_ids)
        answers = [
            await self._transport.send(calls.batch_status(ids[start : start + AT_ONCE]))
            for start in range(0, len(ids), AT_ONCE)
        ]
        return BatchStatus(
            jobs=[job for answer in answers for job in answer.jobs],
            not_found=[job_id for answer in answers for job_id in answer.not_found],
        )

    async def stats(
        self, *, from_date: datetime | str | None = None, to_date: datetime | str | None = None
    ) -> JobStats:
        """The owner's jobs in numbers."""
        return await self._transport.send(calls.stats(given(from_date=from_date, to_date=to_date)))

    async def export(
        self, file_format: Literal["csv", "json", "ndjson"] = "csv", **filters: Unpack[JobFilter]
    ) -> AsyncIterator[bytes]:
        """Every job that passes the filters as a file, in pieces as they come."""
        async with self._transport.open(calls.export(file_format, filters)) as response:
            async for chunk in response.aiter_bytes():
                yield chunk
