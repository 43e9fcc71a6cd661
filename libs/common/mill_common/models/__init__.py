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
from mill_common.models.audit import AuditEntry, AuditOutcome
from mill_common.models.figures import AttemptFigures, FiguresMark, Stock
from mill_common.models.jobs import Job
from mill_common.models.labels import JobLabel
from mill_common.models.outputs import Output
from mill_common.models.owners import ApiKey, Owner
from mill_common.models.pauses import PausedQueue
from mill_common.models.people import Role, User, UserSession
from mill_common.models.resumable import ReceivedPart, ResumableUpload
from mill_common.models.signals import RuntimeSetting, SystemSample
from mill_common.models.sources import JobSource
from mill_common.models.speeds import StepSpeed
from mill_common.models.tasks import Task, TaskNeed
from mill_common.models.uploads import Upload
from mill_common.models.usage import Traffic, Usage
from mill_common.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint

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
    "AttemptFigures",
    "AuditEntry",
    "AuditOutcome",
    "FiguresMark",
    "Job",
    "JobLabel",
    "JobSource",
    "NoticeStatus",
    "Outcome",
    "Output",
    "Owner",
    "PausedQueue",
    "ReceivedPart",
    "ResumableUpload",
    "Role",
    "RuntimeSetting",
    "StepSpeed",
    "Stock",
    "SystemSample",
    "Task",
    "TaskNeed",
    "Traffic",
    "Upload",
    "Usage",
    "User",
    "UserSession",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
