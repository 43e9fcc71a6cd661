"""What to call a file that came from a URL."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import unquote, unquote_to_bytes

FILENAME_MAX = 200  # bytes in UTF-8
_EXTENDED = re.compile(r";\s*filename\*\s*=\s*\"?(utf-8|iso-8859-1)'[^']*'([^\s;\"]+)", re.IGNORECASE)
_QUOTED = re.compile(r';\s*filename\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_TOKEN = re.compile(r";\s*filename\s*=\s*([^\s;\"]+)", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)")
_AWKWARD = re.compile(r'[<>:"|?*]')  # some file systems refuse them


def filename_of(disposition: str, path: str, fallback: str) -> str:
    """A safe name from a Content-Disposition header, else from a URL's path, else `fallback`."""
    return safe_filename(_disposed(disposition)) or safe_filename(_last_of(path)) or fallback


def safe_filename(name: str) -> str:
    """The last segment of `name` without what confuses a file system, a header or a reader; empty if nothing is left.

    Control and direction-changing characters go, and so do leading dots. The suffix outlives shortening.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    # Category C: control, format (right-to-left overrides), surrogates, unassigned.
    visible = "".join(character for character in last if unicodedata.category(character)[0] != "C")
    return _shortened(_AWKWARD.sub("_", visible).lstrip(". ").rstrip(". "))


def _disposed(header: str) -> str:
    """The file name in a Content-Disposition header, `filename*` first. Source: RFC 6266, RFC 8187."""
    if found := _EXTENDED.search(header):
        return unquote_to_bytes(found[2]).decode(found[1], errors="replace")
    if found := _QUOTED.search(header):
        return _ESCAPED.sub(r"\1", found[1])
    found = _TOKEN.search(header)
    return found[1] if found else ""


def _last_of(path: str) -> str:
    # Split first: an encoded slash belongs to the segment, and `safe_filename` deals with it.
    return unquote(path.rpartition("/")[2], errors="replace")


def _shortened(name: str) -> str:
    if len(name.encode()) <= FILENAME_MAX:
        return name
    suffix = PurePosixPath(name).suffix
    suffix = suffix if len(suffix.encode()) <= 16 else ""
    stem = name[: len(name) - len(suffix)].encode()[: FILENAME_MAX - len(suffix.encode())]
    return stem.decode(errors="ignore").rstrip(". ") + suffix
