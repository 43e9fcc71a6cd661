"""What a command line names as sources: files, patterns and URLs."""

from __future__ import annotations

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

import typer

from .._urls import is_url
from .output import plain


def expand(named: Sequence[str], *, once: bool = True) -> list[str]:
    """Every source in order, and `once`. Patterns that no shell has expanded are expanded here; `**` goes into folders.

    Raises:
        typer.BadParameter: There is no such file, or a pattern fits none.
    """
    sources = [source for name in named for source in _expand_one(name)]
    return list(dict.fromkeys(sources)) if once else sources


def _expand_one(name: str) -> list[str]:
    if is_url(name) or Path(name).is_file():
        return [name]
    if Path(name).is_dir():
        raise typer.BadParameter(
            f"{plain(name)!r} is a folder; name its files, as in '{plain(name.rstrip('/'))}/*.mp4'"
        )
    named = glob(name, recursive=True) if has_magic(name) else []  # noqa: PTH207 - Path's takes no absolute pattern
    found = sorted(path for path in named if Path(path).is_file())
    if not found:
        raise typer.BadParameter(f"there is no file {plain(name)!r}")
    return found
