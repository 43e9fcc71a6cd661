# Made from _async/collections.py by `python -m tools.unasync`: change that.
"""Collections: names under which jobs are filed."""

from __future__ import annotations

from collections.abc import Iterator

from .._calls import account
from .._calls.call import given
from ..models import Collection
from .transport import Transport


class Collections:
    """The collections of this key's owner. One is there as long as a job is in it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def each(self, *, per_page: int | None = None) -> Iterator[Collection]:
        """Every collection, page after page."""
        page, pages = 1, 1
        while page <= pages:
            answer = self._transport.send(account.collections(given(page=page, per_page=per_page)))
            yield from answer.collections
            page, pages = page + 1, answer.total_pages
