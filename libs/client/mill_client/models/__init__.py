"""What the server tells, typed. Fields that a newer server adds are kept and printed, never refused."""

from .base import Model
from .jobs import Cancellation, Deletion, Job, JobError, JobOutputs, JobPage, JobStatus, JobSummary, Progress, Source
from .keys import Key, KeyList
from .outputs import Audio, Downloaded, Hls, Made, OutputFile, Outputs, Rendition, Thumbnails, Transcription
from .spec import JobFilter, JobSpec, TranscriptSpec
from .uploads import Upload

__all__ = [
    "Audio",
    "Cancellation",
    "Deletion",
    "Downloaded",
    "Hls",
    "Job",
    "JobError",
    "JobFilter",
    "JobOutputs",
    "JobPage",
    "JobSpec",
    "JobStatus",
    "JobSummary",
    "Key",
    "KeyList",
    "Made",
    "Model",
    "OutputFile",
    "Outputs",
    "Progress",
    "Rendition",
    "Source",
    "Thumbnails",
    "TranscriptSpec",
    "Transcription",
    "Upload",
]
