"""What a rule finds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from mill_common.models import AlertLevel
from mill_common.queue.text import storable, storable_text


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One condition that holds now. Two with the same labels are the same alert, whatever else they say."""

    level: AlertLevel
    title: str
    message: str
    labels: Mapping[str, str] = field(default_factory=dict)  # what it is about: {"queue": "transcode"}
    details: Mapping[str, Any] = field(default_factory=dict)  # JSON: the figures, and the thresholds they crossed
    job_id: UUID | None = None
    owner_id: str | None = None
    stage: str | None = None

    def columns(self) -> dict[str, Any]:
        """What an alert's row says of it. It may change while the alert lasts."""
        return {
            "level": self.level,
            "title": storable_text(self.title, 200),
            "message": storable_text(self.message, 2000),
            "details": storable(self.details),
            "job_id": self.job_id,
            "owner_id": self.owner_id,
            "stage": self.stage,
        }


def fingerprint(kind: str, labels: Mapping[str, str]) -> str:
    """What makes two alerts the same: a digest of the type and the labels, 32 hexadecimal digits."""
    named = json.dumps([kind, sorted(labels.items())], ensure_ascii=False)
    return hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:32]
