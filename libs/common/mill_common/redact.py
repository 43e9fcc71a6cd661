"""Takes secrets out of what is about to be logged or reported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

HIDDEN = "***"
# Values under these names are never shown; nor are those whose name ends in one of the endings.
NAMES = frozenset({"key", "secret", "password", "token", "authorization", "cookie", "signature", "dsn", "source_url"})
ENDINGS = ("api_key", "admin_key", "signing_key", "_secret", "_password", "_token", "_dsn")
_IN_TEXT = (
    (re.compile(r"(?<=://)[^/\s@]+(?=@)"), HIDDEN),  # user and password of a URL
    (re.compile(r"(?i)([?&](?:x-amz-)?(?:signature|sig|token|credential|key)=)[^&\s\"']+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\b(mill_[0-9A-Za-z]+_)[0-9A-Za-z]{8,}"), rf"\1{HIDDEN}"),  # our own keys keep what people know
    (re.compile(r"\b(whsec_)[0-9A-Za-z+/=]+"), rf"\1{HIDDEN}"),
)


def redact(value: Any, name: str = "") -> Any:
    """The value as it may be shown under `name`, containers gone through."""
    if _is_secret(name):
        return HIDDEN
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {inner: redact(inside, str(inner)) for inner, inside in value.items()}
    if isinstance(value, list | tuple):
        return [redact(inside) for inside in value]
    return value


def redact_text(text: str) -> str:
    """The text without credentials in URLs, signatures, bearer tokens and API keys."""
    if not _may_hold_secret(text):
        return text
    for pattern, shown in _IN_TEXT:
        text = pattern.sub(shown, text)
    return text


def _may_hold_secret(text: str) -> bool:
    # Each pattern needs one of these; most texts of most lines have none, and a search for a word is quick.
    return "://" in text or "=" in text or "mill_" in text or "whsec_" in text or "bearer" in text.lower()


@lru_cache(1024)  # there are few names
def _is_secret(name: str) -> bool:
    plain = name.lower().replace("-", "_")
    return plain in NAMES or plain.endswith(ENDINGS)
