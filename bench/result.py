"""One figure, its goal, and what it was measured against."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Result:
    """A measured value. It holds when it is at most `goal`."""

    name: str
    value: float
    unit: str
    goal: float
    against: str

    @property
    def holds(self) -> bool:
        """Whether the goal is met."""
        return self.value <= self.goal


def write(results: Sequence[Result]) -> None:
    """Put results into `bench/results.json`, in the place of earlier ones of the same names."""
    earlier = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    kept = {row["name"]: row for row in earlier} | {
        result.name: {**asdict(result), "value": round(result.value, 4), "holds": result.holds} for result in results
    }
    RESULTS.write_text(json.dumps(list(kept.values()), indent=2) + "\n")


def table(results: Sequence[Result]) -> str:
    """Results for a person."""
    rows = [("figure", "value", "goal", "", "against")]
    rows += [
        (r.name, f"{r.value:.3f} {r.unit}", f"≤ {r.goal:g}", "holds" if r.holds else "MISSED", r.against)
        for r in results
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
