"""Whether the model that a transcriber listens with is here."""

from __future__ import annotations

from pathlib import Path

from mill_common.health.report import Finding, Status
from mill_common.health.services import Tools
from mill_common.settings import Settings
from mill_transcriber.models import locate


def model_finding(settings: Settings) -> Finding:
    """Find the model's files. One that is given by name is looked for when it is needed. Raises `ModelUnavailable`."""
    place = locate(settings.whisper_model)
    here = Path(place).is_dir()
    message = "the model's files are here" if here else f"{place} is found or downloaded when it is needed"
    return Finding(status=Status.HEALTHY, message=message, details={"model": Path(settings.whisper_model).name})


TOOLS: Tools = {"model": model_finding}
