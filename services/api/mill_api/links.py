"""URLs that clients are given."""

from __future__ import annotations

from urllib.parse import quote

from mill_common.settings import Settings

API = "/api/v1"


def public(settings: Settings, url: str) -> str:
    """`url` as clients reach it: a path gets the public address in front, if one is set."""
    return settings.public_url.rstrip("/") + url if url.startswith("/") else url


def path(*parts: object) -> str:
    """A path of the interface, each part quoted."""
    return "/".join([API, *(quote(str(part)) for part in parts)])
