"""`python -m mill_transcriber`: a transcriber as a process of its own."""

from __future__ import annotations

import sys

import mill_common.starting  # noqa: F401 - first, for signals that come while the rest is loaded
from mill_common.worker.command import main
from mill_transcriber.tools import TOOLS
from mill_transcriber.worker import transcriber

if __name__ == "__main__":
    sys.exit(main("transcriber", transcriber, TOOLS))
