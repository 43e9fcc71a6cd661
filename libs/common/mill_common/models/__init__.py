"""The rows. Sizes are bytes, times are UTC."""

from mill_common.models.attempts import Attempt, Outcome
from mill_common.models.jobs import Job
from mill_common.models.outputs import Output
from mill_common.models.owners import ApiKey, Owner
from mill_common.models.signals import RuntimeSetting, SystemSample
from mill_common.models.tasks import Task, TaskNeed
from mill_common.models.uploads import Upload

__all__ = [
    "ApiKey",
    "Attempt",
    "Job",
    "Outcome",
    "Output",
    "Owner",
    "RuntimeSetting",
    "SystemSample",
    "Task",
    "TaskNeed",
    "Upload",
]
