"""Attempts that ended alike, added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from mill_common.models import Outcome


class Ended(NamedTuple):
    """What attempts have in common that ended alike."""

    kind: str
    outcome: Outcome
    error_code: str  # empty without one


@dataclass
class Totals:
    """What they come to. Sizes are bytes."""

    attempts: int = 0
    took_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    durations: Counter[int] = field(default_factory=Counter)  # by bucket of `mill_common.histogram`

    @classmethod
    def of(cls, row: Any, durations: Mapping[Any, int]) -> Self:
        """Those of a database's row."""
        return cls(
            attempts=int(row.attempts),
            took_s=float(row.took_s),
            cpu_s=float(row.cpu_s),
            peak_memory=int(row.peak_memory),
            bytes_in=int(row.bytes_in),
            bytes_out=int(row.bytes_out),
            durations=Counter({int(bucket): count for bucket, count in durations.items()}),
        )

    def add(self, other: Totals) -> None:
        """Add others."""
        self.attempts += other.attempts
        self.took_s += other.took_s
        self.cpu_s += other.cpu_s
        self.peak_memory = max(self.peak_memory, other.peak_memory)
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.durations.update(other.durations)

    def columns(self) -> dict[str, Any]:
        """As they are written."""
        return {**vars(self), "durations": {str(bucket): count for bucket, count in self.durations.items()}}
