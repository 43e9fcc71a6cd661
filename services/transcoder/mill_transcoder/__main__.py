"""`python -m mill_transcoder`: a transcoder as a process of its own."""

from __future__ import annotations

from mill_common.service import serve
from mill_common.settings import Settings
from mill_common.worker import Woken
from mill_transcoder.worker import transcoder

if __name__ == "__main__":
    serve("transcoder", lambda resources: Woken(resources.broker, transcoder(resources)), Settings())
