"""All outputs of a job to a folder, a few at a time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event

from ._fetch import Fetch, OnFile
from ._names import place
from ._sync.transport import Transport
from .errors import Stopped
from .models import Downloaded, OutputFile


def download_all(
    transport: Transport,
    job_id: str,
    files: Sequence[OutputFile],
    folder: Path,
    *,
    threads: int,
    on_file: OnFile | None,
    stop: Event | None = None,
) -> list[Downloaded]:
    """Fetch `files` to `folder`. The first failure stops the rest; what is complete by then stays.

    Raises:
        TransferFailed: A name is not safe to write (then nothing is), or bytes are not as announced.
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fetches = [Fetch(transport, job_id, file, place(folder, file.name)) for file in files]
    stop = stop or Event()
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="download") as pool:
        futures = [pool.submit(fetch.run, on_file or _ignore, stop) for fetch in fetches]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            # Also when interrupted: the pool would otherwise go on to the end before it lets us out.
            if not all(future.done() for future in futures):
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
    _raise_first(futures)
    return [future.result() for future in futures]


def _raise_first(futures: Sequence[Future[Downloaded]]) -> None:
    errors = [future.exception() for future in futures if not future.cancelled()]
    causes = [error for error in errors if error and not isinstance(error, Stopped)]
    if causes:
        raise causes[0]


def _ignore(_file: OutputFile, _done: int) -> None:
    pass
