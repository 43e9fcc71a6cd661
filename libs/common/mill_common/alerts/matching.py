"""Whether an alert is among those that a silence or a route means."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from mill_common.models import Alert


def facts_of(alert: Alert) -> dict[str, str]:
    """What can be matched: its type, its level and its labels."""
    return {**{name: str(value) for name, value in alert.labels.items()}, "type": alert.type, "level": alert.level}


def matches(matchers: Mapping[str, str], facts: Mapping[str, str]) -> bool:
    """Whether every pattern (`*`, `?`, `[…]`) fits the fact of its name. A fact that is missing is an empty text."""
    return all(fnmatchcase(facts.get(name, ""), pattern) for name, pattern in matchers.items())
