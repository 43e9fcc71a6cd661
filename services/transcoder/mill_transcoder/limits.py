"""What a child may take, and with whom it ends."""

from __future__ import annotations

import resource
import shutil
from functools import cache

from mill_common.settings import Settings


def limited(settings: Settings) -> list[str]:
    """What comes before a command: a child that dies with the thread that started it, and its limits.

    Programs of util-linux do it, where they are there: code of our own between fork and exec could deadlock a worker
    with threads.
    """
    prefix: list[str] = []
    if prlimit := _which("prlimit"):
        memory = _within(resource.RLIMIT_AS, settings.child_memory)
        file_size = _within(resource.RLIMIT_FSIZE, settings.child_file_size)
        prefix += [prlimit, f"--as={memory}", f"--fsize={file_size}", "--core=0", "--"]
    if setpriv := _which("setpriv"):
        prefix += [setpriv, "--pdeathsig", "KILL", "--"]
    return prefix


def _within(kind: int, wanted: int) -> int:
    """`wanted`, or the hard limit of this process where that is lower: nobody may raise it."""
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


@cache
def _which(name: str) -> str | None:
    return shutil.which(name)
