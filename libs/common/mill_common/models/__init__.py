"""The rows. Sizes are bytes, times are UTC."""

from mill_common.models.attempts import Attempt, Outcome
from mill_common.models.jobs import Job
from mill_common.models.labels import JobLabel
from mill_common.models.outputs import Output
from mill_common.models.owners import ApiKey, Owner
from mill_common.models.resumable import ReceivedPart, ResumableUpload
from mill_common.models.sources import JobSource
from mill_common.models.speeds import StepSpeed
from mill_common.models.tasks import Task, TaskNeed
from mill_common.models.uploads import Upload
from mill_common.models.usage import Usage
from mill_common.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "ApiKey",
    "Attempt",
    "Job",
    "JobLabel",
    "JobSource",
    "Outcome",
    "Output",
    "Owner",
    "ReceivedPart",
    "ResumableUpload",
    "StepSpeed",
    "Task",
    "TaskNeed",
    "Upload",
    "Usage",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
