"""What runs tasks: the context that handlers see, and the slots that run them."""

from mill_common.worker.context import Handler, TaskContext
from mill_common.worker.presence import close_workers, worker_name
from mill_common.worker.runner import Runner
from mill_common.worker.shift import Shift
from mill_common.worker.woken import Woken

__all__ = ["Handler", "Runner", "Shift", "TaskContext", "Woken", "close_workers", "worker_name"]
