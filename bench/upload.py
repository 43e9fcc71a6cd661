"""What a large upload adds to the server's memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench.result import Result
from bench.server import Server, server

SIZE = 2 * 2**30  # bytes
BLOCK = 1 << 20
WATCH_S = 0.02


def run(folder: Path) -> list[Result]:
    """The highest resident memory during a 2 GiB upload, less what it was before."""
    with server(folder) as mill:
        _send(mill, 64 * BLOCK)  # imports and pools are not what is measured
        before = mill.memory()
        peak = _Peak(mill)
        peak.start()
        _send(mill, SIZE)
        peak.stop()
    return [Result("upload_memory", (peak.highest - before) / 2**20, "MiB", 64.0, "the same server before the upload")]


def _send(mill: Server, size: int) -> None:
    headers = {"X-API-Key": mill.key, "Content-Length": str(size)}
    url = f"{mill.client.url}/api/v1/uploads?filename=zeros.mp4"
    answer = httpx.post(url, content=_zeros(size), headers=headers, timeout=600)
    answer.raise_for_status()


def _zeros(size: int) -> Iterator[bytes]:
    block = bytes(BLOCK)
    for _ in range(size // BLOCK):
        yield block


class _Peak(threading.Thread):
    def __init__(self, mill: Server) -> None:
        super().__init__(daemon=True)
        self._mill = mill
        self._done = threading.Event()
        self.highest = 0

    def run(self) -> None:
        while not self._done.wait(WATCH_S):
            self.highest = max(self.highest, self._mill.memory())

    def stop(self) -> None:
        self._done.set()
        self.join()
