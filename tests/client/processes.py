"""The installed `mill` command as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MILL = str(Path(sys.executable).with_name("mill"))


def environment(url: str = "", **more: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR", "PYTHONPATH"}}
    where = {"MILL_URL": url, "MILL_API_KEY": "mill_test"} if url else {}
    return {**kept, **where, "TERM": "xterm-256color", "COLUMNS": "120", **more}


def mill(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MILL, *arguments], env=env, capture_output=True, text=True, timeout=15, check=False)
