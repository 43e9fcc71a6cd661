"""The SDK's way in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import _calls
from ._body import OnBytes
from ._downloads import download_all
from ._fetch import OnFile
from ._jobs import Jobs
from ._keys import Keys
from ._names import choose
from ._retries import Retries
from ._transport import Transport
from ._uploads import Uploads
from ._urls import DEFAULT_URL, is_url
from .models import Downloaded, Job, JobSpec


class Client:
    """A Mediamill server, as the owner of one API key. Safe to share between threads.

        with Client("http://127.0.0.1:8000", api_key) as mill:
            job = mill.jobs.wait(mill.submit("lecture.mp4").job_id)
            mill.download(job.job_id, "lecture")

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
        self._transport = Transport(url, api_key, timeout_s=timeout_s, retries=Retries(count=retries))
        self.jobs = Jobs(self._transport)
        self.uploads = Uploads(self._transport)
        self.keys = Keys(self._transport)

    @property
    def url(self) -> str:
        """Where the server is."""
        return self._transport.url

    def submit(
        self,
        source: Path | str,
        *,
        spec: JobSpec | None = None,
        priority: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        on_bytes: OnBytes | None = None,
    ) -> Job:
        """Ask for a file, which is uploaded first, or a URL, which the server fetches, to be processed."""
        url = source if is_url(source) else None
        upload = None if url else self.uploads.send(source, on_bytes=on_bytes)
        return self.jobs.create(
            upload_id=upload.id if upload else None,
            url=str(url) if url else None,
            spec=spec,
            priority=priority,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )

    def download(
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
        files = choose(self.jobs.outputs(job_id), names)
        return download_all(self._transport, job_id, files, Path(folder), threads=threads, on_file=on_file)

    def check_ready(self) -> None:
        """Return if the server can take work.

        Raises:
            ServerError: It cannot; `detail` says why.
        """
        self._transport.send(_calls.readiness())

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()
