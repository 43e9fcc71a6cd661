"""What happens to jobs, told to whoever watches: one poller per process, however many watch."""

from mill_api.live.hub import Hub
from mill_api.live.watcher import Watcher

__all__ = ["Hub", "Watcher"]
