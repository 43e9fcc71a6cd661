"""Where a speech model is, by the name it was given."""

from __future__ import annotations

import re
from pathlib import Path

from mill_common.errors import ModelUnavailable

DEMO_MODEL = "tiny-digits"
_DEMO_FOLDER = Path(__file__).parent / "model"
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
ADVICE = (
    "Set MILL_WHISPER_MODEL to a model that faster-whisper knows, such as small or large-v3, or to a folder that holds "
    "model.bin, config.json, tokenizer.json and vocabulary.json. A name needs a network once; a folder needs none."
)


def locate(name: str) -> str:
    """The folder of a model, or its name if faster-whisper is to find it.

    Raises:
        ModelUnavailable: With what to do about it.
    """
    if not name:
        raise ModelUnavailable(f"No speech model is set. {ADVICE}")
    if name == DEMO_MODEL:
        return _whole(name, _DEMO_FOLDER)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _whole(name, folder)
    if not _HUB_NAME.fullmatch(name) or name.startswith("."):
        raise ModelUnavailable(f"The speech model {name!r} is not a folder. {ADVICE}")
    return name


def _whole(name: str, folder: Path) -> str:
    missing = [file for file in ("model.bin", "config.json", "tokenizer.json") if not (folder / file).is_file()]
    if not any((folder / f"vocabulary.{suffix}").is_file() for suffix in ("json", "txt")):
        missing.append("vocabulary.json")
    if missing:
        raise ModelUnavailable(f"The speech model {name!r} lacks {', '.join(missing)}. {ADVICE}")
    return str(folder.absolute())
