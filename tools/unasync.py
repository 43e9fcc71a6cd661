"""Make the blocking SDK from the async one, so that nothing is written twice.

`python -m tools.unasync` writes `mill_client/_sync`; with `--check` it only says whether that is out of date.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parents[1] / "libs/client/mill_client"
OWN = {"__init__.py", "work.py"}  # written by hand on either side
HEAD = "# Made from _async/{name} by `python -m tools.unasync`: change that.\n"
RULES = [
    (r"\bimport asyncio\nimport time\b", "import time"),
    (r"\bimport asyncio\b", "import time"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\bAsyncGenerator\[(.+), None\]", r"Generator[\1, None, None]"),
    (r"\bAsyncGenerator\b", "Generator"),
    (r"\b_?async (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\baclosing\b", "closing"),
    (r"\b(aclose|aread|aiter_bytes)\b", lambda found: found[1][1:]),
    (r"__a(enter|exit)__", r"__\1__"),
    (r"\bAsync([A-Z])", r"\1"),
]


def blocking(source: str, name: str) -> str:
    """The blocking module that an async one stands for, formatted."""
    for pattern, replacement in RULES:
        source = re.sub(pattern, replacement, source)  # type: ignore[call-overload]
    ruff = Path(sys.executable).with_name("ruff").as_posix()
    for command in (["check", "--quiet", "--fix", "--unsafe-fixes", "--select", "I,UP028"], ["format", "--quiet"]):
        told = [ruff, *command, "--stdin-filename", str(CLIENT / "_sync" / name), "-"]
        source = subprocess.run(told, input=source, capture_output=True, text=True, check=True).stdout
    return HEAD.format(name=name) + source


def main() -> int:
    """Write, or with `--check` compare; 1 if something is out of date."""
    stale = []
    for path in sorted((CLIENT / "_async").glob("*.py")):
        if path.name in OWN:
            continue
        made = blocking(path.read_text(), path.name)
        target = CLIENT / "_sync" / path.name
        if "--check" not in sys.argv:
            target.write_text(made)
        elif not target.exists() or target.read_text() != made:
            stale.append(path.name)
    if stale:
        sys.stderr.write(f"{', '.join(stale)}: out of date; run `python -m tools.unasync`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
