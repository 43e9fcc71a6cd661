"""What an engine is made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """A model and how to run it. Equal options share an engine."""

    model: str  # a folder, or a name that faster-whisper knows
    name: str  # the model's name for people
    device: str = "auto"  # "auto", "cpu", "cuda" or "cuda:N"
    compute_type: str = "default"
    threads: int = 1
    batch: int = 8
    beam: int = 5
    idle_s: float = 300.0  # the model is unloaded after so long without work
    stall_s: float = 120.0  # a child that shows no life for so long is ended
