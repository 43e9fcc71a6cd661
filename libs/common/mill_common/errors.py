"""Every error a Mediamill service raises on purpose.

MillError                     code, HTTP status, and whether trying again can help
├── PermanentError            the input or the request is at fault; a task goes to the dead letter at once
│   ├── SourceUnreadable
│   ├── SourceRefused
│   ├── SourceTooLarge
│   ├── SourceMissing
│   ├── OutputInvalid
│   ├── ModelUnavailable
│   └── …                     services add their own beside the code that raises them
├── TransientError            the same input may work later; a task is retried with backoff
│   ├── StorageUnavailable
│   ├── ChildFailed
│   ├── ChildStalled
│   └── DeadlineExceeded
└── Stopped                   the worker must put the task down now; nothing is wrong with it
    ├── LeaseLost
    ├── TaskCancelled
    └── ShuttingDown
"""

from __future__ import annotations

from typing import ClassVar


class MillError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    blames_task: ClassVar[bool] = True  # a task that fails so has used up one of its attempts

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or self.code).splitlines()[0])

    @property
    def message(self) -> str:
        """One sentence for a person."""
        return str(self)


class PermanentError(MillError):
    """The same input fails again however often it is tried."""

    code = "permanent_error"
    status = 422


class SourceUnreadable(PermanentError):
    """The source holds no audio or video that can be decoded."""

    code = "source_unreadable"


class SourceRefused(PermanentError):
    """The source is of a kind that is not accepted."""

    code = "source_refused"


class SourceTooLarge(PermanentError):
    """The source exceeds a limit of this system."""

    code = "source_too_large"


class SourceMissing(PermanentError):
    """The source is not there."""

    code = "source_missing"


class OutputInvalid(PermanentError):
    """An output does not bear out what the source holds."""

    code = "output_invalid"


class ModelUnavailable(PermanentError):
    """The speech model cannot be loaded."""

    code = "model_unavailable"


class TransientError(MillError):
    """Trying again later may help."""

    code = "transient_error"
    status = 503


class StorageUnavailable(TransientError):
    """Object storage does not answer as it should."""

    code = "storage_unavailable"
    blames_task = False


class ChildFailed(TransientError):
    """A child process ended with an error."""

    code = "child_failed"


class ChildStalled(TransientError):
    """A child process made no progress for too long and was stopped."""

    code = "child_stalled"


class DeadlineExceeded(TransientError):
    """A step took longer than it may."""

    code = "deadline_exceeded"


class Stopped(MillError):
    """The worker must put this task down."""

    code = "stopped"


class LeaseLost(Stopped):
    """Another worker holds the task by now; nothing was written."""

    code = "lease_lost"


class TaskCancelled(Stopped):
    """The task was cancelled."""

    code = "cancelled"


class ShuttingDown(Stopped):
    """The worker is shutting down and hands the task back."""

    code = "shutting_down"
