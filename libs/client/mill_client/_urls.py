"""Where a server is by default, and what counts as a URL."""

from __future__ import annotations

from pathlib import Path

DEFAULT_URL = "http://127.0.0.1:8000"


def is_url(source: Path | str) -> bool:
    """Whether a source is fetched by the server rather than uploaded from here."""
    return isinstance(source, str) and source.lower().startswith(("http://", "https://"))
