"""The speech model in memory. Runs in the child process only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.utils import download_model

from mill_transcriber.options import EngineOptions


class NotLoaded(Exception):
    """The model cannot be loaded."""


@dataclass(frozen=True)
class Loaded:
    """A model and what runs it."""

    model: Any
    device: str  # "cpu" or "cuda"


def load(options: EngineOptions) -> Loaded:
    """Load a model from its folder, or by its name from the cache, or else from the network.

    Raises:
        NotLoaded: With the reason in one line.
    """
    try:
        return _load(options)
    except Exception as error:  # three libraries and a network, each with errors of its own
        raise NotLoaded(_reason(error)) from error


def _load(options: EngineOptions) -> Loaded:
    device, index = _device(options.device)
    model = WhisperModel(
        _folder(options.model),
        device=device,
        device_index=index,
        compute_type=_compute_type(options.compute_type, device),
        cpu_threads=options.threads,
    )
    if device == "cuda":
        # A missing CUDA library shows only when the model is first used.
        frames = model.feature_extractor.nb_max_frames
        model.encode(np.zeros((model.model.n_mels, frames), np.float32))
    return Loaded(model, device)


def _device(wanted: str) -> tuple[str, int]:
    """A device and its index from "auto", "cpu", "cuda" or "cuda:1"."""
    if wanted == "auto":
        return ("cuda" if ctranslate2.get_cuda_device_count() else "cpu"), 0
    name, _, index = wanted.partition(":")
    return name, int(index or 0)


def _compute_type(wanted: str, device: str) -> str:
    if wanted != "default":
        return wanted
    wanted = "int8" if device == "cpu" else "float16"
    return wanted if wanted in ctranslate2.get_supported_compute_types(device) else "default"


def _folder(model: str) -> str:
    if Path(model).is_dir():
        return model
    try:
        cached = str(download_model(model, local_files_only=True))
    except (OSError, ValueError) as error:
        if "Invalid model size" in str(error):
            raise
    else:
        if (Path(cached) / "model.bin").is_file():
            return cached
    return str(download_model(model))


def _reason(error: Exception) -> str:
    """What went wrong in one line, without anything that could be an access token."""
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    return re.sub(r"hf_\w+|(?<=//)[^/@\s]+@|\?\S+", "…", first)[:300]
