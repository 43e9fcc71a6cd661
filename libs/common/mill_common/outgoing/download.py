"""Downloads of sources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from mill_common.errors import SourceMissing, SourceRefused, SourceTooLarge
from mill_common.outgoing.errors import SourceUnreachable
from mill_common.outgoing.filenames import filename_of
from mill_common.outgoing.outgoing import REDIRECTS_MAX, Outgoing
from mill_common.outgoing.patience import wanted

_GONE = frozenset({404, 410})
_PASSING = frozenset({408, 421, 423, 425, 429})  # client errors that time may heal
_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"})


@dataclass(frozen=True, kw_only=True)
class Download:
    """What came."""

    size: int  # bytes
    filename: str  # safe for a file system and a header


def no_progress(fraction: float) -> None:
    """Tell nobody."""


def download(
    outgoing: Outgoing,
    url: str,
    path: Path,
    *,
    max_bytes: int,
    check: Callable[[], None] = wanted,
    progress: Callable[[float], None] = no_progress,
) -> Download:
    """Write what `url` serves to `path`, exactly as it came over the wire.

    `check` is called about twice a second and may raise. `progress` is told fractions in [0, 1], if the server says
    how much there is.

    Raises:
        AddressRefused: The URL, or one it redirects to, may not be reached.
        SourceMissing: The server says there is no such thing.
        SourceRefused: The server refuses, or sends something that is no plain file.
        SourceTooLarge: There is more than `max_bytes`; nothing after that was read.
        SourceUnreachable: The server cannot be reached, is too slow, has trouble, or broke off.
    """
    with outgoing.open(url, redirects=REDIRECTS_MAX, check=check) as response:
        _check_status(response.status_code)
        _check_encoding(response)
        expected = _expected(response, max_bytes)
        size = _write(response, path, max_bytes, lambda done: progress(done / expected if expected else 0.0))
        return Download(size=size, filename=_filename(response, url))


def _check_status(status: int) -> None:
    if status == 200:
        return
    if status in _GONE:
        raise SourceMissing(f"The server says that there is no such thing (status {status}).")
    if status >= 500 or status in _PASSING:
        raise SourceUnreachable(f"The server has trouble (status {status}).")
    raise SourceRefused(f"The server does not hand it out (status {status}).")


def _check_encoding(response: httpx.Response) -> None:
    # We asked for none. Decoding could turn a kilobyte into a gigabyte, and not decoding is no video.
    encodings = {part.strip().lower() for part in response.headers.get("content-encoding", "").split(",")}
    if encodings & _ENCODINGS:
        raise SourceRefused("The server sends it compressed, though it was asked not to.")


def _expected(response: httpx.Response, max_bytes: int) -> int | None:
    if "transfer-encoding" in response.headers:  # then a Content-Length means nothing
        return None
    expected = int(response.headers["content-length"]) if "content-length" in response.headers else None
    if expected is not None and expected > max_bytes:
        raise _too_large(max_bytes)
    return expected


def _write(response: httpx.Response, path: Path, max_bytes: int, progress: Callable[[int], None]) -> int:
    size = 0
    with path.open("wb") as file:
        for block in response.iter_raw():
            size += len(block)
            if size > max_bytes:
                raise _too_large(max_bytes)
            file.write(block)
            progress(size)
    return size


def _filename(response: httpx.Response, url: str) -> str:
    """What the server calls it, else the last URL's path, else the first one's: a redirect may lead to a bare id."""
    last, first = (of.raw_path.decode("ascii").partition("?")[0] for of in (response.request.url, httpx.URL(url)))
    disposition = response.headers.get("content-disposition", "")
    return filename_of(disposition, last, "") or filename_of("", first, "source")


def _too_large(max_bytes: int) -> SourceTooLarge:
    return SourceTooLarge(f"The source is larger than {max_bytes} bytes, the most that is taken.")
