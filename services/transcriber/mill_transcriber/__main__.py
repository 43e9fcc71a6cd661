"""`python -m mill_transcriber`: a transcriber as a process of its own."""

from __future__ import annotations

from mill_common.service import serve
from mill_common.settings import Settings
from mill_common.worker import Woken
from mill_transcriber.worker import transcriber

if __name__ == "__main__":
    serve("transcriber", lambda resources: Woken(resources.broker, transcriber(resources)), Settings())
