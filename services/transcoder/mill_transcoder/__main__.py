"""`python -m mill_transcoder`: a transcoder as a process of its own."""

from __future__ import annotations

import sys

import mill_common.starting  # noqa: F401 - first, for signals that come while the rest is loaded
from mill_common.worker.command import main
from mill_transcoder.tools import TOOLS
from mill_transcoder.worker import transcoder

if __name__ == "__main__":
    sys.exit(main("transcoder", transcoder, TOOLS))
