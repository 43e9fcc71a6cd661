"""Panels and boards as Grafana's JSON. Ids follow the place, so that a file changes only where its board does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "mediamill"}


@dataclass(frozen=True)
class Panel:
    """Some queries by what their lines are called. `kind` is Grafana's: `timeseries` or `stat`."""

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12  # of 24
    height: int = 8

    def to_json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """The panel at its place."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "datasource": SOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "fieldConfig": {"defaults": {"unit": self.unit, "min": 0}, "overrides": []},
            "targets": [
                {"refId": chr(65 + place), "datasource": SOURCE, "expr": query, "legendFormat": legend}
                for place, (legend, query) in enumerate(self.queries.items())
            ],
        }


@dataclass(frozen=True)
class Board:
    """Panels from left to right, row by row."""

    uid: str
    title: str
    panels: Sequence[Panel]

    def to_json(self) -> dict[str, Any]:
        """The whole dashboard."""
        return {
            "uid": self.uid,
            "title": self.title,
            "tags": ["mediamill"],
            "schemaVersion": 39,
            "version": 1,
            "editable": False,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "timezone": "browser",
            "templating": {"list": []},
            "annotations": {"list": []},
            "links": [{"type": "dashboards", "tags": ["mediamill"], "title": "Mediamill", "asDropdown": True}],
            "panels": self._placed(),
        }

    def _placed(self) -> list[dict[str, Any]]:
        x, y, placed = 0, 0, []
        for number, panel in enumerate(self.panels, 1):
            if x + panel.width > WIDTH:
                x, y = 0, y + self.panels[number - 2].height
            placed.append(panel.to_json(number, x, y))
            x += panel.width
        return placed
