"""Whom to tell of what: `MILL_ALERT_ROUTES`, a JSON list.

[{"name": "pager", "url": "pagerduty://…", "level": "critical"},
 {"name": "chat", "url": "slack://…", "level": "warning", "match": {"type": "queue_*"}}]
"""

from __future__ import annotations

import json
import re
from typing import Annotated

from apprise import Apprise
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from mill_common.alerts import facts_of, matches
from mill_common.errors import MillError
from mill_common.models import Alert, AlertLevel
from mill_common.settings import Settings

_LEAST = 4  # characters of a part of an address that may be a secret


class RoutesUnusable(MillError):
    """MILL_ALERT_ROUTES is not a list of routes."""

    code = "routes_unusable"


class Route(BaseModel):
    """An address for alerts of a level and above whose labels match."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    url: SecretStr
    level: AlertLevel = AlertLevel.WARNING
    match: dict[str, str] = Field(default_factory=dict)
    resolved: bool = True  # whether to tell of the end as well

    def takes(self, alert: Alert) -> bool:
        """Whether this route is told of the alert."""
        return alert.level.rank >= self.level.rank and matches(self.match, facts_of(alert))

    def scrub(self, text: str) -> str:
        """The text without anything that stands in the address."""
        parts = re.split(r"[^A-Za-z0-9_.~%-]+", self.url.get_secret_value())
        for part in sorted({part for part in parts if len(part) >= _LEAST}, key=len, reverse=True):
            text = text.replace(part, "***")
        return text


def routes_of(settings: Settings) -> list[Route]:
    """The routes that settings name, in their order.

    Raises:
        RoutesUnusable: They are no such list, two share a name, or Apprise does not know the kind of an address.
    """
    if settings.alert_routes is None:
        return []
    try:
        routes = TypeAdapter(list[Route]).validate_python(json.loads(settings.alert_routes.get_secret_value()))
    except json.JSONDecodeError:
        raise RoutesUnusable("MILL_ALERT_ROUTES is no JSON.") from None
    except ValidationError as error:
        # Never what was given: it holds secrets.
        where = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
        raise RoutesUnusable(f"MILL_ALERT_ROUTES: {where or 'it'} is not as it should be.") from None
    for route in routes:
        if not Apprise().add(route.url.get_secret_value()):
            raise RoutesUnusable(f"MILL_ALERT_ROUTES: Apprise does not know the kind of {route.name}'s url.")
    if len({route.name for route in routes}) < len(routes):
        raise RoutesUnusable("MILL_ALERT_ROUTES: two routes have the same name.")
    return routes
