"""Writes docs/openapi.json: `python -m mill_api.openapi_document [--check] FILE`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from mill_api.app import describe
from mill_api.operations import endpoints


def text() -> str:
    """The document as it is kept in the repository."""
    return json.dumps(describe(endpoints()), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the document, or say whether the file differs from it."""
    arguments = argparse.ArgumentParser(description="Write the OpenAPI document.")
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--check", action="store_true", help="write nothing; fail if the file differs")
    given = arguments.parse_args()
    if not given.check:
        given.file.write_text(text(), encoding="utf-8")
        return 0
    if given.file.exists() and given.file.read_text(encoding="utf-8") == text():
        return 0
    sys.stderr.write(f"{given.file} is out of date: python -m mill_api.openapi_document {given.file}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
