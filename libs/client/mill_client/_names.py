"""Names of outputs: which of them are meant, and where on disk they may go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from .errors import OutputMissing, TransferFailed
from .models import OutputFile


def place(folder: Path, name: str) -> Path:
    """Where the output `name` goes below `folder`. The server is not trusted to choose any other place.

    Raises:
        TransferFailed: The name leads, or could lead on some system, out of the folder.
    """
    parts = name.split("/")
    if not all(_is_plain(part) for part in parts):
        raise TransferFailed(f"the server names an output {name!r}, which is no safe file name")
    target = folder.joinpath(*parts)
    # A link inside the folder may lead out of it.
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise TransferFailed(f"{name!r} would be written outside of {folder}")
    return target


def choose(files: Sequence[OutputFile], wanted: Iterable[str]) -> list[OutputFile]:
    """The files that any of the wanted names means, each once; all of them if nothing is wanted.

    A name may be a file's, a folder's, a kind, a pattern, or short: `360p`, `audio`, `poster`, `transcript_srt`.

    Raises:
        OutputMissing: A wanted name means no file.
    """
    names = list(wanted)
    for name in names:
        if not any(_means(name, file) for file in files):
            raise OutputMissing(name, sorted({file.name.split("/")[0] for file in files}))
    chosen = {file.name: file for file in files if not names or any(_means(name, file) for name in names)}
    return list(chosen.values())


def _means(wanted: str, file: OutputFile) -> bool:
    if wanted in {file.name, file.kind} or file.name.startswith(wanted.rstrip("/") + "/"):
        return True
    path = PurePosixPath(file.name)
    short = {path.stem, f"{path.stem}_{path.suffix.lstrip('.')}"} if file.kind != "hls" else set()
    return wanted in short or fnmatchcase(file.name, wanted)


def _is_plain(part: str) -> bool:
    return part not in {"", ".", ".."} and part.isprintable() and not set(part) & set('\\:<>"|?*')
