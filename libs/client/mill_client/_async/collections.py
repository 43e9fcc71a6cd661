"""Collections: names under which jobs are filed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from .._calls import account
from .._calls.call import given
from ..models import Collection
from .transport import AsyncTransport


class AsyncCollections:
    """The collections of this key's owner. One is there as long as a job is in it."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def each(self, *, per_page: int | None = None) -> AsyncIterator[Collection]:
        """Every collection, page after page."""
        page, pages = 1, 1
        while page <= pages:
            answer = await self._transport.send(account.collections(given(page=page, per_page=per_page)))
            for collection in answer.collections:
                yield collection
            page, pages = page + 1, answer.total_pages
