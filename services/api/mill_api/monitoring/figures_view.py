"""Figures of processing as they are shown."""

from __future__ import annotations

from pydantic import BaseModel, Field

from mill_api.admin.percentiles import Spread
from mill_api.fields import Time


class OperationFigures(BaseModel):
    """Attempts at tasks, by how they ended."""

    total_operations: int
    successful_operations: int
    failed_operations: int = Field(description="Those that were tried again, too.")
    other_operations: int = Field(description="Cancelled, handed back, or put off while something was down.")
    success_rate: float | None = Field(description="Of those that succeeded or failed; null without any.")
    error_rate: float | None
    average_duration_seconds: float | None
    duration_seconds: Spread = Field(description="Of those that succeeded; percentiles to within five per cent.")


class StageFigures(OperationFigures):
    """The attempts at tasks of one kind, and what they cost."""

    cpu_seconds: float
    peak_memory_bytes: int
    bytes_in: int
    bytes_out: int


class ProcessingStats(OperationFigures):
    """What was done in the last hours: those full minutes, and the one that runs. Deleted jobs count, too."""

    hours: int
    stages: dict[str, StageFigures] = Field(description="By kind of task.")
    errors: dict[str, int] = Field(description="Failures by error code, the most frequent first.")
    pace: list[int] = Field(description="Successful attempts in each sixtieth of these hours, the latest last.")
    timestamp: Time
    age_seconds: float
