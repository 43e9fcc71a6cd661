"""The SDK's way in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from .._body import OnBytes, size_of, together
from .._calls import account
from .._calls.call import given
from .._fetch import OnFile
from .._files import LARGE, Files
from .._http import Settings
from .._urls import DEFAULT_URL, is_url
from ..models import Downloaded, Health, Job, JobSource, JobSpec, JobWebhook, Usage
from .admin import AsyncAdmin
from .collections import AsyncCollections
from .events import AsyncEvents
from .jobs import AsyncJobs
from .keys import AsyncKeys
from .monitoring import AsyncMonitoring
from .transport import AsyncTransport
from .uploads import AsyncUploads
from .users import AsyncUsers
from .webhooks import AsyncWebhooks
from .work import in_thread


class AsyncClient:
    """A Mediamill server, as the owner of one API key. Safe to share.

    Everything here raises the errors of `mill_client.errors`.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = 30.0,
        retries: int = 3,
    ) -> None:
        """`url` and `api_key` come from `MILL_URL` and `MILL_API_KEY` where None.

        Args:
            url: Where the server is.
            api_key: Who asks.
            timeout_s: Seconds without a byte after which a connection counts as broken.
            retries: How often a request that may be repeated is repeated.

        Raises:
            ValueError: The URL or the key cannot be one.
        """
        url = url or os.environ.get("MILL_URL") or DEFAULT_URL
        api_key = os.environ.get("MILL_API_KEY") if api_key is None else api_key
        settings = Settings.checked(url, api_key, timeout_s=timeout_s, retries=retries)
        self._transport = AsyncTransport(settings)
        self._files = Files(settings)
        self.events = AsyncEvents(self._transport)
        self.jobs = AsyncJobs(self._transport, self.events)
        self.collections = AsyncCollections(self._transport)
        self.uploads = AsyncUploads(self._transport, self._files)
        self.keys = AsyncKeys(self._transport)
        self.users = AsyncUsers(self._transport)
        self.webhooks = AsyncWebhooks(self._transport)
        self.monitoring = AsyncMonitoring(self._transport)
        self.admin = AsyncAdmin(self._transport)

    @property
    def url(self) -> str:
        """Where the server is."""
        return self._transport.url

    async def submit(
        self,
        source: Path | str | Sequence[Path | str],
        *,
        spec: JobSpec | None = None,
        priority: int | None = None,
        deadline: datetime | float | None = None,
        collection: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        webhook: JobWebhook | str | None = None,
        force: bool = False,
        reuse: bool = False,
        idempotency_key: str | None = None,
        on_bytes: OnBytes | None = None,
    ) -> Job:
        """Ask for a file, which is uploaded first, or a URL, which the server fetches, to be processed.

        Several are merged into one video, in their order. A file of 16 MiB or more survives broken connections on its
        way. The rest is as with `jobs.create`.
        """
        alone = isinstance(source, Path | str)
        places = await self._places([source] if isinstance(source, Path | str) else source, on_bytes)
        return await self.jobs.create(
            upload_id=places[0].upload_id if alone else None,
            url=places[0].url if alone else None,
            sources=None if alone else places,
            spec=spec,
            priority=priority,
            deadline=deadline,
            collection=collection,
            metadata=metadata,
            webhook=webhook,
            force=force,
            reuse=reuse,
            idempotency_key=idempotency_key,
        )

    async def download(
        self,
        job_id: str,
        folder: Path | str,
        names: Sequence[str] = (),
        *,
        threads: int = 4,
        on_file: OnFile | None = None,
    ) -> list[Downloaded]:
        """Write a job's outputs, or those named, to `folder` under the names that the server lists.

        Files already there with the right digest are left alone; broken downloads are gone on with.

        Raises:
            OutputMissing: A name means no output.
            TransferFailed: Bytes are not as announced, or a name is not safe to write.
        """
        return await in_thread(self._files.download, job_id, Path(folder), names, threads, on_file)

    async def usage(
        self,
        *,
        from_date: date | str | None = None,
        to_date: date | str | None = None,
        key_id: str | None = None,
        group_by: Sequence[Literal["day", "key", "route"]] | None = None,
    ) -> Usage:
        """What the owner's keys asked for; the last 30 days unless said otherwise."""
        days = {name: str(day) for name, day in (("from_date", from_date), ("to_date", to_date)) if day is not None}
        return await self._transport.send(account.usage(given(**days, key_id=key_id, group_by=group_by)))

    async def health(self) -> Health:
        """What the server says of itself; takes no key."""
        return await self._transport.send(account.health())

    async def check_ready(self) -> None:
        """Return if the server can take work.

        Raises:
            ServerError: It cannot; `detail` says why.
        """
        await self._transport.send(account.readiness())

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()
        self._files.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _places(self, sources: Sequence[Path | str], on_bytes: OnBytes | None) -> list[JobSource]:
        sizes = [0 if is_url(source) else size_of(Path(source)) for source in sources]
        places = []
        for source, told in zip(sources, together(sizes, on_bytes), strict=True):
            if is_url(source):
                places.append(JobSource(url=str(source)))
            else:
                places.append(JobSource(upload_id=await self._upload(Path(source), told)))
        return places

    async def _upload(self, path: Path, on_bytes: OnBytes | None) -> str:
        send = self.uploads.send_resumable if size_of(path) >= LARGE else self.uploads.send
        return (await send(path, on_bytes=on_bytes)).id
