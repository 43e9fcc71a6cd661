"""The rows. Sizes are bytes, times are UTC."""

from mill_common.models.alerts import (
    Alert,
    AlertGroup,
    AlertLevel,
    AlertNotice,
    AlertSilence,
    AlertStatus,
    AlertTurn,
    NoticeStatus,
)
from mill_common.models.attempts import Attempt, Outcome
from mill_common.models.jobs import Job
from mill_common.models.outputs import Output
from mill_common.models.owners import ApiKey, Owner
from mill_common.models.tasks import Task, TaskNeed
from mill_common.models.uploads import Upload

__all__ = [
    "Alert",
    "AlertGroup",
    "AlertLevel",
    "AlertNotice",
    "AlertSilence",
    "AlertStatus",
    "AlertTurn",
    "ApiKey",
    "Attempt",
    "Job",
    "NoticeStatus",
    "Outcome",
    "Output",
    "Owner",
    "Task",
    "TaskNeed",
    "Upload",
]
