"""`python -m tools.dashboards`: write the dashboards, or with `--check` fail if a file is not what would be written."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tools.dashboards.boards import BOARDS

FOLDER = Path(__file__).parents[2] / "deploy/grafana/dashboards"


def main() -> int:
    """Exit status 1 if `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="tools.dashboards", description="Make Grafana's dashboards.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is out of date")
    check = parser.parse_args().check
    wanted = {f"{board.uid}.json": json.dumps(board.to_json(), indent=2) + "\n" for board in BOARDS}
    found = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    if check:
        for name in sorted(wanted.keys() | found.keys()):
            if wanted.get(name) != found.get(name):
                sys.stderr.write(f"{name} is out of date: run python -m tools.dashboards\n")
        return 0 if wanted == found else 1
    for name in found.keys() - wanted.keys():
        (FOLDER / name).unlink()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
